"""The page of a run: its order, its sentences, and runs of every kind."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from tests.support.contents import check_numbers, sentences_of
from tests.support.records import MODELS, credit_data, example_record, numeric
from xentexp.errors import InputError
from xentexp.experiments import (
    Card,
    CrossValidation,
    Explain,
    make_dataset,
    report_page,
    run_experiment,
)
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report import run_markdown, run_page
from xentexp.experiments._report.page import chapter

LONG = "a_name_of_sixty_letters_that_says_how_the_model_was_made_xyz"


def many(n: int) -> dict[str, Any]:
    """Logistic regressions with different penalties."""
    return {f"logistic_{i}": LogisticRegression(C=2.0 ** (i - n // 2)) for i in range(n)}


def data(**changes: Any) -> Any:
    """Numeric data set with other weights, groups or labels."""
    made = numeric(credit_data(400))
    return make_dataset(made.X, made.y, made.card, **changes)


def labelled(dataset: Any, labels: list[str]) -> Any:
    return make_dataset(dataset.X, dataset.y.map(dict(enumerate(labels))), dataset.card)


CASES: dict[str, Any] = {
    "three models": lambda: example_record(cv=4, explain=Explain(n_rows=200)),
    "one model": lambda: example_record(models={"logistic": LogisticRegression()}, cv=3),
    "only constant": lambda: example_record(models={"prior": DummyClassifier()}, cv=3),
    "one split": lambda: example_record(
        cv=CrossValidation("holdout", n_test=300), explain=Explain(n_rows=200)
    ),
    "twenty models": lambda: example_record(data(), many(20), cv=3),
    "ten classes": lambda: example_record(numeric(credit_data(600, n_classes=10)), cv=3),
    "three classes": lambda: example_record(
        numeric(credit_data(600, n_classes=3)), cv=3, explain=Explain(n_rows=200)
    ),
    "long names": lambda: example_record(
        labelled(data(), [f"no {LONG}", f"yes {LONG}"]),
        {LONG: LogisticRegression(), f"{LONG}_2": LogisticRegression(C=0.01)},
        cv=3,
    ),
    "weights": lambda: example_record(
        data(sample_weight=np.random.default_rng(0).integers(0, 4, 400).astype(float)),
        cv=3,
        explain=Explain(n_rows=200),
    ),
    "groups": lambda: example_record(
        data(groups=pd.Series(np.arange(400) // 2)),
        cv=CrossValidation("grouped", n_splits=3),
        explain=Explain(n_rows=200),
    ),
    "repeats": lambda: example_record(
        data(), cv=CrossValidation("repeated", n_splits=3, n_repeats=2)
    ),
    "decision scores only": lambda: example_record(
        data(), {"svm": LinearSVC(), "prior": DummyClassifier()}, cv=3, primary="zero_one_loss"
    ),
    "primary is a metric": lambda: example_record(data(), cv=3, primary="roc_auc"),
    "probabilities of zero": lambda: example_record(
        data(),
        {
            "forest": RandomForestClassifier(10, random_state=0),
            "logistic": LogisticRegression(),
        },
        cv=3,
    ),
}


@pytest.fixture(scope="module", params=CASES)
def record(request: pytest.FixtureRequest) -> RunRecord:
    made: RunRecord = CASES[request.param]()
    return made


def test_each_number_of_a_sentence_is_in_a_table_of_its_section(record: RunRecord) -> None:
    for section in chapter(record).sections:
        check_numbers(section)


def test_every_run_has_a_page(record: RunRecord) -> None:
    page = run_page(record)
    assert page.count("<h1>") == 1
    assert len(page) < 1_500_000
    assert "nan" not in re.sub(r"<style>.*?</style>|[\w-]*nan[a-z]+", "", page, flags=re.DOTALL)
    assert len(run_markdown(record).split("\n")) <= 60


def test_the_answer_comes_first_then_the_checks_and_the_models(record: RunRecord) -> None:
    names = [section.name for section in chapter(record).sections]
    assert names[:2] == ["checks", "models"]
    assert names[-1] == "methods"
    assert len(names) == len(set(names))


def test_the_headline_has_the_numbers_of_the_table() -> None:
    record = example_record(cv=4)
    part = chapter(record)
    standing = record.board.standing(record.board.primary)
    numbers = [float(text) for text in re.findall(r"\d\.\d{4,}", str(part.headline))]
    gap, low, high = standing.gap("tree")
    expected = [standing.levels["logistic"].mean, gap, low, high]
    assert numbers == [pytest.approx(value, abs=5e-5) for value in expected]


def test_a_tie_has_no_winner() -> None:
    """Two models that differ by less than the noise of the folds."""
    models = {"a": LogisticRegression(C=1.0), "b": LogisticRegression(C=1.01)}
    part = chapter(example_record(data(), models, cv=4))
    assert "cannot be told apart" in str(part.headline)
    text = " ".join(str(line) for section in part.sections for line in sentences_of(section))
    assert "is better than b in all" not in text
    assert "wins" not in text


def test_infinite_and_undefined_values_are_words() -> None:
    record = CASES["probabilities of zero"]()
    [checks] = [s for s in chapter(record).sections if s.name == "checks"]
    text = " ".join(str(line) for line in sentences_of(checks))
    assert "predicts exactly" in text
    assert "infinite without a clip" in text


def test_muted_checks_are_left_out() -> None:
    result = run_experiment(data(), MODELS, cv=3)
    shown, muted = report_page(result), report_page(result, mute=["X101"])
    assert "X101" in shown
    assert "X101 known" not in muted
    with pytest.raises(InputError, match="X999"):
        report_page(result, mute=["X999"])


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a & b", "{{ 7 * 7 }}", "x\x1b[31m"])
def test_names_are_escaped(name: str) -> None:
    card = Card("credit", title=name, source=name)
    made = numeric(credit_data(200))
    renamed = make_dataset(made.X.rename(columns={"income": name}), made.y, card)
    record = example_record(
        renamed, {name: LogisticRegression()}, cv=2, explain=Explain(n_rows=100)
    )
    page = run_page(replace(record, run_id=name, store=name))
    assert "<script" not in page
    assert "\x1b" not in page
    assert "a & b" not in page
    assert "49" not in page or "{{" not in name or "{{ 7 * 7 }}" in page


def test_reports_are_made_of_results_only() -> None:
    with pytest.raises(InputError, match="result must be an ExperimentResult; got dict"):
        report_page({})  # type: ignore[arg-type]
