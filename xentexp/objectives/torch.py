"""A loss as a module of torch: the criterion of a training loop, of skorch, of Lightning.

Not imported with xentexp: ``from xentexp.objectives import TorchLoss`` imports torch then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp.errors import InputError, import_extra, unknown_name
from xentexp.inputs.block import Block
from xentexp.inputs.checked import PlannedInput
from xentexp.inputs.columns import row_sum_tolerance
from xentexp.inputs.labels import to_class_weight
from xentexp.losses import Loss
from xentexp.losses.base import check_number, row_values
from xentexp.metrics.registry import get_loss
from xentexp.numerics import Array, FloatArray, IntArray, tempered_log
from xentexp.objectives.objective import BLOCK_SCORES

import_extra("torch", "TorchLoss")
import torch  # noqa: E402

REDUCTIONS = ("mean", "sum", "sum_over_batch_size", "none")
_HALVES = (torch.float16, torch.bfloat16)


class TorchLoss(torch.nn.Module):  # type: ignore[misc]
    """A loss of the table as a torch module: its own values, its own gradient.

    The values are computed from the one definition, in float64 on the CPU, and returned in the
    dtype and on the device of the input. Backward is the loss's gradient; of the hessian the
    diagonal alone is known, so that a second backward is refused.

    Parameters
    ----------
    loss : str or Loss
        As `xentexp.get_loss` takes it; it must have a gradient.
    from_logits : bool, default=True
        Whether the input is raw scores. Else it is probabilities, as a softmax gives them:
        those below 1e-7 count as 1e-7 and have no gradient, as in Keras.
    class_weight : mapping, array-like of shape (k,) or None
        Weight of each class, by its number. A smoothed target counts by its class; a soft one
        by the mean over its classes.
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes.
    ignore_index : int, optional
        Class number of rows that do not count.
    reduction : {"mean", "sum", "sum_over_batch_size", "none"}
        ``"mean"`` divides by the sum of the weights, ``"sum_over_batch_size"`` by the number of
        rows that are not ignored, as Keras does by default. Of a batch in which nothing counts
        both are 0.
    **loss_params : object
        Parameters of the loss, e.g. ``gamma=2``.

    Raises
    ------
    InputError
        For unknown names and parameters, and for losses without a gradient or a target.

    Notes
    -----
    With ``from_logits=False`` a row ``p`` stands for the scores ``log p``: it is normalised,
    and the gradient is that along the distributions. It agrees with Keras. The gradient of
    ``NLLLoss(log p)`` differs by the same number in each column, which a softmax takes away.

    Examples
    --------
    >>> import torch
    >>> criterion = TorchLoss("categorical_focal_crossentropy", gamma=1.0)
    >>> scores = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    >>> value = criterion(scores, torch.tensor([0, 1]))
    >>> round(value.item(), 4)
    0.3917
    >>> value.backward()  # -(1 - p) log p: p (1 - p) (log p - (1 - p) / p) / 2 at p = 1/3
    >>> scores.grad[1]
    tensor([ 0.1721, -0.3443,  0.1721])

    In a loop it stands where torch's own losses stand:

    >>> generator = torch.Generator().manual_seed(0)
    >>> X = torch.randn(64, 2, generator=generator)
    >>> y = (X[:, 0] > 0).long()
    >>> coef = torch.zeros(2, requires_grad=True)
    >>> criterion, optimizer = TorchLoss("brier_loss"), torch.optim.Adam([coef], lr=0.1)
    >>> for step in range(50):
    ...     optimizer.zero_grad()
    ...     value = criterion(X @ coef, y)
    ...     value.backward()
    ...     optimizer.step()
    >>> value.item() < 0.05
    True
    """

    def __init__(
        self,
        loss: str | Loss = "categorical_crossentropy",
        *,
        from_logits: bool = True,
        class_weight: Mapping[int, float] | ArrayLike | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
        reduction: str = "mean",
        **loss_params: object,
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise unknown_name("reduction", reduction, REDUCTIONS)
        if isinstance(class_weight, torch.Tensor):
            class_weight = _array(class_weight)
        self.reduction = reduction
        self.batch_loss = BatchLoss(
            get_loss(loss, **loss_params),
            from_logits=from_logits,
            class_weight=class_weight,
            label_smoothing=label_smoothing,
            ignore_index=ignore_index,
        )

    def forward(self, input: Any, target: Any, sample_weight: Any = None) -> Any:
        """Value of a batch.

        Parameters
        ----------
        input : Tensor of shape (n,), (n, 1) or (n, k)
            Raw scores or probabilities; one column speaks of the second of two classes. Half
            precision is computed and returned in float32.
        target : Tensor of shape (n,), (n, 1) or (n, k)
            Class numbers; one-hot or soft targets, where the loss takes them; for one column
            also the probability of the second class, as BCELoss has it.
        sample_weight : Tensor of shape (n,), optional
            Weights, through which no gradient flows.

        Returns
        -------
        Tensor
            Of shape ``()``, or ``(n,)`` with ``reduction="none"``.

        Raises
        ------
        InputError
            For anything that does not fit the loss, and for scores that are not finite.
        """
        of_columns = self.batch_loss.definition.properties.targets == "multilabel"
        if not isinstance(input, torch.Tensor) or not input.is_floating_point():
            got = input.dtype if isinstance(input, torch.Tensor) else type(input).__name__
            raise InputError(f"input must be a tensor of floats; got {got}")
        if input.ndim not in ((2,) if of_columns else (1, 2)) or input.numel() == 0:
            shapes = "(n, k)" if of_columns else "(n,) or (n, k)"
            raise InputError(
                f"input must have shape {shapes}, with a row at least; got {tuple(input.shape)}"
            )
        scores = input.float() if input.dtype in _HALVES else input
        if scores.ndim == 2 and scores.shape[1] == 1 and not of_columns:
            scores = scores[:, 0]
        targets = self.batch_loss.read(_array(target), tuple(scores.shape))
        weight = self.batch_loss.weight(
            targets, None if sample_weight is None else _array(sample_weight)
        )
        values = _RowValues.apply(scores, self.batch_loss, targets, torch.is_grad_enabled())
        return self._reduced(values, weight, targets)

    def _reduced(self, values: Any, weight: NDArray[Any] | None, targets: Targets) -> Any:
        divisor = float(len(values))
        if self.reduction == "sum_over_batch_size" and targets.kept is not None:
            divisor = float(targets.kept.sum())
        elif self.reduction == "mean" and weight is not None:
            divisor = float(weight.sum())
        if self.reduction in ("none", "sum") or divisor == 0.0:
            divisor = 1.0
        if weight is not None:
            # Divided first, in float64: large weights would overflow in the values' own type.
            values = values * torch.from_numpy(np.asarray(weight / divisor)).to(values)
        elif divisor != 1.0:
            values = values / divisor
        return values if self.reduction == "none" else values.sum()

    def extra_repr(self) -> str:
        """Loss and reduction, as torch prints them.

        Returns
        -------
        str
            In one line.
        """
        return f"{self.batch_loss.definition!r}, reduction={self.reduction!r}"


class _RowValues(torch.autograd.Function):  # type: ignore[misc]
    """Values of rows, with our gradient."""

    @staticmethod
    def forward(ctx: Any, scores: Any, loss: BatchLoss, targets: Targets, grad: bool) -> Any:
        wanted = grad and ctx.needs_input_grad[0]
        values, gradient = loss.values_gradient(_array(scores), targets, gradient=wanted)
        if gradient is not None:
            ctx.save_for_backward(scores, torch.from_numpy(gradient).to(scores.device))
        return torch.from_numpy(values).to(scores.device)

    @staticmethod
    def backward(ctx: Any, grad_values: Any) -> Any:
        return _Gradient.apply(*ctx.saved_tensors, grad_values), None, None, None


class _Gradient(torch.autograd.Function):  # type: ignore[misc]
    """Our gradient as a function of the scores, so that its own derivative is not taken for 0."""

    @staticmethod
    def forward(ctx: Any, scores: Any, gradient: Any, grad_values: Any) -> Any:
        return (grad_values[:, None] if gradient.ndim == 2 else grad_values) * gradient

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        raise InputError(
            "TorchLoss has no second derivatives, of which xentexp knows the diagonal alone; use "
            "torch's own losses where the gradient itself is differentiated"
        )


def _array(values: Any) -> NDArray[Any]:
    """A tensor's numbers in main memory, not copied where they are there."""
    tensor = torch.as_tensor(values).detach()
    if tensor.dtype in _HALVES:
        tensor = tensor.float()
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


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
        name, properties = self.definition.name, self.definition.properties
        if properties.gradient == "none":
            raise InputError(f"{name} has no gradient; train on another loss")
        if properties.targets == "none":
            raise InputError(f"{name} has no target to be trained on; train on another loss")
        check_number("label_smoothing", self.label_smoothing, 0.0, 1.0)
        if self.label_smoothing and properties.targets in ("one-hot", "labels"):
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
        return self.definition.properties.needs in ("scores", "latent")

    @property
    def _of_columns(self) -> bool:
        return self.definition.properties.targets == "multilabel"

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
        reason = self.definition.why_not(
            PlannedInput(
                n_classes,
                soft=targets.index is None,
                has_proba=not self._of_margins,
                latent=len(shape) == 1,
            )
        )
        if (
            reason is None
            and targets.index is None
            and self.definition.properties.targets == "one-hot"
        ):
            reason = "needs one true class in each row; target holds shares of several"
        if reason is not None:
            raise InputError(f"{self.definition.name} {reason}")
        return self._smoothed(targets) if self.label_smoothing else targets

    def _n_classes(self, shape: tuple[int, ...]) -> int:
        if len(shape) == 2:
            return shape[1]
        if self.definition.properties.needs != "latent":
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
            return distributions(target, self.definition.properties.targets == "labels")
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
                own = self.definition.block_gradient_hessian(block)[0]
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
        if self.definition.properties.link == "tempered softmax":
            t: float = self.definition.t2  # type: ignore[attr-defined]
            if p.ndim == 1:
                wrong = 1.0 - clipped
                raw = tempered_log(np.log(clipped), t) - tempered_log(np.log1p(-clipped), t)
                factor = clipped**-t + wrong**-t
            else:
                raw, factor = tempered_log(raw, t), factor**t
        return raw, np.where(clipped == p, factor, 0.0)


@dataclass(frozen=True)
class Targets:
    """What a batch should have been: `index` (n,), or `soft` (n, k); rows that are not `kept`."""

    n_classes: int
    index: IntArray | None = None
    soft: FloatArray | None = None
    kept: NDArray[np.bool_] | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows, ignored ones too."""
        given = self.soft if self.index is None else self.index
        assert given is not None
        return len(given)


def of_shape(values: Array, shape: tuple[int, ...], name: str = "target") -> Array:
    """Array of a shape, or with a last axis of 1 more.

    Parameters
    ----------
    values : ndarray
        What was given.
    shape : tuple of int
        What it must have.
    name : str
        For the message.

    Returns
    -------
    ndarray
        Of that shape.

    Raises
    ------
    InputError
        For any other.
    """
    if values.shape == (*shape, 1):
        values = values[..., 0]
    if values.shape != shape:
        raise InputError(f"{name} must have shape {shape}, that of the input; got {values.shape}")
    return values


def within_unit(values: Array, name: str) -> FloatArray:
    """Numbers of [0, 1], as float64.

    Parameters
    ----------
    values : ndarray
        What was given.
    name : str
        For the message.

    Returns
    -------
    ndarray
        Of the same shape.

    Raises
    ------
    InputError
        For others, and for NaN.
    """
    if not (values.min() >= 0.0 and values.max() <= 1.0):
        strange = values[~((values >= 0.0) & (values <= 1.0))]
        raise InputError(f"{name} must lie in [0, 1]; got {strange.flat[0]}")
    return np.asarray(values, dtype=np.float64)


def distributions(target: Array, as_given: bool) -> Targets:
    """Targets with a column for each class: their class, where each row has one alone.

    Parameters
    ----------
    target : ndarray of shape (n, k)
        One-hot or soft.
    as_given : bool
        Whether one-hot rows stay distributions.

    Returns
    -------
    Targets
        Of k classes.

    Raises
    ------
    InputError
        For rows that are no distributions.
    """
    soft = within_unit(target, "target")
    off = np.abs(soft.sum(axis=1) - 1.0)
    # Integers and halves are sums of few digits: the bound of float32 is for rounded shares.
    if off.max() > row_sum_tolerance(np.dtype(np.float32)):
        raise InputError(
            f"rows of target must sum to 1; row {off.argmax()} is {target[off.argmax()].tolist()}"
        )
    if not as_given and (soft.max(axis=1) == 1.0).all():
        return Targets(soft.shape[1], index=soft.argmax(axis=1))
    return Targets(soft.shape[1], soft=soft)
