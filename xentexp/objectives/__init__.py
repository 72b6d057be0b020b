"""What models are trained on: a loss, the rows it is trained on, and each library's own calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xentexp.objectives.training import Training, find_class_weight, find_loss

if TYPE_CHECKING:
    from xentexp.objectives.torch import TorchLoss

__all__ = ["TorchLoss", "Training", "find_class_weight", "find_loss"]


def __getattr__(name: str) -> Any:
    """`TorchLoss`, which needs torch, when it is used."""
    if name != "TorchLoss":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from xentexp.objectives.torch import TorchLoss

    return TorchLoss
