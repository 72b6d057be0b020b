"""A loss on one batch after the other, each with targets of its own: what a torch module calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from xentexp.errors import InputError
from xentexp.inputs.block import Block
from xentexp.inputs.columns import row_sum_tolerance
from xentexp.inputs.labels import to_class_weight
from xentexp.losses import Loss
from xentexp.losses.base import check_number, row_values
from xentexp.numerics import Array, FloatArray, tempered_log
from xentexp.objectives.targets import Targets, distributions, of_shape, within_unit
from xentexp.objectives.training import BLOCK_SCORES

CLIP = 1e-7
"""Probabilities below it count as it, without a gradient: ``keras.config.epsilon()``."""


@dataclass(frozen=True)
class BatchLoss:
    """A loss with all that stands around it, of targets and predictions as arrays.

    Parameters
    ----------
    definition : Loss
        With a gradient.
    from_logits : bool
        Whether predictions are raw scores; else probabilities.
    class_weight : mapping, array-like of shape (k,) or None
        Weight of each class, by its number.
    label_smoothing : float
        Share of the target that is spread evenly over the classes.
    ignore_index : int or None
        Class number of rows that do not count.

    Raises
    ------
    InputError
        For what the loss cannot have.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.objectives import find_loss
    >>> loss = BatchLoss(find_loss("brier_loss"))
    >>> scores = np.array([0.0, 0.0])
    >>> loss.values_gradient(scores, loss.read(np.array([1, 0]), scores.shape))
    (array([0.25, 0.25]), array([-0.25,  0.25]))
    """

    definition: Loss
    from_logits: bool = True
    class_weight: Mapping[int, float] | ArrayLike | None = None
    label_smoothing: float = 0.0
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        name, facts = self.definition.name, self.definition.facts
        if facts.gradient == "none":
            raise InputError(f"{name} has no gradient; train on another loss")
        if facts.targets == "none":
            raise InputError(f"{name} has no target to be trained on; train on another loss")
        check_number("label_smoothing", self.label_smoothing, 0.0, 1.0)
        if self.label_smoothing and facts.targets in ("one-hot", "labels"):
            raise InputError(
                f"{name} needs one true class in each row, and takes no label_smoothing"
            )
        if not isinstance(self.from_logits, bool):
            raise InputError(f"from_logits must be True or False; got {self.from_logits!r}")
        if not self.from_logits and self._of_margins:
            raise InputError(f"{name} is of decision scores; leave from_logits at True")
        if isinstance(self.class_weight, str):
            raise InputError(
                f"class_weight must be a mapping from class numbers or one number for each class, "
                f"as a batch does not know all training rows; got {self.class_weight!r}"
            )
        if self.class_weight is not None and self._of_columns:
            raise InputError(f"class_weight cannot go with {name}, whose columns are no classes")
        ignored = self.ignore_index
        if ignored is not None and (isinstance(ignored, bool) or not isinstance(ignored, int)):
            raise InputError(f"ignore_index must be a whole number or None; got {ignored!r}")
        if ignored is not None and self._of_columns:
            raise InputError(f"ignore_index cannot go with {name}, which has no class numbers")

    @property
    def _of_margins(self) -> bool:
        return self.definition.facts.needs in ("scores", "latent")

    @property
    def _of_columns(self) -> bool:
        return self.definition.facts.targets == "multilabel"

    # -- targets ---------------------------------------------------------------------------

    def read(self, target: Array, shape: tuple[int, ...]) -> Targets:
        """Targets of a batch, checked.

        Parameters
        ----------
        target : ndarray of shape (n,), (n, 1) or (n, k)
            Class numbers, or distributions; yes and no for a loss of several labels.
        shape : tuple of int
            Of the predictions, ``(n,)`` or ``(n, k)``.

        Returns
        -------
        Targets
            Smoothed, where that is asked for.

        Raises
        ------
        InputError
            For targets that do not fit predictions of such a shape, or the loss.
        """
        if self._of_columns:
            soft = within_unit(of_shape(target, shape), "target")
            e = self.label_smoothing
            return Targets(shape[1], soft=soft * (1.0 - e) + e / 2.0 if e else soft)
        n_classes = self._n_classes(shape)
        targets = self._classes(target, shape, n_classes)
        reason = self.definition.unsuited(
            n_classes=n_classes,
            soft=targets.index is None,
            has_proba=not self._of_margins,
            has_decision=True,
            latent=len(shape) == 1,
            ordered=True,
        )
        if reason is None and targets.index is None and self.definition.facts.targets == "one-hot":
            reason = "needs one true class in each row; target holds shares of several"
        if reason is not None:
            raise InputError(f"{self.definition.name} {reason}")
        return self._smoothed(targets) if self.label_smoothing else targets

    def _n_classes(self, shape: tuple[int, ...]) -> int:
        if len(shape) == 2:
            return shape[1]
        if self.definition.facts.needs != "latent":
            return 2
        thresholds = getattr(self.definition, "thresholds", None)
        if thresholds is None:
            raise InputError(
                f"{self.definition.name} needs thresholds here: they tell how many classes one "
                f"score is cut into"
            )
        return len(thresholds) + 1

    def _classes(self, target: Array, shape: tuple[int, ...], n_classes: int) -> Targets:
        if target.ndim == 2 and target.shape == shape:
            if self.ignore_index is not None:
                raise InputError(
                    f"ignore_index={self.ignore_index} is for class numbers; target of shape "
                    f"{target.shape} has a column for each class: give those rows weight 0"
                )
            return distributions(target, self.definition.facts.targets == "labels")
        numbers = of_shape(target, shape[:1])
        kept = None
        if self.ignore_index is not None:
            kept = numbers != self.ignore_index
            numbers = np.where(kept, numbers, 0)
            kept = None if kept.all() else kept
        if numbers.dtype.kind == "f":
            if len(shape) == 2:
                raise InputError(
                    f"target of shape {target.shape} must hold class numbers, of an integer "
                    f"dtype, for input of shape {shape}; got {target.dtype}: use .long()"
                )
            if n_classes == 2:
                share = within_unit(numbers, "target")
                if not np.isin(share, (0.0, 1.0)).all():
                    return Targets(2, soft=np.stack([1.0 - share, share], axis=1), kept=kept)
            if (numbers != np.floor(numbers)).any():
                raise InputError(f"target must hold class numbers; got {numbers.max()}")
        index = numbers.astype(np.intp)
        low, high = index.min(), index.max()
        if low < 0 or high >= n_classes:
            raise InputError(
                f"target must hold class numbers from 0 to {n_classes - 1} for input of shape "
                f"{shape}; got {low if low < 0 else high}: name it as ignore_index if it is none"
            )
        return Targets(n_classes, index=index, kept=kept)

    def _smoothed(self, targets: Targets) -> Targets:
        e, k = self.label_smoothing, targets.n_classes
        if targets.index is None:
            assert targets.soft is not None
            return replace(targets, soft=targets.soft * (1.0 - e) + e / k)
        soft = np.full((len(targets.index), k), e / k)
        soft[np.arange(len(soft)), targets.index] += 1.0 - e
        # The class itself stays known, by whose weight the row counts.
        return replace(targets, soft=soft)

    def weight(self, targets: Targets, sample_weight: Array | None) -> FloatArray | None:
        """Weight of each row; None where all are 1.

        Parameters
        ----------
        targets : Targets
            Of the batch.
        sample_weight : ndarray of shape (n,) or (n, 1), or None
            Finite, not negative.

        Returns
        -------
        ndarray of shape (n,) or None
            Product of sample and class weight; 0 for ignored rows.

        Raises
        ------
        InputError
            For weights that are none.
        """
        weight: FloatArray | None = None
        if sample_weight is not None:
            weight = of_shape(sample_weight, (targets.n_rows,), "sample_weight").astype(np.float64)
            if not (weight.min() >= 0.0 and weight.max() < np.inf):
                raise InputError(
                    f"sample_weight must be finite and not negative; got {weight.tolist()[:10]}"
                )
        if self.class_weight is not None:
            by_class = to_class_weight(self.class_weight, tuple(range(targets.n_classes)))
            assert by_class is not None
            own: FloatArray
            if targets.index is not None:
                own = by_class[targets.index]
            else:
                assert targets.soft is not None
                own = targets.soft @ by_class
            weight = own if weight is None else weight * own
        if targets.kept is not None:
            kept = targets.kept.astype(np.float64)
            weight = kept if weight is None else weight * kept
        return weight

    # -- values ----------------------------------------------------------------------------

    def values_gradient(
        self, predicted: Array, targets: Targets, *, gradient: bool = True
    ) -> tuple[Array, Array | None]:
        """Value of each row, and its derivative with respect to the predictions.

        Parameters
        ----------
        predicted : ndarray of shape (n,) or (n, k)
            Raw scores, or probabilities.
        targets : Targets
            See `read`.
        gradient : bool, default=True
            Whether the derivative is wanted.

        Returns
        -------
        values : ndarray of shape (n,)
            Not weighted, of the dtype of the predictions; computed in float64.
        gradient : ndarray of the shape of the predictions, or None
            Likewise.

        Raises
        ------
        InputError
            For predictions that are no finite numbers, or no probabilities.
        """
        self._check(predicted)
        values = np.empty(len(predicted), dtype=predicted.dtype)
        slopes = np.empty_like(predicted) if gradient else None
        step = max(128, BLOCK_SCORES // targets.n_classes)
        for start in range(0, len(predicted), step):
            rows = slice(start, start + step)
            raw = predicted[rows].astype(np.float64)
            factor: FloatArray | None = None
            if not self.from_logits:
                raw, factor = self._from_probabilities(raw)
            block = self._block(raw, targets, rows)
            values[rows] = row_values(self.definition, block)
            if slopes is not None:
                own = self.definition.gradient_hessian(block)[0]
                own = own[-1] if predicted.ndim == 1 else own.T
                slopes[rows] = own if factor is None else own * factor
        return values, slopes

    def _block(self, raw: FloatArray, targets: Targets, rows: slice) -> Block:
        k = targets.n_classes
        soft = None if targets.soft is None else targets.soft[rows]
        index = targets.index[rows] if soft is None and targets.index is not None else None
        if self._of_margins:
            return Block(n_classes=k, index=index, soft=soft, decision=raw)
        return Block(n_classes=k, index=index, soft=soft, logits=raw)

    def _check(self, predicted: Array) -> None:
        finite = np.isfinite(predicted)
        if not finite.all():
            row = int(np.flatnonzero(~finite.reshape(len(predicted), -1).all(axis=1))[0])
            raise InputError(
                f"input must be finite; row {row} is {predicted[row].tolist()}: has the training "
                f"diverged? Lower its learning rate"
            )
        if self.from_logits:
            return
        within_unit(predicted, "input with from_logits=False")
        if predicted.ndim == 2 and not self._of_columns:
            off = np.abs(predicted.sum(axis=1) - 1.0)
            if off.max() > row_sum_tolerance(predicted.dtype):
                raise InputError(
                    f"rows of input must sum to 1 with from_logits=False; row {off.argmax()} is "
                    f"{predicted[off.argmax()].tolist()}"
                )

    def _from_probabilities(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Raw scores of which they are the probabilities, and the scores' derivatives in them."""
        if p.ndim == 1 or self._of_columns:
            clipped = np.clip(p, CLIP, 1.0 - CLIP)
            raw, factor = np.log(clipped) - np.log1p(-clipped), 1.0 / (clipped * (1.0 - clipped))
        else:
            clipped = np.maximum(p, CLIP)
            raw, factor = np.log(clipped), 1.0 / clipped
        if self.definition.facts.link == "tempered softmax":
            t: float = self.definition.t2  # type: ignore[attr-defined]
            if p.ndim == 1:
                wrong = 1.0 - clipped
                raw = tempered_log(np.log(clipped), t) - tempered_log(np.log1p(-clipped), t)
                factor = clipped**-t + wrong**-t
            else:
                raw, factor = tempered_log(raw, t), factor**t
        return raw, np.where(clipped == p, factor, 0.0)
