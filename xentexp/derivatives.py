"""Values, gradients and hessians of a loss on what users have: labels and raw scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from xentexp import losses
from xentexp.errors import InputError
from xentexp.inputs.checked import CheckedInput
from xentexp.losses import Loss, Properties
from xentexp.losses.base import row_values
from xentexp.metrics.evaluation import check_applies
from xentexp.numerics import FloatArray, weigh
from xentexp.reading import read_for

ClassWeight = Mapping[Any, float] | ArrayLike | Literal["balanced"] | None


@dataclass(frozen=True)
class CheckedLoss:
    """A loss that takes labels and raw scores as they are, and checks them.

    Made by `get_loss`. Raw scores are what goes through the link of the loss: logits for
    losses of probabilities, decision scores for margins, the numbers themselves with
    ``numbers=True``.

    Parameters
    ----------
    definition : Loss
        The mathematics.

    Examples
    --------
    >>> loss = get_loss("categorical_crossentropy")
    >>> loss.per_sample([0, 1], [[2.0, 0.0], [0.0, 0.0]])
    array([0.1269..., 0.6931...])
    >>> loss.gradient(["no", "yes"], [[2.0, 0.0], [0.0, 0.0]])
    array([[-0.1192...,  0.1192...],
           [ 0.5       , -0.5       ]])
    """

    definition: Loss

    @property
    def name(self) -> str:
        """Name of the loss."""
        return self.definition.name

    @property
    def properties(self) -> Properties:
        """What is true of the loss whatever the data."""
        return self.definition.properties

    def per_sample(
        self,
        y_true: ArrayLike,
        raw: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight = None,
        label_smoothing: float = 0.0,
        ignore_label: object = None,
        numbers: bool = False,
    ) -> FloatArray:
        """Value of each row.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels, one-hot or soft targets.
        raw : array-like of shape (n,) or (n, k)
            Raw scores; ``(n,)`` is the score of the second of two classes.
        labels : array-like of shape (k,), optional
            Every class, in the order of the columns.
        sample_weight : array-like of shape (n,), optional
            Weights, by which value and derivatives are multiplied.
        class_weight : mapping, array-like of shape (k,), "balanced", or None
            Weight of each class, likewise.
        label_smoothing : float, default=0
            Share of the target that is spread evenly over the classes.
        ignore_label : object, optional
            Rows of this label have value and derivatives 0.
        numbers : bool, default=False
            Whether targets and scores are plain numbers.

        Returns
        -------
        ndarray of shape (n,)
            Weighted, not averaged.

        Raises
        ------
        InputError
            For anything that does not fit the loss.
        """
        checked = self._read(
            y_true,
            raw,
            labels=labels,
            sample_weight=sample_weight,
            class_weight=class_weight,
            label_smoothing=label_smoothing,
            ignore_label=ignore_label,
            numbers=numbers,
        )
        values = np.zeros(checked.n_rows)
        for part in checked.parts(hard=self._hard()):
            own = row_values(self.definition, part.block)
            part.rows.put(values, own if part.weight is None else weigh(own, part.weight))
        return values

    def gradient(
        self,
        y_true: ArrayLike,
        raw: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight = None,
        label_smoothing: float = 0.0,
        ignore_label: object = None,
        numbers: bool = False,
    ) -> FloatArray:
        """First derivative of each row's value with respect to its raw scores.

        Parameters
        ----------
        y_true, raw : array-like
            As for `per_sample`.
        labels, sample_weight, class_weight, label_smoothing, ignore_label, numbers
            As for `per_sample`.

        Returns
        -------
        ndarray of the shape of `raw`
            Weighted, not averaged; a subgradient where the loss has kinks.

        Raises
        ------
        InputError
            For a loss without a gradient, and as `per_sample`.
        """
        return self.gradient_hessian(
            y_true,
            raw,
            labels=labels,
            sample_weight=sample_weight,
            class_weight=class_weight,
            label_smoothing=label_smoothing,
            ignore_label=ignore_label,
            numbers=numbers,
        )[0]

    def gradient_hessian(
        self,
        y_true: ArrayLike,
        raw: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight = None,
        label_smoothing: float = 0.0,
        ignore_label: object = None,
        numbers: bool = False,
    ) -> tuple[FloatArray, FloatArray]:
        """First and second derivatives of each row's value with respect to its raw scores.

        Parameters
        ----------
        y_true, raw : array-like
            As for `per_sample`.
        labels, sample_weight, class_weight, label_smoothing, ignore_label, numbers
            As for `per_sample`.

        Returns
        -------
        gradient, hessian : ndarray of the shape of `raw`
            Weighted, not averaged; the hessian is the diagonal of each row's, without any
            factor.

        Raises
        ------
        InputError
            For a loss without a gradient, and as `per_sample`.

        Examples
        --------
        >>> get_loss("brier_loss").gradient_hessian([1, 0], [0.0, 0.0])
        (array([-0.25,  0.25]), array([0.125, 0.125]))
        """
        checked = self._read(
            y_true,
            raw,
            labels=labels,
            sample_weight=sample_weight,
            class_weight=class_weight,
            label_smoothing=label_smoothing,
            ignore_label=ignore_label,
            numbers=numbers,
        )
        given = checked.probabilities or checked.decision
        assert given is not None
        out = np.zeros((2, *given.values.shape[::-1]))  # one row per class, as losses have it
        order = given.order
        for part in checked.parts(hard=self._hard()):
            both = np.stack(self.definition.gradient_hessian(part.block))
            if part.weight is not None:
                both = weigh(both, part.weight)
            if out.ndim == 2:
                both = both[:, -1]
            elif order is not None:
                both = both[:, np.argsort(order)]
            part.rows.put(out, both)
        shape = (-1, 1) if getattr(raw, "shape", ())[1:] == (1,) else given.values.shape
        gradient, hessian = (np.ascontiguousarray(part.T).reshape(shape) for part in out)
        return gradient, hessian

    def _hard(self) -> str | None:
        return self.name if self.properties.targets == "one-hot" else None

    def _read(
        self, y_true: ArrayLike, raw: ArrayLike, *, numbers: bool = False, **options: Any
    ) -> CheckedInput:
        if self.properties.distributions and self.properties.targets == "none":
            y_true = _any_target(y_true, raw)
        if self.properties.targets == "multilabel":
            strange = [name for name in _CLASS_OPTIONS if options.pop(name, None) is not None]
            if strange:
                raise InputError(f"{', '.join(strange)} cannot go with {self.name}")
        if numbers:
            checked = read_for(self.definition, y_true, raw, numbers=True, **options)
        elif self.properties.needs in ("scores", "latent"):
            checked = read_for(self.definition, y_true, raw, **options)
        else:
            checked = read_for(self.definition, y_true, raw, from_logits=True, **options)
        check_applies(self.definition, checked)
        return checked


_CLASS_OPTIONS = ("labels", "class_weight", "ignore_label")


def _any_target(y_true: object, raw: ArrayLike) -> ArrayLike:
    """Targets for a loss of the predictions alone: `y_true` may be None."""
    if y_true is not None:
        return y_true  # type: ignore[return-value]
    return np.zeros(len(np.asarray(raw)), dtype=np.intp)


def get_loss(name: str | Loss | CheckedLoss, **parameters: object) -> CheckedLoss:
    """Loss by name, with values and derivatives of labels and raw scores.

    Parameters
    ----------
    name : str, Loss or CheckedLoss
        A name of ``xentexp losses``, or what a peer calls it, e.g.
        ``"torch.nn.CrossEntropyLoss"``.
    **parameters : object
        Parameters of the loss, e.g. ``gamma=2``.

    Returns
    -------
    CheckedLoss
        With `per_sample`, `gradient` and `gradient_hessian`. It also stands for the loss
        wherever xentexp takes one.

    Raises
    ------
    InputError
        For an unknown name or parameter, with the nearest ones, and for a bad value.

    Examples
    --------
    >>> get_loss("BCEWithLogitsLoss").gradient([1, 0], [0.0, 2.0])
    array([-0.5       ,  0.8807...])
    """
    return CheckedLoss(losses.get_loss(name, **parameters))  # type: ignore[arg-type]
