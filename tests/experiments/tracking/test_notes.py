"""Notes of runs, models and experiments: what their first lines say, and what they cannot do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from tests.support.records import credit_data, example_record, numeric
from tests.support.runs import run
from xentexp.experiments import Card, make_dataset
from xentexp.experiments._formatting import LONGEST_TAG, MINUS, escaped, sentence
from xentexp.experiments._record import RunRecord
from xentexp.experiments._run_checks import Issue, run_checks
from xentexp.experiments._sentences import short_verdict
from xentexp.experiments._tracking.notes import (
    LONGEST_LINE,
    child_note,
    cut,
    latest_answer,
    parent_note,
)

HOSTILE = "a|b `c` <script>x</script>\n# [d](e) *f*"
LOG_LOSS: dict[str, Any] = {"losses": ["categorical_crossentropy"], "metrics": []}


def first_lines(note: str) -> list[str]:
    """Lines of the first paragraph, as Markdown separates them by spaces at their ends."""
    return note.partition("\n\n")[0].rstrip("\n").split("  \n")


def own_paired_difference(record: RunRecord, model: str, best: str) -> float:
    """Difference of two models over folds of equal weight, from their stored fold values."""
    values = []
    for name in (model, best):
        found = record.model(name)
        assert found is not None
        folds = found.fold_values["categorical_crossentropy"]
        values.append(sum(folds) / len(folds))
    return values[0] - values[1]


def clear_record() -> RunRecord:
    """Record of a run whose best model is better than the constant one."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    X = pd.DataFrame({"x": x, "z": rng.normal(size=300)})
    data = make_dataset(X, (x + rng.normal(size=300) > 0).astype(int), Card("d", "made", "made"))
    models = {
        "logistic": LogisticRegression(),
        "strong": LogisticRegression(C=0.001),
        "prior": DummyClassifier(),
    }
    return example_record(data, models, cv=3, **LOG_LOSS)


def test_the_first_three_lines_of_a_run_are_the_answer_the_differences_and_the_worst_finding() -> (
    None
):
    record = clear_record()
    issues = [Issue("X201", True, sentence("a problem")), Issue("X202", False, sentence("a note"))]
    answer, differences, finding = first_lines(parent_note(record, issues))
    best = record.board.best()
    assert best is not None
    assert answer.startswith(f"{best.model} has the lowest categorical_crossentropy: ") or (
        "cannot be told apart by categorical_crossentropy" in answer
    )
    assert "; for " not in answer
    assert differences.startswith("Minus the best: ")
    rival, number = differences.removeprefix("Minus the best: ").split(" ")[:2]
    expected = own_paired_difference(record, rival, best.model)
    assert float(number.replace(MINUS, "-")) == pytest.approx(expected, abs=6e-4)
    assert finding == "Problem X201: a problem (1 more finding)"


def test_the_finding_of_a_run_concerns_the_best_model_before_others() -> None:
    record = run("three models")
    best = record.board.best()
    assert best is not None
    other = next(row.model for row in record.board.rows if row.model != best.model)
    issues = [
        Issue("X1", False, sentence("note on the best"), (best.model,)),
        Issue("X2", True, sentence("problem of another"), (other,)),
        Issue("X3", True, sentence("problem of the best"), (best.model,)),
    ]
    note = parent_note(record, issues)
    assert first_lines(note)[2] == "Problem X3: problem of the best (2 more findings)"
    note = parent_note(record, issues[:2])
    assert first_lines(note)[2] == "Note X1: note on the best (1 more finding)"
    assert first_lines(parent_note(record, []))[2].endswith(" checks passed.")
    of_run = Issue("X4", False, sentence("note on the whole run"))
    assert "Problem X2" in first_lines(parent_note(record, [of_run, issues[1]]))[2]
    assert first_lines(parent_note(record, issues[1:2]))[2] == (
        f"The checks found nothing about {escaped(best.model)}. Problem X2: problem of another"
    )


def test_the_finding_of_a_run_does_not_repeat_the_lines_before_it() -> None:
    record = run("three models")
    best = record.board.best()
    assert best is not None
    tied = Issue("X302", False, sentence("not told apart"), (best.model,))
    other = Issue("X9", False, sentence("it is wrong"), (best.model,))
    assert first_lines(parent_note(record, [tied, other]))[2] == (
        "Note X9: it is wrong (1 more finding)"
    )
    assert first_lines(child_note(record, best.model, [tied, other]))[2] == (
        "Note X9: it is wrong (1 more finding)"
    )
    assert first_lines(parent_note(record, [tied]))[2].startswith("The checks found nothing else.")


def test_the_first_line_of_a_run_says_whether_the_difference_matters() -> None:
    record = run("three models")
    known = record.uncertainty
    assert known is not None
    assert known.equivalence is not None
    standing = known.standing(known.primary)
    rival = standing.rival()
    assert rival is not None
    _, low, high = standing.gap(rival)
    assert low < 0.0 < high
    cases = {
        high / 2.0: "Whether the difference matters is open.",
        max(-low, high) * 2.0: "The difference does not matter in practice.",
        low * 2.0: "The difference matters.",  # a margin that the whole interval exceeds
    }
    for margin, verdict in cases.items():
        changed = replace(known, equivalence=replace(known.equivalence, margin=margin))
        board = replace(record.board, uncertainty=changed)
        [first, *_] = first_lines(parent_note(replace(record, board=board), []))
        assert first.endswith(f"). {verdict}")


def test_a_best_model_below_a_constant_one_is_said_in_the_second_line() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 12)), columns=[f"x{i}" for i in range(12)])
    data = make_dataset(X, rng.integers(0, 2, 60), Card("noise", title="noise", source="made"))
    models = {
        "strong": LogisticRegression(C=1.0),
        "stronger": LogisticRegression(C=100.0),
        "prior": DummyClassifier(),
    }
    record = example_record(data, models, cv=2, **LOG_LOSS)
    value = {row.model: row.value("categorical_crossentropy") for row in record.board.rows}
    assert value["prior"] < value["strong"]
    _, second, third = first_lines(parent_note(record, run_checks(record)))
    assert second.startswith("strong is")
    assert "than the constant model prior" in second
    assert "X203" not in third


def test_a_model_without_the_primary_loss_says_why_and_gives_another_value() -> None:
    record = example_record(
        numeric(credit_data(200)),
        {"svm": LinearSVC(), "logistic": LogisticRegression(), "prior": DummyClassifier()},
        cv=2,
        losses=["categorical_crossentropy", "zero_one_loss"],
        metrics=[],
    )
    first, second, _ = first_lines(child_note(record, "svm", []))
    assert first == "No categorical_crossentropy: needs probabilities."
    fold_values = record.model("svm").fold_values["zero_one_loss"]
    assert second.startswith(f"zero_one_loss {np.mean(fold_values):.4f} (95% interval ")
    assert re.search(r", number [12] of 2 models\.$", second)


def test_the_first_three_lines_of_a_model_are_its_value_its_difference_and_its_worst_finding() -> (
    None
):
    record = run("three models")
    board = record.board
    standing = board.standing(board.primary)
    best = standing.best
    assert best is not None
    others = [name for name in standing.levels if name not in {best, *standing.constant}]
    issues = [Issue("X9", True, sentence("it is wrong"), (others[0],))]
    value, difference, finding = first_lines(child_note(record, others[0], issues))
    level = standing.levels[others[0]]
    low, high = f"{level.low:.4f}", f"{level.high:.4f}"
    assert value == (
        f"categorical_crossentropy {level.mean:.4f} (95% interval {low} to {high}), "
        f"number 2 of {len(others) + 1} models."
    )
    assert difference.startswith(f"Minus the best, {best}: +")
    assert finding == "Problem X9: it is wrong"
    assert first_lines(child_note(record, best, issues))[1].startswith("The best")
    assert first_lines(child_note(record, best, issues))[2] == (
        "No check found anything in this model."
    )
    [constant] = standing.constant
    assert first_lines(child_note(record, constant, []))[0].endswith("constant, for comparison.")


def test_a_note_says_how_to_use_a_stored_model_and_only_then() -> None:
    record = run("three models")
    note = child_note(record, "logistic", [], uri="models:/m-12", run_id="0123456789ab")
    assert "`xentexp predict 01234567 FILE --out FILE`" in note
    assert 'mlflow.pyfunc.load_model("models:/m-12")' in note
    assert "predict" not in child_note(record, "logistic", [])
    record = replace(record, run_id="89abcdef0123")
    assert "`xentexp predict 89abcdef FILE --out FILE`" in parent_note(record, [], stored=True)
    assert "xentexp predict" not in parent_note(record, [])


def test_a_note_lists_the_artifacts_that_exist_the_page_first() -> None:
    record = run("three models")
    files = ["config", "checks.md", "report.html", "unknown.bin"]
    note = parent_note(record, [], artifacts=files, page="#/x")
    links = re.findall(r"^- \[(.*?)\]\((.*?)\)", note, re.MULTILINE)
    assert links == [
        ("report.html", "#/x/report.html?workflowType=machine_learning"),
        ("checks.md", "#/x/checks.md?workflowType=machine_learning"),
        ("config", "#/x/config?workflowType=machine_learning"),
    ]
    assert "Artifacts" not in parent_note(record, [])


def hostile_record() -> RunRecord:
    data = numeric(credit_data(200))
    named = make_dataset(data.X, data.y, Card("d", title=HOSTILE, source=HOSTILE))
    models = {HOSTILE: LogisticRegression(), "prior": DummyClassifier(), "l": LogisticRegression()}
    return example_record(named, models, cv=2, **LOG_LOSS)


def test_names_are_text_in_all_notes() -> None:
    record = hostile_record()
    issue = Issue("X1", True, sentence("{name} is wrong", name=HOSTILE), (HOSTILE,))
    notes = [
        parent_note(record, [issue]),
        child_note(record, HOSTILE, [issue]),
        latest_answer(record, "1"),
    ]
    for note in notes:
        assert "<script" not in note
        assert "\n#" not in note  # no heading
        assert "[d](e)" not in note
        text = re.sub(r"\n.*`xentexp .*", "", note)  # commands, which are code on purpose
        assert re.search(r"(?<!\\)`", text) is None
        tables = [line for line in note.split("\n") if line.startswith("| ")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in tables}) <= 1


@pytest.mark.long
def test_notes_of_many_models_with_long_names_fit_into_a_tag() -> None:
    models: dict[str, Any] = {
        f"{'long_name_of_a_model_' * 4}{i:02}": LogisticRegression(C=10.0 ** (-i / 10))
        for i in range(50)
    }
    record = example_record(numeric(credit_data(150)), models, cv=2, **LOG_LOSS)
    issues = run_checks(record)
    more = ["x" * 60 + "\n"] * 200
    note = parent_note(record, issues, more, artifacts=["report.html"], page="#/p")
    assert len(note) <= LONGEST_TAG
    assert note.endswith("(cut here: leaderboard.md among the artifacts has the rest)\n")
    assert "report.html" in note
    assert "and 38 more models." in note or "and 39 more models." in note
    assert all(len(line) <= LONGEST_LINE + 40 for line in first_lines(note))
    for row in record.board.rows:
        assert len(child_note(record, row.model, issues)) <= LONGEST_TAG


def test_a_note_that_fits_is_not_changed() -> None:
    text = "a\n" * (LONGEST_TAG // 2)
    assert cut(text) == text
    longer = cut(text + "b\n")
    assert len(longer) <= LONGEST_TAG
    assert longer.startswith("a\na\n")
    assert "b" not in longer.partition("(cut")[0]


def test_the_notes_of_the_best_model_and_its_rival_say_whether_the_difference_matters() -> None:
    record = clear_record()
    assert record.uncertainty is not None
    standing = record.board.standing(record.board.primary)
    verdict = short_verdict(standing, record.uncertainty.equivalence)
    assert verdict
    for model in (standing.best, standing.rival()):
        assert model is not None
        assert first_lines(child_note(record, model, []))[1].endswith(f". {verdict}")
    assert not first_lines(child_note(record, "prior", []))[1].endswith(verdict)


def test_a_run_of_one_model_is_compared_with_the_constant_one() -> None:
    record = run("one model")
    lines = first_lines(parent_note(record, []))
    assert lines[0].startswith("logistic has categorical_crossentropy ")
    assert "than constant class frequencies" in lines[0] or "constant" in lines[1]
    assert lines[-1].endswith("checks passed.")
    assert "logistic" in latest_answer(record, "1")
    [_, difference, _] = first_lines(child_note(record, "logistic", []))
    standing = record.board.standing(record.board.primary)
    [constant] = standing.constant_rivals()
    gap = standing.levels[constant].mean - standing.levels["logistic"].mean
    start = f"The only model that is not constant; {constant} minus it: "
    assert difference.startswith(f"{start}{gap:+.4f} [")


def test_a_run_without_results_says_so() -> None:
    data = numeric(credit_data(100))
    models = {"a|b": LogisticRegression(C=-1.0), "c": LogisticRegression(C=-2.0)}
    record = example_record(data, models, cv=2, **LOG_LOSS)
    note = parent_note(record, run_checks(record), artifacts=["error.txt"])
    assert first_lines(note)[0] == "All models failed."
    assert first_lines(note)[1].startswith("The first error: ")
    assert r"Failed: **a\|b**: " in note
    assert child_note(record, "c", []).startswith("Failed: fold 0: InvalidParameterError")
    assert latest_answer(record, "1").startswith("All models failed. [Latest run](")


def test_the_note_of_an_experiment_begins_with_the_difference_and_its_interval() -> None:
    record = run("three models")
    standing = record.board.standing(record.board.primary)
    rival = standing.rival()
    assert rival is not None
    gap, low, high = standing.gap(rival)
    text = latest_answer(replace(record, run_id="abc", started=0.0), "7")
    limits = f"{gap:.4f} [{low:.4f}, {high:.4f}]".replace("-", MINUS)
    assert limits in text[:140]
    assert text.endswith(" [Latest run](#/experiments/7/runs/abc?workflowType=machine_learning)")
    assert ("cannot be told apart" in text) == bool(standing.tied)
