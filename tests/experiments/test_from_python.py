"""An experiment from Python or a notebook: plain estimators, and a result that prints."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from sklearn.datasets import load_wine
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from xentexp import InputError, experiments, get_metric
from xentexp.experiments import (
    Candidate,
    CandidateResult,
    Card,
    CrossValidation,
    ExperimentResult,
    load_dataset,
    make_dataset,
    run_experiment,
    tabular_pipeline,
)
from xentexp.experiments._leaderboard import SHOWN


@pytest.fixture(scope="module")
def data():
    return load_dataset("simulated_delinquency", n_samples=300)


@pytest.fixture(scope="module")
def models():
    logistic = tabular_pipeline(LogisticRegression(max_iter=1000))
    return {"logistic": logistic, "prior": DummyClassifier(), "bare": LogisticRegression()}


@pytest.fixture(scope="module")
def result(data, models):
    return run_experiment(data, models, cv=3)


def test_public_names_are_listed_and_reached():
    assert dir(experiments) == sorted(experiments.__all__)
    assert all(getattr(experiments, name) for name in experiments.__all__)


def test_a_mapping_of_estimators_gives_what_candidates_on_folds_give(data, models, result):
    assert isinstance(result, ExperimentResult)
    assert all(
        isinstance(candidate_result, CandidateResult)
        for candidate_result in result.candidate_results
    )
    candidates = [Candidate(name, model) for name, model in models.items()]
    folds = CrossValidation(n_splits=3).folds(data)
    for cv in (folds, CrossValidation(n_splits=3)):
        other = run_experiment(data, candidates, cv)
        for one, two in zip(result.candidate_results, other.candidate_results, strict=True):
            assert one.candidate.name == two.candidate.name
            assert one.fold_losses() == two.fold_losses()


def test_five_stratified_folds_are_the_default(data):
    result = run_experiment(data, {"prior": DummyClassifier()}, metrics=[])
    assert [fold.number for fold in result.folds] == [0, 1, 2, 3, 4]


def test_plain_estimators_get_no_preprocessing(result):
    bare = result.candidate_results[2]
    assert "could not convert string to float" in bare.error
    assert repr(bare) == f"CandidateResult(bare: failed, {bare.error})"


@pytest.mark.parametrize(
    ("candidates", "cv", "rule"),
    [
        (
            [LogisticRegression()],
            3,
            r"a mapping of names to estimators.*got LogisticRegression\(\)",
        ),
        ({}, 3, "candidates must contain at least one model"),
        ({"prior": DummyClassifier()}, 1, "^n_splits must be an integer >= 2; got 1"),
        ({"prior": DummyClassifier()}, True, "cv must be a number of folds"),
        ({"prior": DummyClassifier()}, [], "cv must contain at least one fold"),
        ({"prior": DummyClassifier()}, "grouped", "cv must be a number of folds.*got 'grouped'"),
        ({"prior": DummyClassifier()}, 3.0, "cv must be a number of folds"),
        ({"prior": DummyClassifier}, 3, "candidate prior must be a classifier object with a fit"),
        ({"prior": "logistic"}, 3, "candidate prior must be a classifier object with a fit"),
        (LogisticRegression(), 3, "candidates must be a mapping of names to estimators"),
    ],
)
def test_invalid_candidates_and_folds_are_rejected(data, candidates, cv, rule):
    with pytest.raises(InputError, match=rule):
        run_experiment(data, candidates, cv)


def test_a_data_set_of_another_type_is_refused():
    X, y = load_wine(return_X_y=True, as_frame=True)
    with pytest.raises(
        InputError, match="dataset must be a Dataset; got tuple; make one with load_dataset"
    ):
        run_experiment((X, y), {"prior": DummyClassifier()}, 3)


@pytest.mark.parametrize("primary", ["auc", "roc_auc", get_metric("auc")])
def test_primary_accepts_an_alias_and_an_object(primary):
    X, y = load_wine(return_X_y=True)
    models = {"prior": DummyClassifier(), "logistic": LogisticRegression(max_iter=3000)}
    data = make_dataset(X, y, Card("wine"))
    result = run_experiment(data, models, 3, losses="nll", metrics=["auc"], primary=primary)
    assert result.primary == "roc_auc"
    assert [row.model for row in result.leaderboard().ranked()] == ["logistic", "prior"]
    assert result.leaderboard("auc").shown() == ["roc_auc"]
    with pytest.raises(InputError, match="unknown loss or metric 'foo'"):
        result.leaderboard(["foo"])


def test_the_frame_of_the_leaderboard_has_all_losses(result):
    frame = result.leaderboard().to_frame()
    assert {"categorical_crossentropy", "sparse_categorical_crossentropy"} <= set(frame.index)
    assert set(frame.index) == set(result.candidate_results[0].mean()) | set(
        result.candidate_results[1].mean()
    )


@pytest.mark.parametrize(
    ("X", "y", "card", "rule"),
    [
        (3, [0, 1], Card("a"), "X must be a DataFrame or a two-dimensional array"),
        (np.ones(4), [0, 1, 0, 1], Card("a"), "X must be a DataFrame or a two-dimensional array"),
        (np.ones((2, 1)), [0, 1], "loans", "card must be a Card; got 'loans'"),
    ],
)
def test_invalid_tables_are_rejected(X, y, card, rule):
    with pytest.raises(InputError, match=rule):
        make_dataset(X, y, card)


def test_a_table_in_memory_needs_a_name_only():
    X, y = load_wine(return_X_y=True, as_frame=True)
    result = run_experiment(make_dataset(X, y, Card("wine")), {"prior": DummyClassifier()}, cv=3)
    assert repr(result).startswith("wine: 178 rows, 3 classes, 3 folds\n")


def test_a_result_prints_its_leaderboard_best_first(result):
    title, models, *others, notes = repr(result).split("\n\n")
    assert title == "simulated_delinquency: 300 rows, 3 classes, 3 folds"
    lines = models.splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("model "))
    rows = [line.split() for line in lines[head + 1 :]]
    # The best model that is not constant, then the constant one, although its loss is lower.
    assert [row[0] for row in rows] == ["logistic", "prior"]
    prior = result.candidate_results[1]
    assert rows[1][1:3] == ["(constant)", f"{prior.mean()['categorical_crossentropy']:.4f}"]
    assert len(others) == 1
    printed = [line.split()[0] for line in others[0].splitlines()[1:]]
    assert "zero_one_loss" in printed
    notes = notes.splitlines()
    assert notes[0] == result.uncertainty.answer
    assert any(note.endswith("more losses and metrics: leaderboard().to_frame()") for note in notes)
    assert notes[-1].startswith("bare failed: fold 0: ValueError")


def test_the_ranking_metric_is_always_among_those_printed(data):
    result = run_experiment(data, {"prior": DummyClassifier()}, cv=3, primary="spherical_loss")
    assert "spherical loss (low)" in result._shown().to_markdown().splitlines()[2]
    assert result.uncertainty.primary == "spherical_loss"


def test_objects_with_parameters_are_assessed_as_they_were_computed(data):
    ece = dataclasses.replace(get_metric("expected_calibration_error"), n_bins=3)
    models = {"prior": DummyClassifier(), "uniform": DummyClassifier(strategy="uniform")}
    result = run_experiment(data, models, cv=3, metrics=[ece])
    for row in result.leaderboard().rows:
        level = result.uncertainty.model(row.model).levels["expected_calibration_error"]
        assert level.mean == pytest.approx(row.mean["expected_calibration_error"], rel=1e-12)


def test_a_single_fold_has_no_interval_over_folds(data):
    cv = CrossValidation("holdout", n_test=100)
    models = {"prior": DummyClassifier(), "uniform": DummyClassifier(strategy="uniform")}
    result = run_experiment(data, models, cv, metrics=[])
    assert "nan" not in repr(result)
    assert "folds (corrected t)" not in repr(result)


def test_a_result_is_a_table_in_a_notebook(data):
    html = run_experiment(data, {"<b>": DummyClassifier()}, cv=3, metrics=[])._repr_html_()
    assert html.count("<table") == 2  # models as rows, and the other losses and metrics
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "brier_loss" in html


def test_the_leaderboard_as_a_frame_has_the_means_of_all(result):
    frame = result.leaderboard().to_frame()
    assert list(frame) == ["prior", "logistic"]
    assert set(SHOWN) & set(frame.index) < set(frame.index)
    assert (
        frame.loc["zero_one_loss", "prior"] == result.candidate_results[1].mean()["zero_one_loss"]
    )
    chosen = result.leaderboard(["brier_loss"]).to_frame()
    assert list(chosen.index) == ["brier_loss"]


def test_the_command_shows_what_a_result_prints():
    conf = OmegaConf.load(Path(__file__).parents[2] / "conf" / "run.yaml")
    assert tuple(conf.leaderboard) == SHOWN


@pytest.mark.parametrize("name", ["y", "groups"])
def test_the_name_of_a_column_is_not_a_column(name: str, data) -> None:
    values = {"y": data.y, "groups": data.y, name: "age"}
    message = rf"{name} must be a Series or array of .*got the text 'age'; pass .*X\['age'\]"
    with pytest.raises(InputError, match=message):
        make_dataset(data.X, values["y"], Card("l"), groups=values["groups"])


def test_a_metric_among_the_losses_and_a_result_without_successful_candidate(data) -> None:
    with pytest.raises(InputError, match="roc_auc is a metric of the whole data set; pass it in m"):
        run_experiment(data, {"prior": DummyClassifier()}, losses=["roc_auc"])
    result = run_experiment(data, {"bad": LogisticRegression(C=-1.0)}, cv=3)
    assert "No candidate has a result.\nbad failed: fold 0: " in repr(result)


def test_a_target_with_many_integer_values_may_be_an_amount(data) -> None:
    amounts = make_dataset(data.X, np.arange(300), Card("l"))
    with pytest.raises(InputError, match=r"has 1 row; merge .*an amount .* It has 300 distinct"):
        run_experiment(amounts, {"prior": DummyClassifier()})
    with pytest.raises(InputError, match=r"has 2 rows; use fewer splits$"):
        run_experiment(
            make_dataset(data.X[:100], [0] * 98 + [1] * 2, Card("l")), {"prior": DummyClassifier()}
        )
