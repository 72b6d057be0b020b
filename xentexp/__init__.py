"""Cross-entropy and the losses one compares it with, for classifiers on tables.

Start with :mod:`xentexp.metrics` (functions), :func:`xentexp.get_loss` (values and
derivatives of raw scores), :mod:`xentexp.scorers` (``scoring=``),
:mod:`xentexp.metrics.evaluation` (many losses in one pass), or the command ``xentexp run``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xentexp.derivatives import CheckedLoss, get_loss
    from xentexp.losses import Loss, Properties, register_loss

__version__ = "0.1.0"

_HOMES = {
    "CheckedLoss": "xentexp.derivatives",
    "Properties": "xentexp.losses",
    "Loss": "xentexp.losses",
    "get_loss": "xentexp.derivatives",
    "register_loss": "xentexp.losses",
}


def __getattr__(name: str) -> Any:
    """Names of the top level, imported when they are used: the command starts without NumPy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


__all__ = ["CheckedLoss", "Loss", "Properties", "__version__", "get_loss", "register_loss"]
