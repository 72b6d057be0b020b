"""Cross-entropy and the losses one compares it with, for classifiers on tables.

Start with :mod:`xentexp.metrics` (functions), :func:`xentexp.get_loss` (values and
derivatives of raw scores), :mod:`xentexp.scorers` (``scoring=``),
:mod:`xentexp.metrics.evaluation` (many losses in one pass), or the command ``xentexp run``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xentexp.losses import Loss, Properties, register_loss
    from xentexp.metrics import Evaluation, evaluate, get_loss, get_metric

__version__ = "0.1.0"

_HOMES = {
    "Evaluation": "xentexp.metrics",
    "Loss": "xentexp.losses",
    "Properties": "xentexp.losses",
    "evaluate": "xentexp.metrics",
    "get_loss": "xentexp.metrics",
    "get_metric": "xentexp.metrics",
    "register_loss": "xentexp.losses",
}


def __getattr__(name: str) -> Any:
    """Names of the top level, imported when they are used: the command starts without NumPy."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


__all__ = [
    "Evaluation",
    "Loss",
    "Properties",
    "__version__",
    "evaluate",
    "get_loss",
    "get_metric",
    "register_loss",
]
