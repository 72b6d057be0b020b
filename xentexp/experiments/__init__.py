"""Cross-validated comparisons of models on a data set, with any losses and metrics.

`run_experiment` fits every candidate on the same folds and scores its out-of-fold predictions; the
result prints as a table. The command ``xentexp run`` does the same with Hydra and MLflow.

Examples
--------
>>> from sklearn.linear_model import LogisticRegression
>>> from xentexp.experiments import load_dataset, run_experiment, tabular_pipeline
>>> data = load_dataset("simulated_delinquency", n_samples=300)
>>> models = {"logistic": tabular_pipeline(LogisticRegression(max_iter=1000))}
>>> run_experiment(data, models, cv=3, losses=["categorical_crossentropy"], metrics=["gini"])
simulated_delinquency: 300 rows, 3 classes, 3 folds
<BLANKLINE>
...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentexp._lazy_names import on_first_use

if TYPE_CHECKING:
    from xentexp.experiments._calibrated import CalibratedClassifier as CalibratedClassifier
    from xentexp.experiments._compare import run_experiment as run_experiment
    from xentexp.experiments._engines.by_dask import DaskEngine as DaskEngine
    from xentexp.experiments._engines.by_joblib import RayEngine as RayEngine
    from xentexp.experiments._explain import Explain as Explain
    from xentexp.experiments._folds import CrossValidation as CrossValidation
    from xentexp.experiments._leaderboard import Leaderboard as Leaderboard
    from xentexp.experiments._models import EncodedLabels as EncodedLabels
    from xentexp.experiments._models import TextCategories as TextCategories
    from xentexp.experiments._models import tabular_pipeline as tabular_pipeline
    from xentexp.experiments._report import report_page as report_page
    from xentexp.experiments._results import Candidate as Candidate
    from xentexp.experiments._results import CandidateResult as CandidateResult
    from xentexp.experiments._results import ExperimentResult as ExperimentResult
    from xentexp.experiments.datasets import Card as Card
    from xentexp.experiments.datasets import Dataset as Dataset
    from xentexp.experiments.datasets import load_dataset as load_dataset
    from xentexp.experiments.datasets import make_dataset as make_dataset

_NAMES = {
    "_calibrated": ("CalibratedClassifier",),
    "_compare": ("run_experiment",),
    "_engines.by_dask": ("DaskEngine",),
    "_engines.by_joblib": ("RayEngine",),
    "_explain": ("Explain",),
    "_folds": ("CrossValidation",),
    "_leaderboard": ("Leaderboard",),
    "_models": ("EncodedLabels", "TextCategories", "tabular_pipeline"),
    "_report": ("report_page",),
    "_results": ("Candidate", "CandidateResult", "ExperimentResult"),
    "datasets": ("Card", "Dataset", "load_dataset", "make_dataset"),
}

if not TYPE_CHECKING:  # type checkers read the imports above, and find a mistyped name
    __getattr__, __dir__, __all__ = on_first_use(__name__, _NAMES)
