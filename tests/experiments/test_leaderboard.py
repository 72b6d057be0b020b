"""The leaderboard: ranks, the best value of each row, and the rows that a table shows."""

from __future__ import annotations

import math

import pytest

from xentexp.errors import InputError
from xentexp.experiments._cli.terminal import print_leaderboard
from xentexp.experiments._leaderboard import Leaderboard, Row, best_is

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


def test_one_fold_has_no_standard_deviation() -> None:
    single = Leaderboard((Row("a", {"gini": 0.5}, {"gini": NAN}),), "gini")
    assert "±" not in repr(single) + single.to_markdown()
    assert repr(single).endswith("Ranked by gini.")


def test_a_loss_that_is_registered_elsewhere_is_shown_without_a_rank() -> None:
    rows = Row("a", {"my_loss": 2.0, "gini": 0.1}), Row("b", {"my_loss": 1.0, "gini": 0.2})
    foreign = Leaderboard(rows, "gini")
    assert foreign.shown() == ["gini", "my_loss"]
    assert foreign.best_value("my_loss") is None
    assert best_is("my_loss") == "-"


def test_markdown_of_the_leaderboard() -> None:
    note = board("gini", chosen=("gini", "calibration_slope")).to_markdown()
    assert note.startswith("Best gini: **bold**, 0.6000 ± 0.0200\n")
    assert "| gini | high | &nbsp;**0.6000&nbsp;±&nbsp;0.0200**&nbsp; |" in note
    assert "| calibration_slope | near 1 | &nbsp;**0.8000" in note
    assert "categorical_crossentropy" not in note
    assert "metrics cv/NAME of each child run" in note
    assert "Failed: **broken**: no memory" in note
    assert "-0.0000" not in Leaderboard((Row("a", {"gini": -1e-9}),), "gini").to_markdown()


def test_printed_leaderboard(capsys: pytest.CaptureFixture[str]) -> None:
    print_leaderboard(board(chosen=("gini", "calibration_slope", "entropy")), title="A trial")
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert ["gini", "high", "0.3000", "0.6000*", "0.5000"] in lines
    assert ["calibration_slope", "near", "1", "1.4000", "0.8000*", "-"] in lines
    assert ["entropy", "-", "0.5000", "0.1000", "-"] in lines
    assert "3 more losses and metrics: xentexp leaderboard --losses all" in out
    assert "failed: broken: no memory" in out
    print_leaderboard(board(), title="A trial")
    out = capsys.readouterr().out
    assert "equal to categorical_crossentropy on these data: binary_crossentropy" in out
    assert "more losses" not in out


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_number_is_cut_at_any_width(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.console import Console

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
