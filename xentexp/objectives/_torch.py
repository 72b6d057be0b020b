"""A loss as a torch module, for a training loop, skorch or Lightning.

Only ``from xentexp.objectives import TorchLoss`` imports this file, and with it torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp._inputs.checked import CheckedInput, PlannedInput
from xentexp._inputs.columns import known_scores, row_sum_tolerance
from xentexp._inputs.labels import KnownTargets, to_class_weight
from xentexp._inputs.options import check_bool, refuse_unordered
from xentexp._numerics import Array, FloatArray, sigmoid
from xentexp.errors import InputError, import_extra, unknown_name
from xentexp.losses import Loss
from xentexp.losses._base import determines_proba, row_loss_gradient, row_values
from xentexp.objectives._objective import check_smoothing, get_differentiable_loss, score_kind

import_extra("torch", "TorchLoss")
import torch  # noqa: E402

REDUCTIONS = ("mean", "sum", "sum_over_batch_size", "none")
_HALVES = (torch.float16, torch.bfloat16)


class TorchLoss(torch.nn.Module):  # type: ignore[misc]
    """Any loss as a torch module, for use as the criterion of a training loop.

    The module returns the same values and gradients as the metrics of xentexp. They are computed in
    float64 on the CPU and returned in the dtype and on the device of the input. It works in a plain
    training loop, in skorch and in Lightning.

    Parameters
    ----------
    loss : str or Loss, default="categorical_crossentropy"
        Loss to compute: its name, the name that another library uses for it (for example
        ``"log_loss"``), or an object from `xentexp.get_loss`. It must have a gradient. Losses of
        classes and multilabel losses are possible.
    from_logits : bool, default=True
        True if the input holds raw scores. False if the input holds probabilities, such as the
        output of a softmax; probabilities below 1e-7 count as 1e-7 and have the gradient 0, as in
        Keras. Losses of decision scores, such as hinge losses, require True.
    class_weight : dict, array-like of shape (k,) or None, default=None
        Weight of each class, by class number. A mapping may omit classes; their weight is 1. The
        weight of a row is multiplied by the weight of its class; for a soft target by the mean of
        the class weights under the target, before label smoothing. It is not available for
        multilabel losses, and ``"balanced"`` is not available, because a batch does not contain all
        training rows.
    label_smoothing : float, default=0.0
        Fraction of the target, between 0 and 1, that is spread evenly over the classes. 0 uses the
        target unchanged.
    ignore_index : int or None, default=None
        Class number that marks rows to ignore, for example -100. Ignored rows get the weight 0.
        None ignores no row. It is not available for multilabel losses.
    reduction : {"mean", "sum", "sum_over_batch_size", "none"}, default="mean"
        How the weighted losses of the rows are combined.

        - ``"mean"`` divides their sum by the sum of the weights, as torch does.
        - ``"sum"`` returns their sum.
        - ``"sum_over_batch_size"`` divides their sum by the number of rows that are not ignored, as
          Keras does by default.
        - ``"none"`` returns the weighted loss of each row.

        ``"mean"`` and ``"sum_over_batch_size"`` return 0 for a batch whose weights are all 0.
    **loss_params : object
        Parameters of the loss if `loss` is a name, for example ``gamma=2.0``.

    Raises
    ------
    InputError
        If torch is not installed, if a name or a parameter is unknown, if the loss has no gradient
        or no target, or if options do not fit the loss.

    See Also
    --------
    xentexp.estimators.NetworkLossClassifier : Neural network classifier that trains on any loss.
    xentexp.objectives.TrainingObjective : The same loss on NumPy arrays.

    Notes
    -----
    With weights ``w_i``, targets ``t_i`` and scores ``s_i``, the reduction ``"mean"`` is
    ``sum_i w_i l(t_i, s_i) / sum_i w_i``; ``w_i`` is the product of sample weight and class weight.

    With ``from_logits=False`` a row ``p`` is read as the scores ``log p``. The row is normalized,
    and the gradient is the one along the probability simplex, as in Keras. The gradient of torch's
    ``NLLLoss(log p)`` differs from it by the same number in each column; the backward pass through
    a softmax removes this difference.

    A raw score of ``-inf`` masks a class: its probability is 0, and the loss of a row whose true
    class is masked may be infinite, as in torch. Each row needs a finite score.

    The module cannot be differentiated twice: that raises an error, because xentexp computes only
    the diagonal of the hessian.

    skorch knows the softmax of ``CrossEntropyLoss`` but not that of other modules: without
    ``predict_nonlinearity``, its `predict_proba` returns raw scores. Pass the method
    `probabilities`::

        criterion = TorchLoss("brier_loss")
        skorch.NeuralNetClassifier(
            module, criterion=criterion, predict_nonlinearity=criterion.probabilities
        )

    Examples
    --------
    >>> import torch
    >>> from xentexp.objectives import TorchLoss
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
        """Compute the loss of a batch.

        Parameters
        ----------
        input : Tensor of shape (n,), (n, 1), (n, k) or (n, k, d1, ...)
            Raw scores, or probabilities if ``from_logits=False``. One column holds the scores of
            the second of two classes. As in torch, the second axis is that of the classes, and
            each of the positions ``(n, d1, ...)`` is a row. Values are finite, except raw scores
            of ``-inf`` for masked classes. For half-precision input (float16, bfloat16) the result
            is float32.
        target : Tensor of shape (n,), (n, 1), (n, k), (n, d1, ...) or (n, k, d1, ...)
            Class numbers 0 to k - 1, or one-hot or soft targets with one column per class, if the
            loss allows them. For input with one column also the probability of the second class,
            as in BCELoss. For a multilabel loss one column of numbers in [0, 1] per label.
        sample_weight : Tensor of shape (n,) or (n, d1, ...), default=None
            Weight of each row, finite and not negative; with shape (n,) for all positions of a
            sample. None gives every row the weight 1. Weights get no gradient.

        Returns
        -------
        Tensor of shape (), (n,) or (n, d1, ...)
            Reduced loss; with ``reduction="none"`` the weighted loss of each row.

        Raises
        ------
        InputError
            If shapes, dtypes or values of input, target or weights do not fit the loss, or if the
            input is not finite.
        """
        self._check_shape(input)
        scores = input.float() if input.dtype in _HALVES else input
        targets = _array(target)
        weight = None if sample_weight is None else _array(sample_weight)
        positions = (len(input), *input.shape[2:])
        if input.ndim > 2:
            targets = _target_rows(targets, tuple(input.shape))
            weight = None if weight is None else _weight_rows(weight, positions)
            scores = scores.movedim(1, -1).reshape(-1, input.shape[1])
        if scores.ndim == 2 and scores.shape[1] == 1 and not self.batch_loss.multilabel:
            scores = scores[:, 0]
        batch = self.batch_loss.read(targets, tuple(scores.shape), weight)
        values = _RowValues.apply(scores, self.batch_loss, batch, torch.is_grad_enabled())
        reduced = self._reduced(values, batch)
        return reduced.reshape(positions) if self.reduction == "none" else reduced

    def _check_shape(self, input: Any) -> None:
        multilabel = self.batch_loss.multilabel
        if not isinstance(input, torch.Tensor) or not input.is_floating_point():
            dtype = input.dtype if isinstance(input, torch.Tensor) else type(input).__name__
            raise InputError(f"input must be a tensor of a floating dtype; got {dtype}")
        if input.ndim < (2 if multilabel else 1) or input.numel() == 0:
            shapes = "(n, k) or (n, k, d1, ...)"
            shapes = shapes if multilabel else f"(n,), {shapes}"
            raise InputError(
                f"input must have shape {shapes} and at least one row; got {tuple(input.shape)}"
            )

    def probabilities(self, input: Any) -> Any:
        """Compute class probabilities from outputs of the network.

        It is the `predict_nonlinearity` for skorch, see Notes of the class.

        Parameters
        ----------
        input : Tensor of shape (n,), (n, 1), (n, k) or (n, k, d1, ...)
            Raw scores, or probabilities if ``from_logits=False``, as for the loss itself.

        Returns
        -------
        Tensor of shape (n, k) or (n, k, d1, ...)
            Probabilities by the link of the loss: the softmax for most losses, the sigmoid of each
            column for a multilabel loss. One column of input becomes one column for each class.
            They get no gradient.

        Raises
        ------
        InputError
            If the scores of the loss do not determine probabilities (as those of hinge losses), or
            if the input is not valid.

        Examples
        --------
        >>> import torch
        >>> from xentexp.objectives import TorchLoss
        >>> TorchLoss("binary_focal_crossentropy").probabilities(torch.tensor([0.0, 800.0]))
        tensor([[0.5000, 0.5000],
                [0.0000, 1.0000]])
        """
        self._check_shape(input)
        scores = _array(input)
        by_class = scores[np.newaxis] if scores.ndim == 1 else np.moveaxis(scores, 1, 0)
        flat = self.batch_loss.probabilities(by_class.reshape(len(by_class), -1))
        proba = np.moveaxis(flat.reshape(len(flat), *by_class.shape[1:]), 0, 1)
        return torch.from_numpy(proba.copy()).to(input)

    def _reduced(self, values: Any, batch: Batch) -> Any:
        weight, divisor = batch.checked.row_weight, float(batch.n_rows)
        if self.reduction == "mean" and weight is not None:
            divisor = float(weight.sum())
        if self.reduction in ("none", "sum") or divisor == 0.0:
            divisor = 1.0
        if weight is not None:
            # Divide in float64 first: large weights would overflow in the dtype of the values.
            scale = torch.from_numpy(np.asarray(weight / divisor)).to(values)
            # An infinite value of weight 0 counts as 0.
            values = torch.where(scale > 0.0, values * scale, 0.0)
        elif divisor != 1.0:
            values = values / divisor
        return values if self.reduction == "none" else values.sum()

    def extra_repr(self) -> str:
        """Text that torch shows in the representation of the module.

        Returns
        -------
        str
            Loss with its parameters, and the reduction.
        """
        return f"{self.batch_loss.loss!r}, reduction={self.reduction!r}"


class _RowValues(torch.autograd.Function):  # type: ignore[misc]
    """Loss of each row, with the gradient that xentexp computes."""

    @staticmethod
    def forward(ctx: Any, scores: Any, loss: BatchLoss, batch: Batch, grad: bool) -> Any:
        needs_gradient = grad and ctx.needs_input_grad[0]
        values, gradient = loss.values_gradient(_array(scores), batch, gradient=needs_gradient)
        if gradient is not None:
            ctx.save_for_backward(scores, torch.from_numpy(gradient).to(scores.device))
        return torch.from_numpy(values).to(scores.device)

    @staticmethod
    def backward(ctx: Any, grad_values: Any) -> Any:
        return _Gradient.apply(*ctx.saved_tensors, grad_values), None, None, None


class _Gradient(torch.autograd.Function):  # type: ignore[misc]
    """Gradient as a function of the scores, so that a second derivative raises an error."""

    @staticmethod
    def forward(ctx: Any, scores: Any, gradient: Any, grad_values: Any) -> Any:
        return (grad_values[:, None] if gradient.ndim == 2 else grad_values) * gradient

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        raise InputError(
            "TorchLoss does not support second derivatives, because xentexp computes only the "
            "diagonal of the hessian; use a loss of torch to differentiate the gradient"
        )


def _array(values: Any) -> NDArray[Any]:
    """Tensor as an array in main memory; no copy if the tensor is on the CPU."""
    tensor = torch.as_tensor(values).detach()
    if tensor.dtype in _HALVES:
        tensor = tensor.float()
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


def _target_rows(target: Array, shape: tuple[int, ...]) -> Array:
    """Targets of each position of an input of shape (n, k, d1, ...): (m,) or (m, k)."""
    n, k, *rest = shape
    if target.shape == (n, *rest):
        return target.reshape(-1)
    if target.shape == shape:
        by_row = np.moveaxis(target, 1, -1).reshape(-1, k)
        return by_row[:, 0] if k == 1 else by_row
    raise InputError(
        f"target must have shape {(n, *rest)} or {shape} to match the input; got {target.shape}"
    )


def _weight_rows(weight: Array, positions: tuple[int, ...]) -> Array:
    """Weights of each position from weights of positions, or of samples."""
    if weight.shape == positions[:1]:
        weight = weight.reshape(-1, *(1,) * (len(positions) - 1))
        return np.broadcast_to(weight, positions).reshape(-1)
    if weight.shape != positions:
        raise InputError(
            f"sample_weight must have shape {positions[:1]} or {positions} to match the input; got "
            f"{weight.shape}"
        )
    return weight.reshape(-1)


CLIP = 1e-7
"""Smallest probability, ``keras.config.epsilon()``; lower ones get the gradient 0."""


class Batch(NamedTuple):
    """Checked targets and weights of a batch."""

    checked: CheckedInput
    n_rows: int  # without the ignored rows


@dataclass(frozen=True)
class BatchLoss:
    """A loss and its options, on NumPy arrays; `TorchLoss` and the network classifier use it."""

    loss: Loss
    from_logits: bool = True
    class_weight: Mapping[int, float] | ArrayLike | None = None
    label_smoothing: float = 0.0
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        name = self.loss.name
        if self.loss.properties.targets == "none":
            raise InputError(
                f"loss must have a target; got {name}, which has none; choose another loss for "
                f"training"
            )
        check_smoothing(self.loss, self.label_smoothing)
        check_bool("from_logits", self.from_logits)
        if not self.from_logits and score_kind(self.loss) == "decision":
            raise InputError(
                f"from_logits must be True for {name}, because it is a loss of decision scores; "
                f"got {self.from_logits!r}"
            )
        if isinstance(self.class_weight, str):
            raise InputError(
                f"class_weight must be a mapping or one number for each class, because a batch "
                f"does not contain all training rows; got {self.class_weight!r}; pass the weights, "
                f"e.g. {{0: 1.0, 1: 3.5}}"
            )
        refuse_unordered("class_weight", self.class_weight)
        if self.class_weight is not None and self.multilabel:
            raise InputError(
                f"class_weight must be None for {name}, because its columns are labels and not "
                f"classes; got {self.class_weight!r}"
            )
        ignored = self.ignore_index
        if ignored is not None and (isinstance(ignored, bool) or not isinstance(ignored, Integral)):
            raise InputError(f"ignore_index must be an integer or None; got {ignored!r}")
        if ignored is not None and self.multilabel:
            raise InputError(
                f"ignore_index must be None for {name}, because its targets are not class numbers; "
                f"got {ignored!r}; give rows to ignore the sample weight 0"
            )

    @property
    def multilabel(self) -> bool:
        """Whether the columns are independent labels and not classes."""
        return self.loss.properties.targets == "multilabel"

    # -- targets ---------------------------------------------------------------------------

    def read(
        self, target: Array, shape: tuple[int, ...], sample_weight: Array | None = None
    ) -> Batch:
        """Check targets and weights of a batch; `shape` is the shape of the predictions."""
        if self.multilabel:
            soft = within_unit(of_shape(target, shape), "target")
            return self._batch(KnownTargets(distribution=soft, columns=True), shape, sample_weight)
        n_classes, not_ignored = self._n_classes(shape), None
        if target.ndim == 2 and target.shape == shape:
            targets = self._distributions(target)
        else:
            targets, not_ignored = self._class_numbers(target, shape, n_classes)
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
            reason = (
                "needs one true class in each row; got a target with proportions of several classes"
            )
        if reason is not None:
            raise InputError(f"{self.loss.name} {reason}")
        return self._batch(targets, shape, sample_weight, not_ignored)

    def _batch(
        self,
        targets: KnownTargets,
        shape: tuple[int, ...],
        sample_weight: Array | None,
        not_ignored: NDArray[np.bool_] | None = None,
    ) -> Batch:
        classes = tuple(range(shape[1] if self.multilabel else self._n_classes(shape)))
        weight = None
        if sample_weight is not None:
            weight = of_shape(sample_weight, shape[:1], "sample_weight").astype(np.float64)
            if not (weight.min() >= 0.0 and weight.max() < np.inf):
                raise InputError(
                    f"sample_weight must be finite and not negative; got {weight.tolist()[:10]}"
                )
        if not_ignored is not None:
            row_mask = not_ignored.astype(np.float64)
            weight = row_mask if weight is None else weight * row_mask
        checked = CheckedInput(
            classes=classes,
            targets=targets,
            weight=weight,
            class_weight=to_class_weight(self.class_weight, classes),
            smoothing=self.label_smoothing,
        )
        n_rows = shape[0] if not_ignored is None else int(np.count_nonzero(not_ignored))
        return Batch(checked, n_rows)

    def _n_classes(self, shape: tuple[int, ...]) -> int:
        if len(shape) == 2:
            return shape[1]
        if self.loss.properties.response != "latent":
            return 2
        thresholds = getattr(self.loss, "thresholds", None)
        if thresholds is None:
            raise InputError(
                f"thresholds must be set for {self.loss.name} with TorchLoss, because they "
                f"determine the number of classes; pass thresholds=, e.g. thresholds=(-1.0, 1.0)"
            )
        return len(thresholds) + 1

    def _class_numbers(
        self, target: Array, shape: tuple[int, ...], n_classes: int
    ) -> tuple[KnownTargets, NDArray[np.bool_] | None]:
        """Targets from shape (n,), and which rows are not ignored (None for all rows)."""
        numbers = of_shape(target, shape[:1])
        not_ignored = None
        if self.ignore_index is not None:
            not_ignored = numbers != self.ignore_index
            numbers = np.where(not_ignored, numbers, 0)
            not_ignored = None if not_ignored.all() else not_ignored
        if numbers.dtype.kind == "f":
            if len(shape) == 2:
                raise InputError(
                    f"target must hold class numbers of an integer dtype for input with "
                    f"{n_classes} columns; got {target.dtype}; convert it with .long()"
                )
            if n_classes == 2:
                probability = within_unit(numbers, "target")  # of the second class, as in BCELoss
                if not np.isin(probability, (0.0, 1.0)).all():
                    soft = np.stack([1.0 - probability, probability], axis=1)
                    return KnownTargets(distribution=soft), not_ignored
            not_whole = numbers[numbers != np.floor(numbers)]
            if not_whole.size:
                raise InputError(f"target must hold integer class numbers; got {not_whole[0]}")
        if numbers.dtype.kind == "b" and n_classes != 2:
            raise InputError(
                f"target must hold integer class numbers for {n_classes} classes; got bool; "
                f"convert it with .long()"
            )
        index = numbers.astype(np.intp)
        low, high = index.min(), index.max()
        if low < 0 or high >= n_classes:
            raise InputError(
                f"target must hold class numbers from 0 to {n_classes - 1} for {n_classes} "
                f"classes; got {low if low < 0 else high}; pass it as ignore_index to ignore these "
                f"rows"
            )
        return KnownTargets(index), not_ignored

    def _distributions(self, target: Array) -> KnownTargets:
        """Targets from one column per class; class numbers if every row is one-hot."""
        if self.ignore_index is not None:
            raise InputError(
                f"ignore_index must be None for a target with one column per class; got "
                f"{self.ignore_index!r} and a target of shape {target.shape}; give rows to ignore "
                f"the sample weight 0"
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
        """Unweighted loss of each row, and its derivative in the predictions if requested."""
        # Both are computed in float64 and stored in the dtype of the predictions.
        self._check(predicted)
        raw, factor = predicted, None
        if not self.from_logits:
            raw, factor, _ = self.loss.scores_of(predicted.astype(np.float64), CLIP)
        values = np.empty(len(predicted), dtype=predicted.dtype)
        slopes = np.empty_like(predicted) if gradient else None
        with np.errstate(over="ignore"):  # a number too large for the dtype is infinite
            for rows, block in batch.checked.blocks(raw, score_kind(self.loss)):
                if slopes is None:
                    values[rows] = row_values(self.loss, block)
                    continue
                values[rows], by_class = row_loss_gradient(self.loss, block)
                part = by_class[-1] if predicted.ndim == 1 else by_class.T
                slopes[rows] = part if factor is None else part * factor[rows]
        return values, slopes

    def probabilities(self, by_class: Array) -> FloatArray:
        """Class probabilities (k, n) from predictions (k, n), or (1, n) of the second class."""
        self._check(by_class[0] if len(by_class) == 1 else by_class.T)
        scores, latent = by_class.astype(np.float64), self.loss.properties.response == "latent"
        if self.multilabel:
            return sigmoid(scores) if self.from_logits else scores
        n_classes = self._n_classes(scores.shape[1:] if len(scores) == 1 else scores.T.shape)
        if not determines_proba(self.loss, n_classes):
            raise InputError(
                f"loss must determine probabilities; got {self.loss.name}, whose scores do not"
            )
        if len(scores) == 1 and not self.from_logits:
            return np.concatenate([1.0 - scores, scores])
        if not self.from_logits:
            return scores
        if len(scores) == 1 and not latent:
            scores = np.concatenate([np.zeros_like(scores), scores])  # first class: score 0
        return self.loss.probabilities(scores, n_classes)

    def _check(self, predicted: Array) -> None:
        valid = np.isfinite(predicted)
        single = score_kind(self.loss) == "decision" and predicted.ndim == 1
        if self.from_logits and not single and not valid.all():
            valid = known_scores(predicted)
        if not valid.all():
            row = int(np.flatnonzero(~valid.reshape(len(predicted), -1).all(axis=1))[0])
            raise InputError(
                f"input must be finite; got {predicted[row].tolist()} in row {row}; if training "
                f"diverges, lower the learning rate; beside a finite raw score, -inf masks a class"
            )
        if self.from_logits:
            return
        within_unit(predicted, "input with from_logits=False")
        if predicted.ndim == 2 and not self.multilabel:
            _check_row_sums(predicted, "input with from_logits=False", predicted.dtype)


def _check_row_sums(values: Array, name: str, dtype: np.dtype[np.floating[Any]]) -> None:
    """Raise an InputError if a row does not sum to 1 in the precision of `dtype`."""
    off = np.abs(values.sum(axis=1) - 1.0)
    if off.max() > row_sum_tolerance(float(np.finfo(dtype).eps)):
        row = int(off.argmax())
        raise InputError(
            f"{name} must have rows that sum to 1; got {values[row].tolist()} in row {row}"
        )


def of_shape(values: Array, shape: tuple[int, ...], name: str = "target") -> Array:
    """Array of `shape`; an additional last axis of length 1 is removed."""
    if values.shape == (*shape, 1):
        values = values[..., 0]
    if values.shape != shape:
        raise InputError(f"{name} must have shape {shape} to match the input; got {values.shape}")
    return values


def within_unit(values: Array, name: str) -> FloatArray:
    """Values as float64, after a check that they lie in [0, 1]."""
    if not (values.min() >= 0.0 and values.max() <= 1.0):
        outside = values[~((values >= 0.0) & (values <= 1.0))]
        raise InputError(f"{name} must lie in [0, 1]; got {outside.flat[0]}")
    return np.asarray(values, dtype=np.float64)
