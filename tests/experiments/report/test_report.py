"""The report: pages and figures have all labels, load no other files, and are valid."""

from __future__ import annotations

import re
import struct
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from tests.support.matrices import by_hand, large
from xentexp.errors import InputError
from xentexp.experiments._analysis import Calibration, LossMatrix, Trained, build_matrices
from xentexp.experiments._analysis.wording import findings
from xentexp.experiments._cli.sections.loss_matrix import print_findings, print_matrix
from xentexp.experiments._formatting import number
from xentexp.experiments._report import (
    Curves,
    curves_by_loss,
    curves_by_row,
    heat_map,
    page,
    to_png,
    to_svg,
)
from xentexp.experiments._report.heatmap import STEPS, colour_of, colours

SVG = "{http://www.w3.org/2000/svg}"


def hand() -> LossMatrix:
    return build_matrices(by_hand(), test_train_ratio=0.0)[0]


@pytest.fixture(scope="module")
def wide() -> list[LossMatrix]:
    return build_matrices([*large("linear"), *large("trees", seed=2)], test_train_ratio=1 / 9)


def curves(n: int = 5, *, valid: bool = True, names: tuple[str, ...] = ("brier_loss",)) -> Curves:
    falling = (1.0 / np.arange(1, n + 1)).tolist()
    parts = ("train", "valid") if valid else ("train",)
    return {part: dict.fromkeys(names, falling) for part in parts}


def texts(svg: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(f"{SVG}text"))


def words(svg: str) -> str:
    return " ".join("".join(text.itertext()) for text in texts(svg))


def test_every_label_and_value_is_text_in_the_heat_map(wide: list[LossMatrix]) -> None:
    matrix = wide[0]
    content = words(to_svg(heat_map(matrix), "linear"))
    for row in matrix.rows:
        assert row.loss.split(" ")[0].replace("_", " ").split()[-1] in content
    for name in matrix.columns:
        assert all(word in content for word in name.split("_"))
    for cells in matrix.cells:
        for cell in cells:
            assert number(cell.mean) in content
    assert content.count("corrected") == len(matrix.pairs())
    assert f"Holm's adjustment for {matrix.n_tests} tests" in content
    assert "– the model does not predict probabilities" in content  # noqa: RUF001


def test_marks_of_the_heat_map() -> None:
    matrix = hand()
    svg = to_svg(heat_map(matrix), "t")
    found = ["".join(text.itertext()) for text in texts(svg)]
    assert found.count("best") == 3
    assert "2.5000*" in found  # 0.5 more in every fold
    assert found.count("+25 %") == 1
    bold = [t for t in texts(svg) if re.search(r"\b(700|bold)\b", t.get("style", ""))]
    assert ["".join(text.itertext()) for text in bold] == [
        "2.0000",
        "2.5000",
        "2.5000",
        "linear: rows trained on, columns scored on",
    ]
    frames = [path for path in svg.split("<path") if "#d55e00" in path]
    assert len(frames) == 2


def test_equal_figures_give_equal_files_without_links() -> None:
    first, second = (to_svg(heat_map(hand()), "t") for _ in range(2))
    assert first == second
    assert first.startswith("<svg")
    assert "<title>t</title>" in first
    assert set(re.findall(r'https?://[^"\s]+', first)) <= {
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/2000/svg",
    }


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_colours_differ_in_lightness_and_have_contrast_with_text() -> None:
    light = [luminance(colour) for colour in colours()]
    assert all(a > 1.15 * b for a, b in pairwise(light[1:]))
    assert light[0] > light[1]
    ink = luminance((0x1A / 255,) * 3)
    for value in light:  # WCAG asks for 4.5
        assert max((value + 0.05) / (ink + 0.05), 1.05 / (value + 0.05)) > 4.5


def test_the_colour_is_the_class_of_the_excess_in_percent() -> None:
    matrix = hand()
    found = [[colour_of(cell) for cell in cells] for cells in matrix.cells]
    scale, grey = dict(zip(STEPS, colours(), strict=True)), "#f1f1f1"
    assert found == [
        [scale[0.0], scale[30.0]],
        [scale[100.0], scale[0.0]],
        [scale[10.0], scale[0.0]],
        [grey, scale[10.0]],
    ]


def test_with_a_best_of_zero_the_excess_is_absolute_and_without_colour() -> None:
    rows = [Trained("m", "a", {"brier_loss": [0.0, 0.0]}), Trained("m", "b", {"brier_loss": [0.2]})]
    rows[1] = Trained("m", "b", {"brier_loss": [0.2, 0.3]})
    [matrix] = build_matrices(rows, test_train_ratio=0.5)
    assert colour_of(matrix.cells[1][0]) == "#f1f1f1"
    assert "+0.25" in words(to_svg(heat_map(matrix), "m"))


def test_png() -> None:
    data = to_png(heat_map(hand()), dpi=50)
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert width == 400
    assert 100 < height < 400


def test_learning_curves_of_folds_of_different_lengths() -> None:
    svg = to_svg(curves_by_loss([curves(5), curves(3)], "linear on brier_loss"), "c")
    content = words(svg)
    assert "brier loss" in content
    assert "0.3333 at 3" in content  # the mean ends where the shorter fold does
    assert "validation part, lowest mean marked" in content


def test_learning_curves_without_a_validation_part_and_of_one_step() -> None:
    assert "validation" not in words(to_svg(curves_by_loss([curves(1, valid=False)], "c"), "c"))


def test_learning_curves_by_row_show_the_loss_trained_on() -> None:
    folds = [curves(names=("brier_loss", "hinge_loss"))]
    content = words(to_svg(curves_by_row({"brier_loss": folds, "focal gamma=2": folds}, "t"), "t"))
    assert "focal gamma=2" in content
    assert "hinge" not in content


@pytest.mark.parametrize("draw", [lambda: curves_by_loss([], "t"), lambda: curves_by_row({}, "t")])
def test_no_curves(draw: object) -> None:
    with pytest.raises(InputError, match="t: no learning curve was recorded"):
        draw()


class Tags(HTMLParser):
    """Open tags, closed in order; attributes that load something; text."""

    VOID = frozenset({"meta", "wbr", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key in ("src", "href", "srcset", "xlink:href") and not str(value).startswith("#"):
                self.loads.append((tag, str(value)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    return tags


def test_the_page_is_complete_and_self_contained(wide: list[LossMatrix]) -> None:
    folds = [curves(names=("brier_loss", "hinge_loss")), curves(4)]
    html = page(
        wide,
        title="cards & <loans>",
        details={"Data set": "uci_default"},
        curves={"trees": {"brier_loss": folds}},
    )
    tags = parsed(html)
    assert tags.loads == []
    assert "<script" not in html
    assert not re.search(r"@import|url\((?!#)", html)
    assert "Which loss to train on: cards & <loans>" in tags.text
    assert "<loans>" not in html
    for matrix in wide:
        assert f"Loss matrix of {matrix.model}" in tags.text
        for line in findings(matrix):
            assert line in tags.text
        for row in matrix.rows:
            assert row.label in tags.text
        for name in matrix.columns:
            assert name in tags.text
    assert "Learning curves of trees" in tags.text
    assert "Learning curves of linear" not in tags.text
    assert "Before and after the correction of probabilities" in tags.text
    for part in ("Nadeau and Bengio", "J = 10", "0.1111", "uci_default"):
        assert part in tags.text


def test_names_from_the_data_are_escaped_on_the_page() -> None:
    bad = "<script>alert(1)</script>"
    values = {"brier_loss": [0.3, 0.2], bad: [0.3, 0.1]}
    rows = [
        Trained(bad, f"class {bad}", values, calibration=Calibration((0.1, -0.1), 0.1)),
        Trained(bad, f"class {bad}", values, corrected=True, calibration=Calibration((0, 0), 0)),
        Trained(bad, "failing", error=f"unknown label {bad}"),
    ]
    fold = curves(names=(bad, "brier_loss"))
    html = page(
        build_matrices(rows, test_train_ratio=0.5, columns=["brier_loss"]),
        title=bad,
        details={bad: bad},
        curves={bad: {f"class {bad}": [fold]}},
    )
    assert "<script" not in html
    content = parsed(html).text
    for text in (f"Which loss to train on: {bad}", f"class {bad}", f"unknown label {bad}"):
        assert text in content
    assert f"{bad} trained on class {bad}: all recorded losses" in content


def test_a_narrow_window_scrolls_wide_figures_and_does_not_stretch_small_ones(
    wide: list[LossMatrix],
) -> None:
    found = re.findall(r'<svg[^>]* style="min-width: (\d+)px"', page([wide[0], hand()], title="t"))
    assert [int(pixels) for pixels in found] == [1080, 768]  # eight inches of 96 pixels


def test_figures_on_one_page_share_no_ids(wide: list[LossMatrix]) -> None:
    html = page(wide, title="t", curves={"trees": {"a": [curves()]}, "linear": {"a": [curves()]}})
    used = set(re.findall(r'(?:url\(|xlink:href=")#([^)"]+)', html))
    assert used
    assert all(len(re.findall(f' id="{name}"', html)) == 1 for name in used)


def test_the_page_of_one_fold_has_no_tests() -> None:
    rows = [Trained("m", "a", {"brier_loss": [0.3]}, "brier_loss"), Trained("m", "b", {})]
    rows.append(Trained("m", "c", {"brier_loss": [0.2]}))
    text = parsed(page(build_matrices(rows, test_train_ratio=0.25), title="t")).text
    assert "With one fold, differences cannot be tested" in text
    assert "a test needs at least two folds" in text
    assert "nan" not in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_number_of_the_terminal_table_is_cut_at_any_width(
    width: int,
    wide: list[LossMatrix],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    narrow = lambda **_: Console(width=width, highlight=False)  # noqa: E731
    monkeypatch.setattr("xentexp.experiments._cli.terminal.console", narrow)
    matrix = wide[0]
    print_matrix(matrix, title="A trial")
    print_findings(matrix)
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= width
    for cells in matrix.cells:
        for cell in cells:
            assert number(cell.mean) in out
    assert "+0.2202" in out


def test_the_terminal_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_matrix(hand(), title="A trial")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["brier", "loss", "[2.0000]", "4.0000", "-0.0100", "0.0200"] in lines
    assert ["best", "+60%"] in lines
    assert ["corrected", "2.5000*", "2.5000", "+0.0040", "0.0300"] in lines
    assert ["hinge", "loss", "–", "[3.0000]", "–", "–"] in lines  # noqa: RUF001


@pytest.mark.long
def test_learning_curves_with_only_a_validation_part(wide: list[LossMatrix]) -> None:
    validation_curves = {"valid": curves(names=("brier_loss", "hinge_loss"))["valid"]}
    assert "hinge loss" in words(to_svg(curves_by_loss([validation_curves], "c"), "c"))
    html = page(wide, title="t", curves={"trees": {"a": [validation_curves]}})
    assert "all recorded losses" in html
