"""Cross-entropy and related losses for classifiers of tabular data, compatible with scikit-learn.

- :mod:`xentexp.metrics`: a function for each loss and metric, and `evaluate` to compute many;
- :mod:`xentexp.losses`: `Loss`, the base class of losses, and `register_loss`, to add a loss;
- :mod:`xentexp.scorers`: scorers for the parameter ``scoring`` of scikit-learn;
- :mod:`xentexp.objectives`: losses as training objectives of LightGBM, XGBoost, CatBoost, torch;
- :mod:`xentexp.estimators`: scikit-learn classifiers with a parameter ``loss``;
- :mod:`xentexp.tuning`: a classifier that searches its hyperparameters for the best loss;
- :mod:`xentexp.inference`: paired comparisons of models over folds, and their tests;
- :mod:`xentexp.displays`: figures of predictions, as scikit-learn's display classes;
- :mod:`xentexp.experiments`: cross-validated comparisons of models, as in ``xentexp run``;
- :mod:`xentexp.errors`: `InputError`, which all invalid input raises.

`evaluate`, `Evaluation`, `get_loss`, `get_metric`, `Loss`, `Properties`, `register_loss` and
`InputError` can be imported from `xentexp` directly. Modules are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentexp._lazy_names import on_first_use

if TYPE_CHECKING:
    from xentexp import displays as displays
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

_NAMES = {
    "displays": (),
    "errors": ("InputError",),
    "estimators": (),
    "experiments": (),
    "inference": (),
    "losses": ("Loss", "Properties", "register_loss"),
    "metrics": ("Evaluation", "evaluate", "get_loss", "get_metric"),
    "objectives": (),
    "scorers": (),
    "tuning": (),
}

if not TYPE_CHECKING:  # type checkers read the imports above, and find a mistyped name
    __getattr__, __dir__, __all__ = on_first_use(__name__, _NAMES, modules=True)
    __all__ += ["__version__"]
