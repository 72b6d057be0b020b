"""The leaderboard: ranks, the best value of each row, and the rows that a table shows."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from rich.measure import Measurement
from scipy.special import expit
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from xentexp.errors import InputError
from xentexp.experiments import Card, make_dataset, run_experiment
from xentexp.experiments._assess import assess
from xentexp.experiments._board_tables import TextTable
from xentexp.experiments._cli import terminal
from xentexp.experiments._cli.terminal import print_leaderboard, print_table
from xentexp.experiments._leaderboard import SHOWN, Leaderboard, Row, best_is
from xentexp.experiments._predictions import PredictedFold, Predictions

NAN = math.nan
ROWS = (
    Row(
        "timid",
        {"binary_crossentropy": 0.4, "categorical_crossentropy": 0.4, "entropy": 0.5, "gini": 0.3,
         "calibration_slope": 1.4},
        {"gini": 0.01},
        seconds=1.0,
    ),
    Row(
        "bold",
        {"binary_crossentropy": 0.5, "categorical_crossentropy": 0.5, "entropy": 0.1, "gini": 0.6,
         "calibration_slope": 0.8},
        {"gini": 0.02},
        seconds=2.0,
    ),
    Row("margin", {"zero_one_loss": 0.2, "gini": 0.5, "calibration_slope": NAN}, seconds=3.0),
    Row("broken", reason="no memory"),
)  # fmt: skip


def board(primary: str = "categorical_crossentropy", **options: object) -> Leaderboard:
    return Leaderboard(ROWS, primary, **options)


@pytest.mark.parametrize(
    ("primary", "order"),
    [
        ("categorical_crossentropy", ["timid", "bold", "margin", "broken"]),
        ("gini", ["bold", "margin", "timid", "broken"]),
        ("calibration_slope", ["bold", "timid", "margin", "broken"]),  # nearest to 1
        ("zero_one_loss", ["margin", "timid", "bold", "broken"]),
    ],
)
def test_each_metric_ranks_by_its_direction(primary: str, order: list[str]) -> None:
    assert [row.model for row in board().sorted_by(primary).ranked()] == order


def test_the_best_of_a_row() -> None:
    best = {name: board().best_value(name) for name in board().names()}
    assert best == {
        "binary_crossentropy": 0.4,
        "categorical_crossentropy": 0.4,
        "entropy": None,
        "zero_one_loss": 0.2,
        "gini": 0.6,
        "calibration_slope": 0.8,
    }
    assert board("gini").best().model == "bold"
    assert Leaderboard(ROWS[2:], "brier_loss").best() is None
    undefined = Leaderboard((Row("prior", {"calibration_slope": NAN}),), "calibration_slope")
    assert undefined.best() is None
    assert undefined.names() == []


def test_a_table_shows_the_chosen_that_some_model_has_or_all_but_repetitions() -> None:
    chosen = board(chosen=("gini", "hinge_loss", "categorical_crossentropy", "gini"))
    assert chosen.shown() == ["gini", "categorical_crossentropy"]
    assert chosen.sorted_by("zero_one_loss").shown()[0] == "zero_one_loss"
    assert board().repeated() == {"binary_crossentropy": "categorical_crossentropy"}
    assert "binary_crossentropy" not in board().shown()
    assert "binary_crossentropy" in board("binary_crossentropy").shown()
    assert chosen.showing(["binary_crossentropy"]).shown() == ["binary_crossentropy"]
    assert chosen.showing(None).shown() == board().shown()
    assert {"binary_crossentropy", "calibration_slope"} < set(chosen.to_records()[0]["mean"])


def test_unknown_names_are_rejected() -> None:
    with pytest.raises(
        InputError, match="unknown loss or metric of this leaderboard 'ginni'; did you mean"
    ):
        board().showing(["ginni"])
    with pytest.raises(InputError, match="names must contain at least one loss or metric"):
        board().showing([])
    with pytest.raises(InputError, match="entropy does not rank models; choose one of"):
        board().sorted_by("entropy")
    for method in (board().sorted_by, lambda name: board().showing([name])):
        with pytest.raises(InputError, match="no candidate has a value of h_measure; choose one"):
            method("h_measure")
    assert board().best_value("nll") == board().best_value("categorical_crossentropy")


def test_a_leaderboard_without_results_shows_the_errors() -> None:
    failed = Leaderboard((Row("a", reason="no memory"), Row("b", reason="no time")), "gini")
    assert repr(failed) == "No candidate has a result.\na failed: no memory\nb failed: no time"
    assert "<table" not in failed._repr_html_()
    with pytest.raises(InputError, match=r"all failed \(a: no memory\)"):
        failed.sorted_by("gini")


def test_the_spread_of_the_folds_is_shown_on_request() -> None:
    shown = board("gini").showing(["gini"])
    assert "0.6000 (0.0200)" not in repr(shown) + shown.to_markdown()
    with_spread = shown.showing(["gini"], spread=True)
    for text in (repr(with_spread), with_spread.to_markdown()):
        assert "0.6000 (0.0200)" in text
        assert "In brackets: standard deviation over the folds." in text
    single = Leaderboard((Row("a", {"gini": 0.5}, {"gini": NAN}),), "gini", spread=True)
    assert "(" not in repr(single).splitlines()[-2].removesuffix("In brackets")
    assert "±" not in repr(with_spread) + repr(single)


def test_a_loss_that_is_registered_elsewhere_is_shown_without_a_rank() -> None:
    rows = Row("a", {"my_loss": 2.0, "gini": 0.1}), Row("b", {"my_loss": 1.0, "gini": 0.2})
    foreign = Leaderboard(rows, "gini")
    assert foreign.shown() == ["gini", "my_loss"]
    assert foreign.best_value("my_loss") is None
    assert best_is("my_loss") == "-"


def test_markdown_of_the_leaderboard() -> None:
    note = board("gini", chosen=("gini", "calibration_slope")).to_markdown()
    assert note.startswith("Means over the folds, ranked by gini.\n")
    assert "| model | gini (high) | calibration slope (near 1) | fit seconds |" in note
    space = "\N{NO-BREAK SPACE}"
    assert "| _bold_ | _0.6000_ | _0.8000_ | _2.0_ |".replace("_", space) in note
    assert "categorical_crossentropy" not in note
    assert "metrics cv/NAME of each child run" in note
    assert "Failed: **broken**: no memory" in note
    assert (
        "\N{MINUS SIGN}0.0000"
        not in Leaderboard((Row("a", {"gini": -1e-9}),), "gini").to_markdown()
    )


def test_a_bold_name_has_no_space_inside_its_asterisks() -> None:
    table = TextTable(("model", "gini"), (("a b", "0.5"), ("c", "0.4")), 1, frozenset({0}))
    space = "\N{NO-BREAK SPACE}"
    rows = table.to_markdown().replace(space, "_").splitlines()[2:]
    assert rows == ["| _**a b**_ | _0.5_ |", "| _c_ | _0.4_ |"]


def test_a_table_that_is_too_wide_keeps_its_numbers_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = ["model", "value [95% interval]", "difference [95% interval]", "p", "equal"]
    rows = [["a_model_with_a_long_name", "0.4262 [0.4197, 0.4328]", "+0.1 [-0.1, +0.3]", "4e-05"]]
    lines = {}
    for width in (100, 80, 70):
        narrow = partial(Console, width=width, highlight=False)
        monkeypatch.setattr("xentexp.experiments._cli.terminal.console", narrow)
        print_table(headers, [[*rows[0], "0.996"]])
        lines[width] = capsys.readouterr().out.splitlines()
        assert all(len(line) <= width for line in lines[width])
        for number in ("0.4262", "[0.4197, 0.4328]", "[-0.1, +0.3]", "4e-05", "0.996"):
            assert any(number in line for line in lines[width]), (width, number)
    assert any("a_model_with_a_long_name   0.4262 [0.4197" in line for line in lines[100])
    assert any(line.strip().startswith("a_long_name") for line in lines[70])


def test_printed_leaderboard(capsys: pytest.CaptureFixture[str]) -> None:
    print_leaderboard(board(chosen=("gini", "calibration_slope", "entropy")), title="A trial")
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    # model, crossentropy (primary), gini, calibration slope, entropy, fit seconds
    assert ["timid", "0.4000", "0.3000", "1.4000", "0.5000", "1.0"] in lines
    assert ["bold", "0.5000", "0.6000", "0.8000", "0.1000", "2.0"] in lines
    assert ["margin", "-", "0.5000", "-", "-", "3.0"] in lines
    assert "2 more losses and metrics: xentexp leaderboard --losses all" in out
    assert "failed: broken: no memory" in out
    print_leaderboard(board(), title="A trial")
    out = capsys.readouterr().out
    assert "equal to categorical_crossentropy on these data: binary_crossentropy" in out
    assert "more losses" not in out


def test_the_effort_of_printing_grows_as_the_number_of_models(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`leaderboard --all` shows the models of hundreds of runs."""

    def effort(n: int) -> dict[str, int]:
        counts = {"shown": 0, "measured": 0}

        def count(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*arguments: Any) -> Any:
                counts[name] += 1
                return function(*arguments)

            return counted

        chosen = ("gini", *(f"other_{i}" for i in range(11)))
        mean = dict.fromkeys(chosen, 0.5)
        rows = tuple(Row(f"logistic stratified 5 {i}", mean) for i in range(n))
        with monkeypatch.context() as patch:
            patch.setattr(Leaderboard, "shown", count("shown", Leaderboard.shown))
            measure = SimpleNamespace(get=count("measured", Measurement.get))
            patch.setattr(terminal, "Measurement", measure)
            print_leaderboard(Leaderboard(rows, "gini", chosen=chosen), title="A trial")
        parts = capsys.readouterr().out.count("loss or metric")
        return {**counts, "parts": parts}

    few, many = effort(40), effort(160)
    assert many["shown"] == few["shown"]
    assert many["parts"] > 3 * few["parts"] > 3
    assert many["measured"] < 3 * many["parts"] < 160  # tables, not one for each model


def assessed(models: dict[str, float], primary: str, n: int = 900) -> Leaderboard:
    """Leaderboard with intervals of models with more or less noise in their scores."""
    rng = np.random.default_rng(5)
    signal = rng.normal(size=n)
    y = (rng.random(n) < expit(signal)).astype(int)
    predictions, rows = {}, []
    for name, noise in models.items():
        proba = expit(signal + noise * rng.normal(size=n))
        folds = tuple(
            PredictedFold(0, k, n - len(part), (0.5, 0.5), part, y[part], proba[part])
            for k, part in enumerate(np.array_split(np.arange(n), 5))
        )
        predictions[name] = Predictions("made", "d", (0, 1), False, folds)
    known = assess(predictions, SHOWN, primary)
    for model in known.models:
        if model.model in models:
            values = {loss: level.mean for loss, level in model.levels.items()}
            rows.append(Row(model.model, values, seconds=1.0))
    return Leaderboard(tuple(rows), primary, SHOWN, known)


def test_models_are_rows_with_their_difference_to_the_best() -> None:
    shown = assessed({"good": 0.0, "near": 0.1, "bad": 3.0}, "brier_loss")
    assert shown.uncertainty is not None
    text = repr(shown)
    line = {row.split()[0]: row for row in text.split("\n\n")[0].splitlines() if row[:1].strip()}
    best, tied = shown.uncertainty.best["brier_loss"], shown.uncertainty.tied["brier_loss"]
    assert {best, *tied} == {"good", "near"}
    assert " best " in line[best]
    assert line[tied[0]].startswith(f"{tied[0]} *")
    assert not line["bad"].startswith("bad *")
    model = shown.uncertainty.model("bad")
    assert model is not None
    difference = model.differences["brier_loss"]
    expected = f"+{difference.difference:.4f} [+{difference.low:.4f}, +{difference.high:.4f}]"
    assert expected in line["bad"]
    # The class frequencies are a row without marks.
    assert line["constant"].split()[1] == f"{0.25:.4f}"
    assert shown.uncertainty.answer in text
    assert shown.uncertainty.rule in text
    assert shown.uncertainty.answer in html.unescape(shown._repr_html_())
    assert shown.to_markdown().startswith(shown.uncertainty.answer.replace("*", "\\*"))


def test_stars_of_losses_follow_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    """Only models that cannot be told from the best, never the constant one or calibration."""
    print_leaderboard(assessed({"good": 0.0, "near": 0.1, "bad": 3.0}, "gini"), title="A trial")
    out = capsys.readouterr().out
    line = {words[0]: words for words in map(str.split, out.splitlines()) if words}
    starred = [value.endswith("*") for value in line["zero_one_loss"][2:]]
    assert sum(starred) == 2
    for calibration in ("expected_calibration_error", "calibration_intercept", "calibration_slope"):
        assert not any(word.endswith("*") for word in line[calibration])
    assert line["calibration_slope"][-1] == "-"
    assert "constant has no calibration_slope: the predicted probability of class 1" in out


def test_long_names_and_many_models(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {f"gradient_boosting_number_{n}_with_a_long_name": 0.2 * n for n in range(20)}
    shown = assessed(many, "brier_loss", 400).showing(["brier_loss", "roc_auc"])
    for width in (80, 140):
        narrow = partial(Console, width=width, highlight=False)
        monkeypatch.setattr("xentexp.experiments._cli.terminal.console", narrow)
        print_leaderboard(shown, title="A trial")
        out = capsys.readouterr().out
        assert "…" not in out
        assert max(map(len, out.splitlines())) <= width
        assert out.count("number_") >= 20


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_number_is_cut_at_any_width(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = lambda **_: Console(width=width, highlight=False)  # noqa: E731
    monkeypatch.setattr("xentexp.experiments._cli.terminal.console", narrow)
    names = [f"model_number_{n}_calibrated" for n in range(7)]
    rows = tuple(Row(name, {"gini": n / 10}, {"gini": 0.1}) for n, name in enumerate(names))
    print_leaderboard(Leaderboard(rows, "gini"), title="A trial")
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= width
    for n in range(7):
        assert f"{n / 10:.4f}" in out


def test_the_best_candidate_is_the_one_that_the_answer_names() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 40))).add_prefix("x")
    y = pd.Series(rng.integers(0, 2, 200), name="y")  # independent of X
    models = {"prior": DummyClassifier(), "overfitted": LogisticRegression(C=1e3)}
    result = run_experiment(make_dataset(X, y, Card("noise")), models, cv=3)
    found = result.leaderboard()
    assert found.ranked()[0].model == "prior"
    best = found.best()
    assert best is not None
    assert best.model == "overfitted"
    assert result.uncertainty.answer.startswith("overfitted has")
