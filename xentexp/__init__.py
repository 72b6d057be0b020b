"""Cross-entropy and the losses one compares it with, for classifiers on tables.

Submodules and names are imported when they are first used:

- :mod:`xentexp.metrics`: a function for each loss and metric, and `evaluate` for many at once;
- :mod:`xentexp.losses`: `Loss` and `register_loss`; `get_loss` finds a loss by name;
- :mod:`xentexp.scorers`: scorers for ``scoring=`` in scikit-learn;
- :mod:`xentexp.objectives`: losses as training objectives of boosters and torch;
- :mod:`xentexp.estimators`: scikit-learn classifiers with a ``loss`` parameter;
- :mod:`xentexp.tuning`: hyperparameter search for any loss;
- :mod:`xentexp.inference`: paired comparisons and tests;
- :mod:`xentexp.experiments`: cross-validated comparisons of models, as in ``xentexp run``;
- :mod:`xentexp.errors`: `InputError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xentexp import errors as errors
    from xentexp import estimators as estimators
    from xentexp import experiments as experiments
    from xentexp import inference as inference
    from xentexp import losses as losses
    from xentexp import metrics as metrics
    from xentexp import objectives as objectives
    from xentexp import scorers as scorers
    from xentexp import tuning as tuning
    from xentexp.errors import InputError as InputError
    from xentexp.losses import Loss as Loss
    from xentexp.losses import Properties as Properties
    from xentexp.losses import register_loss as register_loss
    from xentexp.metrics import Evaluation as Evaluation
    from xentexp.metrics import evaluate as evaluate
    from xentexp.metrics import get_loss as get_loss
    from xentexp.metrics import get_metric as get_metric

__version__ = "0.1.0"

__all__ = [
    "Evaluation",
    "InputError",
    "Loss",
    "Properties",
    "__version__",
    "errors",
    "estimators",
    "evaluate",
    "experiments",
    "get_loss",
    "get_metric",
    "inference",
    "losses",
    "metrics",
    "objectives",
    "register_loss",
    "scorers",
    "tuning",
]

_MODULE_OF = {
    "Evaluation": "metrics",
    "InputError": "errors",
    "Loss": "losses",
    "Properties": "losses",
    "evaluate": "metrics",
    "get_loss": "metrics",
    "get_metric": "metrics",
    "register_loss": "losses",
}


def _import_public(name: str) -> Any:
    """A public name, imported when it is first used: the command starts without NumPy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f"{__name__}.{_MODULE_OF.get(name, name)}")
    found = globals()[name] = getattr(module, name) if name in _MODULE_OF else module
    return found


if not TYPE_CHECKING:  # type checkers read the imports above, and find a mistyped name
    __getattr__ = _import_public


def __dir__() -> list[str]:
    return sorted(__all__)
