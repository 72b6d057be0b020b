"""The key `calibration`: which candidates it adds, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

from tests.experiments.config.test_config import compose
from tests.support.records import credit_data
from xentexp.errors import InputError
from xentexp.experiments import (
    CalibratedClassifier,
    Candidate,
    CrossValidation,
    make_dataset,
    run_experiment,
    tabular_pipeline,
)
from xentexp.experiments._analysis import matrices_of
from xentexp.experiments._config.calibration import calibrated_candidates
from xentexp.experiments._config.study import build
from xentexp.experiments._folds import rows_of_all
from xentexp.experiments._record import model_record
from xentexp.experiments.datasets import Dataset
from xentexp.tuning import TunedClassifier, read_space

SMALL = ["dataset=simulated_delinquency", "dataset.n_samples=300", "cv.n_splits=3"]
LOG_LOSS = ["losses=[categorical_crossentropy]", "metrics=[]", "leakage.check=warn"]


def study_of(*overrides: str) -> Any:
    return build(compose(*SMALL, *LOG_LOSS, *overrides))


def names(study: Any) -> list[str]:
    return [candidate.name for candidate in study.candidates]


def test_each_model_that_is_not_constant_is_followed_by_its_calibrations() -> None:
    study = study_of("models=[prior,logistic,linear_svm]", "calibration=[isotonic,sigmoid]")
    assert names(study) == [
        "prior",
        "logistic",
        "logistic_isotonic",
        "logistic_sigmoid",
        "linear_svm",
        "linear_svm_isotonic",
        "linear_svm_sigmoid",
    ]
    made = study.candidates[2]
    assert made.parameters["calibration.of"] == "logistic"
    assert made.parameters["calibration.method"] == "isotonic"
    assert made.parameters["calibration.folds"] == 5
    assert made.parameters["classifier.C"] == 1.0
    last = made.estimator[-1]
    assert isinstance(last, CalibratedClassifier)
    assert (last.method, last.cv, last.random_state) == ("isotonic", 5, 0)
    assert list(made.space) == ["classifier__estimator__C"]
    assert not isinstance(study.candidates[1].estimator[-1], CalibratedClassifier)


def test_without_calibration_nothing_is_added_and_the_hash_stays() -> None:
    words = ["models=[prior,logistic]"]
    plain, off = study_of(*words), study_of(*words, "calibration=null")
    config = compose(*SMALL, *LOG_LOSS, *words)
    del config["calibration"]  # as in a configuration of an earlier version
    earlier = build(config)
    assert names(plain) == names(off) == names(earlier) == ["prior", "logistic"]
    assert plain.config_hash == off.config_hash == earlier.config_hash
    one, listed = study_of(*words, "calibration=sigmoid"), study_of(*words, "calibration=[sigmoid]")
    assert one.config_hash == listed.config_hash != plain.config_hash
    assert study_of(*words, "calibration=isotonic").config_hash != one.config_hash


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["calibration=platt"], "unknown calibration 'platt'"),
        (["calibration=isotonc"], "did you mean 'isotonic'"),
        (["calibration=[]"], "calibration must be .*a list of different ones, or null; got"),
        (["calibration=3"], "calibration must be sigmoid, isotonic, temperature, a list"),
        (
            ["calibration=[sigmoid,sigmoid]"],
            "calibration must be .*a list of different ones, or null; got",
        ),
        (
            ["calibration=sigmoid", "models=[prior]"],
            "calibration needs at least one model that is not constant; got prior; add a model",
        ),
    ],
)
def test_bad_values_are_errors(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        study_of("models=[logistic]", *overrides)


def test_a_model_that_is_named_like_a_calibrated_one_is_an_error() -> None:
    config = compose(*SMALL, *LOG_LOSS, "models=[logistic]", "calibration=sigmoid")
    config["models"]["logistic_sigmoid"] = config["models"]["logistic"]
    with pytest.raises(
        InputError,
        match="models must not be named like a calibrated model; got logistic_sigmoid, the name of "
        "logistic with calibration=sigmoid; rename the model file, or leave it out",
    ):
        build(config)


def test_too_few_rows_of_a_class_are_an_error_before_the_fits(table_csv: Path) -> None:
    frame = pd.read_csv(table_csv)
    frame.loc[:5, "grade"] = 9  # six rows, of which four are in each training part
    frame.to_csv(table_csv, index=False)
    words = ["dataset=table", "dataset.path=table.csv", "dataset.target=grade", "cv.n_splits=3"]
    words += ["models=[logistic]", "calibration=sigmoid"]
    with pytest.raises(
        InputError,
        match="calibration needs at least 5 rows of each class in the training part of each fold, "
        "one for each inner fold; class 9 has 4 rows in fold 0; set calibration=null, or set "
        r"dataset.rare=drop .* with dataset.rare_below=10",
    ):
        build(compose(*words))
    dropped = build(compose(*words, "dataset.rare=drop", "dataset.rare_below=10"))
    assert names(dropped) == ["logistic", "logistic_sigmoid"]


# -- inner folds --------------------------------------------------------------------------------


def credits(n_classes: int, **changes: Any) -> Dataset:
    data = credit_data(300, n_classes)
    X = data.X.assign(month=np.arange(300)[::-1] // 3)  # the last rows are the earliest
    return make_dataset(X, data.y, data.card, **changes)


PEOPLE = pd.Series(np.random.default_rng(1).integers(0, 80, 300))
CASES = {
    "random": (credits(2), CrossValidation(n_splits=3)),
    "three classes": (credits(3), CrossValidation(n_splits=3)),
    "groups of the data set": (
        credits(2, groups=PEOPLE),
        CrossValidation("grouped", n_splits=3),
    ),
    "random folds that share entities": (credits(3, groups=PEOPLE), CrossValidation(n_splits=3)),
    "groups by a column": (
        credits(2),
        CrossValidation("grouped", n_splits=3, groups=["month"]),
    ),
    "time order": (
        credits(2),
        CrossValidation("time_ordered", n_splits=3, time_column="month"),
    ),
}


def by_hand(data: Dataset, method: str, rows: Any, test: Any, splits: Any) -> Any:
    """Probabilities by scikit-learn, with the preprocessing of the whole training part."""
    X, y = data.X, data.y.to_numpy()
    preprocessing = tabular_pipeline(LogisticRegression())[:-1]
    model = CalibratedClassifierCV(
        LogisticRegression(), method=method, cv=list(splits), ensemble=False
    ).fit(preprocessing.fit_transform(X.iloc[rows]), y[rows])
    return model.predict_proba(preprocessing.transform(X.iloc[test]))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("case", CASES)
def test_out_of_fold_predictions_equal_scikit_learn_by_hand(case: str, method: str) -> None:
    data, cv = CASES[case]
    plain = Candidate("logistic", tabular_pipeline(LogisticRegression()))
    candidates = calibrated_candidates([plain], [method], cv_kind=cv.kind, seed=3)
    assert [candidate.name for candidate in candidates] == ["logistic", f"logistic_{method}"]
    result = run_experiment(
        data, candidates, cv, losses=["brier_loss"], metrics=[], primary="brier_loss"
    )
    groups = {
        "groups of the data set": PEOPLE.to_numpy(),
        "random folds that share entities": PEOPLE.to_numpy(),
        "groups by a column": data.X["month"].to_numpy(),
    }.get(case)
    for prediction in result.candidate_results[1].predictions:
        train, test = prediction.fold.train, prediction.fold.test
        y = data.y.to_numpy()[train]
        if case == "time order":
            months = data.X["month"].to_numpy()
            assert (np.diff(months[train]) >= 0).all()
            assert months[train].max() < months[test].min()
            splits = list(KFold(5).split(train))
        elif groups is None:
            splits = list(StratifiedKFold(5, shuffle=True, random_state=3).split(y, y))
        else:
            own = groups[train]
            grouped = StratifiedGroupKFold(5, shuffle=True, random_state=3)
            splits = list(grouped.split(y, y, prediction.fold.groups))
            assert all(not set(own[a]) & set(own[b]) for a, b in splits)
        expected = by_hand(data, method, train, test, splits)
        np.testing.assert_array_equal(prediction.proba, expected)


def test_a_fit_on_all_rows_has_the_entities_and_the_time_order() -> None:
    data, cv = CASES["groups by a column"]
    rows, groups = rows_of_all(data, cv.folds(data))
    assert rows.tolist() == list(range(300))
    assert pd.Series(groups).groupby(data.X["month"]).nunique().eq(1).all()
    assert len(set(groups)) == 100
    data, cv = CASES["time order"]
    rows, groups = rows_of_all(data, cv.folds(data))
    assert groups is None
    assert sorted(rows) == list(range(300))
    assert (np.diff(data.X["month"].to_numpy()[rows]) >= 0).all()
    data, cv = CASES["random"]
    assert rows_of_all(data, cv.folds(data))[1] is None


# -- searches and training losses ---------------------------------------------------------------


def test_a_search_calibrates_inside_and_its_space_is_that_of_the_inner_classifier(
    workplace: Path,
) -> None:
    study = study_of("experiment=tune", "models=[logistic]", "calibration=sigmoid")
    assert names(study) == [
        "logistic",
        "logistic_sigmoid",
        "logistic_tuned",
        "logistic_tuned_sigmoid",
    ]
    tuned, both = study.candidates[2:]
    assert isinstance(both.estimator, TunedClassifier)
    assert isinstance(both.estimator.estimator[-1], CalibratedClassifier)
    assert both.estimator.study_name == "logistic_tuned_sigmoid"
    assert dict(both.estimator.space) == {
        "classifier__estimator__C": tuned.estimator.space["classifier__C"]
    }
    assert (
        both.parameters["space.classifier.estimator.C"] == (tuned.parameters["space.classifier.C"])
    )
    assert "space.classifier.C" not in both.parameters
    assert both.parameters["calibration.of"] == "logistic_tuned"
    read_space(both.estimator.space, both.estimator.estimator)


def test_a_training_loss_is_kept_and_the_matrix_has_the_calibrated_models_apart() -> None:
    study = study_of(
        "models=[linear]", "train_on=[brier_loss,exponential_loss]", "calibration=temperature"
    )
    assert names(study) == [
        "linear[brier_loss]",
        "linear[brier_loss]_temperature",
        "linear[exponential_loss]",
        "linear[exponential_loss]_temperature",
    ]
    first, made = study.candidates[:2]
    assert made.trained_on == first.trained_on
    assert (first.family, made.family) == ("linear", "linear_temperature")
    assert made.parameters["family"] == "linear_temperature"
    assert made.estimator[-1].estimator.loss == "brier_loss"
    assert study.candidates[2].variants
    assert not study.candidates[3].variants
    result = run_experiment(
        study.dataset,
        study.candidates,
        study.folds,
        losses=["categorical_crossentropy", "brier_loss"],
        metrics=[],
    )
    models = [model_record(item, study.dataset) for item in result.candidate_results]
    matrices = {matrix.model: matrix for matrix in matrices_of(models)}
    assert set(matrices) == {"linear", "linear_temperature"}
    labels = [row.label for row in matrices["linear_temperature"].rows]
    assert labels == ["brier_loss", "exponential_loss"]
    means = {m.name: np.mean(m.fold_values["brier_loss"]) for m in models}
    for row, cells in zip(
        matrices["linear_temperature"].rows, matrices["linear_temperature"].cells, strict=True
    ):
        column = matrices["linear_temperature"].columns.index("brier_loss")
        assert cells[column].mean == pytest.approx(means[f"linear[{row.loss}]_temperature"])
