"""Pages of runs in Chromium: layout, contrast, access, print, and no request or error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from tests.support.browser import (
    A4,
    n_printed_pages,
    opened,
    print_problems,
    screen_problems,
)
from tests.support.matrices import large
from tests.support.records import MODELS, credit_data, example_record, matrix_record, numeric
from xentexp.experiments import Card, CrossValidation, make_dataset
from xentexp.experiments._explain import Explain
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report import run_page
from xentexp.experiments.datasets import Dataset

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.debian("chromium", "chromium"), pytest.mark.slow]


def of(
    dataset: Dataset | None = None, models: dict[str, Any] | None = None, **options: Any
) -> RunRecord:
    """Record of a small run with segments and importances."""
    dataset = numeric(credit_data(400)) if dataset is None else dataset
    models = {**MODELS, "bayes": GaussianNB()} if models is None else models
    return example_record(dataset, models, explain=Explain(), **{"cv": 3, **options})


def twenty_models() -> RunRecord:
    models: dict[str, Any] = {
        f"logistic_{i}": LogisticRegression(C=10.0 ** (-i / 4.0)) for i in range(19)
    }
    return of(numeric(credit_data(200)), {"prior": DummyClassifier(), **models})


def long_names() -> RunRecord:
    """Names of 60 letters, with and without places where a line may end."""
    names = (
        "logisticregressionofallcolumnswithastrongpenaltyofallweights",
        "naive_bayes_with_normal_distributions_of_all_numeric_columns",
        "the shares of the classes in the training rows, for all rows",
    )
    columns = (
        "incomeofthelastyearbeforetaxesinthousandsofdollarsroundedoff",
        "all_debts_of_the_household_at_the_time_of_the_application_in",
    )
    assert {len(name) for name in (*names, *columns)} == {60}
    models = (LogisticRegression(), GaussianNB(), DummyClassifier())
    data = numeric(credit_data(400))
    X = data.X.rename(columns=dict(zip(["income", "debt"], columns, strict=True)))
    named = make_dataset(X, data.y, Card(names[1], title=names[2], source=names[0]))
    return of(named, dict(zip(names, models, strict=True)))


def segment_without_positives() -> RunRecord:
    data = credit_data(600)
    X = data.X.assign(job=data.X["job"].cat.codes)
    y = data.y.where(X["job"] != 0, 0)
    return of(make_dataset(X.astype({"job": "category"}), y, data.card), MODELS)


def groups() -> RunRecord:
    data = numeric(credit_data(400))
    people = pd.Series(np.arange(400) // 4)
    grouped = make_dataset(data.X, data.y, data.card, groups=people)
    return of(grouped, cv=CrossValidation("grouped", n_splits=3))


def weights() -> RunRecord:
    data = numeric(credit_data(400))
    weight = np.random.default_rng(0).uniform(0.5, 5.0, 400)
    return of(make_dataset(data.X, data.y, data.card, sample_weight=weight))


def certain() -> RunRecord:
    """A tree that predicts 0 and 1 only, so that its log loss is infinite without a clip."""
    return of(models={**MODELS, "certain": DecisionTreeClassifier(random_state=0)})


def training_losses_and_curves() -> RunRecord:
    steps = range(300)
    curves = pd.DataFrame(
        {
            "fold": np.repeat([0, 1], 600),
            "part": np.tile(np.repeat(["train", "valid"], 300), 2),
            "loss": "brier_loss",
            "step": [*steps] * 4,
            "value": [0.2 + 0.8 / (1 + step) + 0.1 * place for place in range(4) for step in steps],
        }
    )
    made = matrix_record(large(folds=5)[:4], curves)
    trials = pd.DataFrame(
        {
            "repeat": 0,
            "fold": np.repeat(range(5), 6),
            "trial": [*range(6)] * 5,
            "chosen": [trial == 5 for trial in range(6)] * 5,
            "tune/brier_loss": [0.3 / (1 + trial) for trial in range(6)] * 5,
            "C": ["0.123457"] * 30,
        }
    )
    prior, first, *others = (
        made.models[0],
        *(replace(m, predictions=_varied(m.predictions, i)) for i, m in enumerate(made.models[1:])),
    )
    first = replace(first, trials=trials, space={"C": {"low": 0.1, "high": 1.0}})
    return replace(made, models=(prior, first, *others))


def _varied(predictions: Predictions | None, seed: int) -> Predictions:
    """Predictions that differ between models, better or worse ones."""
    assert predictions is not None
    rng = np.random.default_rng(seed)
    folds = []
    for fold in predictions.folds:
        score = (fold.y - 0.5) * (1.0 - 0.2 * seed) + rng.normal(size=len(fold.y))
        p = 1.0 / (1.0 + np.exp(-score))
        folds.append(replace(fold, proba=np.column_stack([1.0 - p, p])))
    return replace(predictions, folds=tuple(folds))


CASES: dict[str, Callable[[], RunRecord]] = {
    "three_models": of,
    "one_split": lambda: of(cv=CrossValidation("holdout", n_test=120)),
    "one_model": lambda: of(models={"logistic": LogisticRegression()}),
    "twenty_models": twenty_models,
    "ten_classes": lambda: of(numeric(credit_data(400, n_classes=10))),
    "long_names": long_names,
    "segment_without_positives": segment_without_positives,
    "groups": groups,
    "weights": weights,
    "certain": certain,
    "training_losses_and_curves": training_losses_and_curves,
}


@pytest.fixture(scope="module", params=CASES, ids=list(CASES))
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    path.write_text(run_page(CASES[request.param]()), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "theme"), [(390, "light"), (514, "dark"), (1280, "light")])
def test_the_page_has_no_problem_on_a_screen(
    browser: Browser, page: Path, width: int, theme: str
) -> None:
    with opened(browser, page, width, theme=theme) as found:
        assert screen_problems(found) == []


def test_print_cuts_and_hides_nothing(browser: Browser, page: Path) -> None:
    with opened(browser, page, A4, media="print") as found:
        assert print_problems(found) == []
        assert 1 <= n_printed_pages(found.page) <= 25
