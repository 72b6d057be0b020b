"""A loss as a module of torch: the criterion of a training loop, of skorch, of Lightning.

Not imported with xentexp: ``from xentexp.objectives import TorchLoss`` imports torch then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentexp.derivatives import CheckedLoss
from xentexp.errors import InputError, unknown_name
from xentexp.losses import Loss, get_loss
from xentexp.objectives.batch import BatchLoss
from xentexp.objectives.targets import Targets

try:
    import torch
except ImportError as error:
    raise InputError("TorchLoss needs torch; pip install 'xentexp[torch]'") from error

REDUCTIONS = ("mean", "sum", "sum_over_batch_size", "none")
_HALVES = (torch.float16, torch.bfloat16)


class TorchLoss(torch.nn.Module):  # type: ignore[misc]
    """A loss of the table as a torch module: its own values, its own gradient.

    The values are computed from the one definition, in float64 on the CPU, and returned in the
    dtype and on the device of the input. Backward is the loss's gradient; of the hessian the
    diagonal alone is known, so that a second backward is refused.

    Parameters
    ----------
    loss : str, Loss or CheckedLoss
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
        loss: str | Loss | CheckedLoss = "categorical_crossentropy",
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
            get_loss(loss, **loss_params),  # type: ignore[arg-type]
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
        of_columns = self.batch_loss.definition.facts.targets == "multilabel"
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
