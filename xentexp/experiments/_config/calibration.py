"""The key `calibration`: a calibrated candidate for each model and method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline

from xentexp.errors import InputError
from xentexp.experiments._folds import Fold
from xentexp.experiments._formatting import counted
from xentexp.experiments._results import Candidate
from xentexp.experiments.datasets import Dataset
from xentexp.tuning import TunedClassifier

N_FOLDS = 5
"""Inner folds, whose out-of-fold predictions the calibrator is fitted on."""


def calibrated_candidates(
    candidates: Sequence[Candidate], methods: Sequence[str], *, cv_kind: str, seed: int
) -> tuple[Candidate, ...]:
    """Candidates, with ``NAME_METHOD`` after each ``NAME`` that is not constant, by method."""
    if not methods:
        return tuple(candidates)
    result: list[Candidate] = []
    for candidate in candidates:
        result.append(candidate)
        if not isinstance(_classifier(candidate), DummyClassifier):
            result += [_calibrated(candidate, method, cv_kind, seed) for method in methods]
    if len(result) == len(candidates):
        raise InputError(
            f"calibration needs at least one model that is not constant; got "
            f"{', '.join(candidate.name for candidate in candidates)}; add a model, or set "
            f"calibration=null"
        )
    names = [name for candidate in candidates for name in (candidate.name, *candidate.variants)]
    for made in result:
        if made not in candidates and made.name in names:
            raise InputError(
                f"models must not be named like a calibrated model; got {made.name}, the name of "
                f"{made.parameters['calibration.of']} with calibration="
                f"{made.parameters['calibration.method']}; rename the model file, or leave it out"
            )
    return tuple(result)


def _classifier(candidate: Candidate) -> Any:
    estimator = candidate.estimator
    return (estimator.estimator if isinstance(estimator, TunedClassifier) else estimator)[-1]


def _calibrated(candidate: Candidate, method: str, cv_kind: str, seed: int) -> Candidate:
    from xentexp.experiments._calibrated import CalibratedClassifier  # which imports estimators

    name = f"{candidate.name}_{method}"
    # Rows in time order: blocks of neighbours are predicted from the other blocks. Folds that only
    # train on earlier rows would leave the first block without predictions, and the models of the
    # next ones would have few rows, so that their predictions need another calibration.
    cv = KFold(N_FOLDS) if cv_kind == "time_ordered" else N_FOLDS

    def around(pipeline: Pipeline) -> Pipeline:
        copy = clone(pipeline)
        step, classifier = copy.steps[-1]
        copy.steps[-1] = (
            step,
            CalibratedClassifier(classifier, method=method, cv=cv, random_state=seed),
        )
        return copy

    parameters = dict(candidate.parameters)
    estimator = candidate.estimator
    if isinstance(estimator, TunedClassifier):
        estimator = clone(estimator).set_params(
            estimator=around(estimator.estimator),
            space={_inside(key): dimension for key, dimension in estimator.space.items()},
            study_name=name,
        )
        parameters = {_inside_parameter(key): value for key, value in parameters.items()}
    else:
        estimator = around(estimator)
    family = None if candidate.family is None else f"{candidate.family}_{method}"
    if family is not None:
        parameters["family"] = family
    return replace(
        candidate,
        name=name,
        estimator=estimator,
        parameters={
            **parameters,
            "calibration.of": candidate.name,
            "calibration.method": method,
            "calibration.folds": N_FOLDS,
        },
        variants={},  # of the probabilities before the calibration
        family=family,
        space=None
        if candidate.space is None
        else {_inside(key): dimension for key, dimension in candidate.space.items()},
    )


def _inside(key: str) -> str:
    """Parameter of the classifier as a parameter of the classifier inside the calibration."""
    step, _, rest = key.partition("__")
    return f"{step}__estimator__{rest}"


def _inside_parameter(key: str) -> str:
    start = "space.classifier."
    return f"{start}estimator.{key.removeprefix(start)}" if key.startswith(start) else key


def check_rows_of_classes(methods: Sequence[str], dataset: Dataset, folds: Sequence[Fold]) -> None:
    """Raise an InputError if the training part of a fold has fewer rows of a class than needed."""
    if not methods:
        return
    codes = dataset.y.map({label: i for i, label in enumerate(dataset.classes)}).to_numpy()
    for fold in folds:
        counts = np.bincount(codes[fold.train], minlength=len(dataset.classes))
        few = np.flatnonzero((counts > 0) & (counts < N_FOLDS))
        if not len(few):
            continue
        advice = "set calibration=null"
        if dataset.name == "table":
            advice += (
                f", or set dataset.rare=drop to leave out rare classes or dataset.rare=join to "
                f"make one class of them, with dataset.rare_below={2 * N_FOLDS}"
            )
        raise InputError(
            f"calibration needs at least {N_FOLDS} rows of each class in the training part of each "
            f"fold, one for each inner fold; class {dataset.classes[few[0]]!r} has "
            f"{counted(int(counts[few[0]]), 'row')} in fold {fold.number}; {advice}"
        )
