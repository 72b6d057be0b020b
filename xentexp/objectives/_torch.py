"""A loss as a torch module: the criterion of a training loop, of skorch, of Lightning.

xentexp does not import it: ``from xentexp.objectives import TorchLoss`` imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._inputs.checked import CheckedInput, PlannedInput
from xentexp._inputs.columns import row_sum_tolerance
from xentexp._inputs.labels import KnownTargets, to_class_weight
from xentexp._numerics import Array, FloatArray
from xentexp.errors import InputError, import_extra, unknown_name
from xentexp.losses import Loss
from xentexp.losses._base import row_loss_gradient, row_values
from xentexp.objectives._objective import check_smoothing, get_differentiable_loss, score_kind

import_extra("torch", "TorchLoss")
import torch  # noqa: E402

REDUCTIONS = ("mean", "sum", "sum_over_batch_size", "none")
_HALVES = (torch.float16, torch.bfloat16)


class TorchLoss(torch.nn.Module):  # type: ignore[misc]
    """Any loss as a torch module, with the values and gradients that xentexp computes.

    They are computed in float64 on the CPU, and returned in the dtype and on the device of the
    input. Differentiating twice raises an error, because only the diagonal of the hessian is
    known.

    Parameters
    ----------
    loss : str or Loss
        As `xentexp.get_loss` takes it; it must have a gradient.
    from_logits : bool, default=True
        Whether the input is raw scores. Otherwise it is probabilities, the output of a softmax:
        those below 1e-7 count as 1e-7 and have no gradient, as in Keras.
    class_weight : mapping, array-like of shape (k,) or None
        Weight of each class, by its number. The weight of a soft target is the mean over its
        classes, before any smoothing.
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes.
    ignore_index : int, optional
        Class number of rows to leave out.
    reduction : {"mean", "sum", "sum_over_batch_size", "none"}
        ``"mean"`` divides by the sum of the weights, ``"sum_over_batch_size"`` by the number of
        rows that are not ignored, as Keras does by default. Both are 0 for a batch whose weights
        are all 0.
    **loss_params : object
        Parameters of the loss, e.g. ``gamma=2``.

    Raises
    ------
    InputError
        For unknown names and parameters, and for losses without a gradient or a target.

    Notes
    -----
    With ``from_logits=False`` a row ``p`` is read as the scores ``log p``: it is normalised, and
    the gradient is the one along the distributions, as in Keras. The gradient of
    ``NLLLoss(log p)`` differs from it by the same number in each column, which the gradient of a
    softmax removes.

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

    It replaces torch's own losses in a training loop:

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
            get_differentiable_loss(loss, loss_params),
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
            Raw scores or probabilities; one column holds those of the second of two classes.
            Values of half-precision input are computed and returned in float32.
        target : Tensor of shape (n,), (n, 1) or (n, k)
            Class numbers; one-hot or soft targets, if the loss takes them; for one column also
            the probability of the second class, as in BCELoss.
        sample_weight : Tensor of shape (n,), optional
            Weights of the rows; they get no gradient.

        Returns
        -------
        Tensor
            Of shape ``()``, or ``(n,)`` with ``reduction="none"``.

        Raises
        ------
        InputError
            For input and targets that do not fit the loss, and for scores that are not finite.
        """
        multilabel = self.batch_loss.multilabel
        if not isinstance(input, torch.Tensor) or not input.is_floating_point():
            got = input.dtype if isinstance(input, torch.Tensor) else type(input).__name__
            raise InputError(f"input must be a tensor of floats; got {got}")
        if input.ndim not in ((2,) if multilabel else (1, 2)) or input.numel() == 0:
            shapes = "(n, k)" if multilabel else "(n,) or (n, k)"
            raise InputError(
                f"input must have shape {shapes} and at least one row; got {tuple(input.shape)}"
            )
        scores = input.float() if input.dtype in _HALVES else input
        if scores.ndim == 2 and scores.shape[1] == 1 and not multilabel:
            scores = scores[:, 0]
        batch = self.batch_loss.read(
            _array(target),
            tuple(scores.shape),
            None if sample_weight is None else _array(sample_weight),
        )
        values = _RowValues.apply(scores, self.batch_loss, batch, torch.is_grad_enabled())
        return self._reduced(values, batch)

    def _reduced(self, values: Any, batch: Batch) -> Any:
        weight, divisor = batch.checked.row_weight, float(batch.n_kept)
        if self.reduction == "mean" and weight is not None:
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
        """Loss and reduction in one line, for the representation of the module."""
        return f"{self.batch_loss.loss!r}, reduction={self.reduction!r}"


class _RowValues(torch.autograd.Function):  # type: ignore[misc]
    """Values of the rows, with our gradient."""

    @staticmethod
    def forward(ctx: Any, scores: Any, loss: BatchLoss, batch: Batch, grad: bool) -> Any:
        wanted = grad and ctx.needs_input_grad[0]
        values, gradient = loss.values_gradient(_array(scores), batch, gradient=wanted)
        if gradient is not None:
            ctx.save_for_backward(scores, torch.from_numpy(gradient).to(scores.device))
        return torch.from_numpy(values).to(scores.device)

    @staticmethod
    def backward(ctx: Any, grad_values: Any) -> Any:
        return _Gradient.apply(*ctx.saved_tensors, grad_values), None, None, None


class _Gradient(torch.autograd.Function):  # type: ignore[misc]
    """Our gradient as a function of the scores, so that its derivative is an error and not 0."""

    @staticmethod
    def forward(ctx: Any, scores: Any, gradient: Any, grad_values: Any) -> Any:
        return (grad_values[:, None] if gradient.ndim == 2 else grad_values) * gradient

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        raise InputError(
            "TorchLoss has no second derivatives, because xentexp knows only the diagonal of the "
            "hessian; use torch's own losses if you differentiate the gradient"
        )


def _array(values: Any) -> NDArray[Any]:
    """Numbers of a tensor in main memory, without a copy if they are there."""
    tensor = torch.as_tensor(values).detach()
    if tensor.dtype in _HALVES:
        tensor = tensor.float()
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


CLIP = 1e-7
"""Smallest probability, ``keras.config.epsilon()``; those below have no gradient."""


class Batch(NamedTuple):
    """Targets and weights of a batch, and the number of rows that are not ignored."""

    checked: CheckedInput
    n_kept: int


@dataclass(frozen=True)
class BatchLoss:
    """A loss and its options, on targets and predictions as arrays."""

    loss: Loss
    from_logits: bool = True
    class_weight: Mapping[int, float] | ArrayLike | None = None
    label_smoothing: float = 0.0
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        name = self.loss.name
        if self.loss.properties.targets == "none":
            raise InputError(f"{name} has no target to be trained on; train on another loss")
        check_smoothing(self.loss, self.label_smoothing)
        if not isinstance(self.from_logits, bool):
            raise InputError(f"from_logits must be True or False; got {self.from_logits!r}")
        if not self.from_logits and score_kind(self.loss) == "decision":
            raise InputError(f"{name} is of decision scores; leave from_logits at True")
        if isinstance(self.class_weight, str):
            raise InputError(
                f"class_weight must be a mapping from class numbers or one number for each class, "
                f"as a batch does not know all training rows; got {self.class_weight!r}"
            )
        if self.class_weight is not None and self.multilabel:
            raise InputError(f"class_weight cannot go with {name}, whose columns are no classes")
        ignored = self.ignore_index
        if ignored is not None and (isinstance(ignored, bool) or not isinstance(ignored, int)):
            raise InputError(f"ignore_index must be a whole number or None; got {ignored!r}")
        if ignored is not None and self.multilabel:
            raise InputError(f"ignore_index cannot go with {name}, which has no class numbers")

    @property
    def multilabel(self) -> bool:
        """Whether the columns are several labels of a row, and not classes."""
        return self.loss.properties.targets == "multilabel"

    # -- targets ---------------------------------------------------------------------------

    def read(
        self, target: Array, shape: tuple[int, ...], sample_weight: Array | None = None
    ) -> Batch:
        """Check the targets and weights of a batch whose predictions have a shape."""
        if self.multilabel:
            soft = within_unit(of_shape(target, shape), "target")
            return self._batch(KnownTargets(distribution=soft, columns=True), shape, sample_weight)
        n_classes, kept = self._n_classes(shape), None
        if target.ndim == 2 and target.shape == shape:
            targets = self._distributions(target)
        else:
            targets, kept = self._class_numbers(target, shape, n_classes)
        soft_targets = targets.distribution is not None
        reason = self.loss.why_not(
            PlannedInput(
                n_classes,
                soft=soft_targets,
                has_proba=score_kind(self.loss) == "logits",
                latent=len(shape) == 1,
            )
        )
        if reason is None and soft_targets and self.loss.properties.targets == "one-hot":
            reason = "needs one true class in each row; target holds shares of several"
        if reason is not None:
            raise InputError(f"{self.loss.name} {reason}")
        return self._batch(targets, shape, sample_weight, kept)

    def _batch(
        self,
        targets: KnownTargets,
        shape: tuple[int, ...],
        sample_weight: Array | None,
        kept: NDArray[np.bool_] | None = None,
    ) -> Batch:
        classes = tuple(range(shape[1] if self.multilabel else self._n_classes(shape)))
        weight = None
        if sample_weight is not None:
            weight = of_shape(sample_weight, shape[:1], "sample_weight").astype(np.float64)
            if not (weight.min() >= 0.0 and weight.max() < np.inf):
                raise InputError(
                    f"sample_weight must be finite and not negative; got {weight.tolist()[:10]}"
                )
        if kept is not None:
            weight = kept.astype(np.float64) if weight is None else weight * kept
        checked = CheckedInput(
            classes=classes,
            targets=targets,
            weight=weight,
            class_weight=to_class_weight(self.class_weight, classes),
            smoothing=self.label_smoothing,
        )
        return Batch(checked, shape[0] if kept is None else int(np.count_nonzero(kept)))

    def _n_classes(self, shape: tuple[int, ...]) -> int:
        if len(shape) == 2:
            return shape[1]
        if self.loss.properties.response != "latent":
            return 2
        thresholds = getattr(self.loss, "thresholds", None)
        if thresholds is None:
            raise InputError(
                f"{self.loss.name} needs thresholds here, which determine the number of "
                f"classes; pass thresholds="
            )
        return len(thresholds) + 1

    def _class_numbers(
        self, target: Array, shape: tuple[int, ...], n_classes: int
    ) -> tuple[KnownTargets, NDArray[np.bool_] | None]:
        """Targets ``(n,)``, and which rows are not ignored; None for all."""
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
                    both = np.stack([1.0 - share, share], axis=1)
                    return KnownTargets(distribution=both), kept
            if (numbers != np.floor(numbers)).any():
                raise InputError(f"target must hold class numbers; got {numbers.max()}")
        index = numbers.astype(np.intp)
        low, high = index.min(), index.max()
        if low < 0 or high >= n_classes:
            raise InputError(
                f"target must hold class numbers from 0 to {n_classes - 1} for input of shape "
                f"{shape}; got {low if low < 0 else high}: pass it as ignore_index if it is not a "
                f"class"
            )
        return KnownTargets(index), kept

    def _distributions(self, target: Array) -> KnownTargets:
        """Targets with a column for each class: class numbers if each row has one class."""
        if self.ignore_index is not None:
            raise InputError(
                f"ignore_index={self.ignore_index} is for class numbers; target of shape "
                f"{target.shape} has a column for each class: give those rows weight 0"
            )
        soft = within_unit(target, "target")
        _check_row_sums(soft, "target", np.dtype(np.float32))
        one_hot = (soft.max(axis=1) == 1.0).all()
        if one_hot and self.loss.properties.targets != "labels":
            return KnownTargets(soft.argmax(axis=1))
        return KnownTargets(distribution=soft)

    # -- values ----------------------------------------------------------------------------

    def values_gradient(
        self, predicted: Array, batch: Batch, *, gradient: bool = True
    ) -> tuple[Array, Array | None]:
        """Value of each row, not weighted, and its derivative in the predictions if wanted."""
        self._check(predicted)
        raw, factor = predicted, None
        if not self.from_logits:
            raw, factor, _ = self.loss.scores_of(predicted.astype(np.float64), CLIP)
        values = np.empty(len(predicted), dtype=predicted.dtype)
        slopes = np.empty_like(predicted) if gradient else None
        for rows, block in batch.checked.blocks(raw, score_kind(self.loss)):
            if slopes is None:
                values[rows] = row_values(self.loss, block)
                continue
            values[rows], by_class = row_loss_gradient(self.loss, block)
            part = by_class[-1] if predicted.ndim == 1 else by_class.T
            slopes[rows] = part if factor is None else part * factor[rows]
        return values, slopes

    def _check(self, predicted: Array) -> None:
        finite = np.isfinite(predicted)
        if not finite.all():
            row = int(np.flatnonzero(~finite.reshape(len(predicted), -1).all(axis=1))[0])
            raise InputError(
                f"input must be finite; row {row} is {predicted[row].tolist()}: if the training "
                f"has diverged, lower its learning rate"
            )
        if self.from_logits:
            return
        within_unit(predicted, "input with from_logits=False")
        if predicted.ndim == 2 and not self.multilabel:
            _check_row_sums(predicted, "input with from_logits=False", predicted.dtype)


def _check_row_sums(values: Array, name: str, dtype: np.dtype[np.floating[Any]]) -> None:
    """Raise an InputError where a row does not sum to 1 in the precision of a dtype."""
    off = np.abs(values.sum(axis=1) - 1.0)
    if off.max() > row_sum_tolerance(dtype):
        row = int(off.argmax())
        raise InputError(f"rows of {name} must sum to 1; row {row} is {values[row].tolist()}")


def of_shape(values: Array, shape: tuple[int, ...], name: str = "target") -> Array:
    """Array of a shape, or with a last axis of 1 more."""
    if values.shape == (*shape, 1):
        values = values[..., 0]
    if values.shape != shape:
        raise InputError(f"{name} must have shape {shape}, that of the input; got {values.shape}")
    return values


def within_unit(values: Array, name: str) -> FloatArray:
    """Numbers of [0, 1], as float64."""
    if not (values.min() >= 0.0 and values.max() <= 1.0):
        outside = values[~((values >= 0.0) & (values <= 1.0))]
        raise InputError(f"{name} must lie in [0, 1]; got {outside.flat[0]}")
    return np.asarray(values, dtype=np.float64)
