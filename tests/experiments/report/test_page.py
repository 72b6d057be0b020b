"""The page of a run: its order, its sentences, and runs of every kind."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sklearn.linear_model import LogisticRegression

from tests.support.contents import check_numbers, sentences_of
from tests.support.records import MODELS, credit_data, example_record, numeric
from tests.support.runs import CASES, run
from xentexp.errors import InputError
from xentexp.experiments import (
    Card,
    Explain,
    make_dataset,
    report_page,
    run_experiment,
)
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report import run_markdown, run_page
from xentexp.experiments._report.page import chapter
from xentexp.experiments.datasets import Dataset


def data() -> Dataset:
    return numeric(credit_data(400))


@pytest.fixture(scope="module", params=CASES)
def record(request: pytest.FixtureRequest) -> RunRecord:
    return run(request.param)


def test_each_number_of_a_sentence_is_in_a_table_of_its_section(record: RunRecord) -> None:
    for section in chapter(record).sections:
        if not section.name.startswith("matrix"):  # counts of cells, tested in test_report.py
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
    record = run("certain")
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
    assert "<script" not in run_markdown(record)
    assert "\x1b" not in page
    assert "a & b" not in page
    assert "49" not in page or "{{" not in name or "{{ 7 * 7 }}" in page


def test_reports_are_made_of_results_only() -> None:
    with pytest.raises(InputError, match="result must be an ExperimentResult; got dict"):
        report_page({})
