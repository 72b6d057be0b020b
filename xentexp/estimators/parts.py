"""Rows that a model is trained on, and rows that are held out to watch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from xentexp.errors import InputError
from xentexp.losses.layout import IntArray
from xentexp.losses.links import FloatArray


@dataclass(frozen=True)
class Part:
    """Some rows.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, n_features)
        Checked rows.
    index : ndarray of shape (n,)
        Class of each.
    weight : ndarray of shape (n,) or None
        Weight of each.
    """

    X: Any
    index: IntArray
    weight: FloatArray | None

    def of(self, rows: IntArray) -> Part:
        """Some of the rows.

        Parameters
        ----------
        rows : ndarray of int
            Which.

        Returns
        -------
        Part
            A copy.
        """
        weight = None if self.weight is None else self.weight[rows]
        return Part(self.X[rows], self.index[rows], weight)


def split_parts(whole: Part, fraction: float | None, *, random_state: Any) -> dict[str, Part]:
    """Rows to train on, and rows held out, with each class in both.

    Parameters
    ----------
    whole : Part
        All rows.
    fraction : float or None
        Share that is held out, stratified by class; None for nothing.
    random_state : int, RandomState instance or None
        Which rows.

    Returns
    -------
    dict
        ``"train"``, and ``"valid"`` where rows are held out; in the order they had.

    Raises
    ------
    InputError
        For a share that leaves no part with each class.

    Examples
    --------
    >>> import numpy as np
    >>> whole = Part(np.arange(8)[:, None], np.array([0, 1] * 4), None)
    >>> {name: len(part.index) for name, part in split_parts(whole, 0.25, random_state=0).items()}
    {'train': 6, 'valid': 2}
    """
    if fraction is None:
        return {"train": whole}
    try:
        kept, held_out = train_test_split(
            np.arange(len(whole.index)),
            test_size=fraction,
            stratify=whole.index,
            random_state=random_state,
        )
    except ValueError as error:
        raise InputError(
            f"validation_fraction={fraction} leaves no part with each class: {error}"
        ) from error
    return {"train": whole.of(np.sort(kept)), "valid": whole.of(np.sort(held_out))}
