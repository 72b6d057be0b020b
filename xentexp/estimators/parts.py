"""Rows that a model is trained on, and rows that are held out to watch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from xentexp.errors import InputError
from xentexp.losses import Loss
from xentexp.losses.layout import IntArray
from xentexp.losses.links import FloatArray
from xentexp.validation import ascending


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


def check_classes(definition: Loss, classes: NDArray[Any]) -> None:
    """Whether a loss can be trained on these classes.

    Parameters
    ----------
    definition : Loss
        What is trained on.
    classes : ndarray of shape (k,)
        Labels, sorted.

    Raises
    ------
    InputError
        For one class alone, and for a loss of grades where more than two labels are no numbers:
        sorted by their letters they are in no order.

    Examples
    --------
    >>> from xentexp.objectives import find_loss
    >>> check_classes(find_loss("ranked_probability_score"), np.array([1, 2, 3]))
    """
    k = len(classes)
    if k < 2:
        raise InputError(f"y must hold 2 classes or more; it holds 1 class: {classes}")
    if definition.facts.ordered and k > 2 and not ascending(tuple(classes.tolist())):
        raise InputError(
            f"{definition.name} is for ordered classes; number the grades, as labels are taken in "
            f"sorted order: {', '.join(map(repr, classes.tolist()[:5]))}"
        )
