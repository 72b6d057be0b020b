"""The report: pages and figures have all labels, load no other files, and are valid."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from rich.console import Console

from tests.support.matrices import by_hand, large
from tests.support.records import credit_data, example_record, matrix_record, numeric
from xentexp.displays._style import RULE, VARIABLES
from xentexp.experiments._analysis import LossMatrix, Trained, build_matrices
from xentexp.experiments._cli.sections.loss_matrix import print_findings, print_matrix
from xentexp.experiments._formatting import DASH, number, signed
from xentexp.experiments._report import heat_map, run_page, to_png, to_svg
from xentexp.experiments._report.contents import Block, Bullets, Details, PageSection, PageTable
from xentexp.experiments._report.curves import curve_figure, curves_section, mean_curve
from xentexp.experiments._report.heatmap import DARK, LIGHT, STEPS, colour_of, colours
from xentexp.experiments._report.matrix import matrix_section

SVG = "{http://www.w3.org/2000/svg}"


def hand() -> LossMatrix:
    return build_matrices(by_hand(), test_train_ratio=0.0)[0]


@pytest.fixture(scope="module")
def wide() -> list[LossMatrix]:
    return build_matrices([*large("linear"), *large("trees", seed=2)], test_train_ratio=1 / 9)


def curves(lengths: tuple[int, ...] = (5, 5), *, valid: bool = True) -> pd.DataFrame:
    """Curves 1, 1/2, 1/3 ... of one loss on the training part, and twice that on the other."""
    parts = {"train": 1.0, "valid": 2.0} if valid else {"train": 1.0}
    return pd.DataFrame(
        [
            (fold, part, "brier_loss", step, factor / (step + 1))
            for fold, length in enumerate(lengths)
            for part, factor in parts.items()
            for step in range(length)
        ],
        columns=["fold", "part", "loss", "step", "value"],
    )


def all_blocks(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        yield from all_blocks(getattr(block, "blocks", ()))


def tables(section: PageSection) -> list[PageTable]:
    return [block for block in all_blocks(section.blocks) if isinstance(block, PageTable)]


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
    assert ["".join(text.itertext()) for text in bold] == ["2.0000", "2.5000", "2.5000"]
    frames = [p for p in svg.split("<path") if "fill: none" in p and f"stroke: {DARK}" in p]
    assert len(frames) == 2


def test_texts_on_coloured_cells_are_the_same_in_both_themes() -> None:
    plain, themed = (to_svg(heat_map(hand()), "t", themed=themed) for themed in (False, True))
    assert themed.count(DARK) == plain.count(DARK) > 10
    assert not {DARK, LIGHT} & set(VARIABLES)
    assert len(themed) < 0.6 * len(plain)
    assert words(themed) == words(plain)


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
    dark, white = (luminance(to_rgb(ink)) for ink in (DARK, LIGHT))
    for value in light:  # WCAG asks for 4.5
        assert max((value + 0.05) / (dark + 0.05), (white + 0.05) / (value + 0.05)) > 4.5


def test_the_colour_is_the_class_of_the_excess_in_percent() -> None:
    matrix = hand()
    found = [[colour_of(cell) for cell in cells] for cells in matrix.cells]
    scale, grey = dict(zip(STEPS, colours(), strict=True)), RULE
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
    assert colour_of(matrix.cells[1][0]) == RULE
    assert "+0.25" in words(to_svg(heat_map(matrix), "m"))


def test_png() -> None:
    data = to_png(heat_map(hand()), dpi=50)
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert width == 250  # 480 pixels of 1/96 inch, at 50 a inch
    assert 100 < height < 250


def test_learning_curves_of_folds_of_different_lengths() -> None:
    frame = curves((5, 3))
    np.testing.assert_allclose(mean_curve(frame, "train", "brier_loss"), [1.0, 1 / 2, 1 / 3])
    axes = curve_figure(frame, "brier_loss").axes[0]
    lengths = [len(np.atleast_1d(line.get_xdata())) for line in axes.lines]
    assert lengths == [5, 3, 3, 5, 3, 3, 1]  # folds and mean of both parts; the lowest point
    content = words(to_svg(axes.figure, "c"))
    assert "training" in content
    assert "validation" in content


def test_learning_curves_without_a_validation_part_and_of_one_step() -> None:
    figure = curve_figure(curves((1,), valid=False), "brier_loss")
    assert "validation" not in words(to_svg(figure, "c"))


def test_a_long_curve_is_drawn_with_few_points() -> None:
    [*folds, mean] = curve_figure(curves((5000, 5000), valid=False), "brier_loss").axes[0].lines
    assert [len(np.atleast_1d(line.get_xdata())) for line in folds] == [60, 60]
    assert np.atleast_1d(mean.get_xdata())[[0, -1]].tolist() == [1, 5000]
    assert len(np.atleast_1d(mean.get_xdata())) == 200


def test_the_section_on_learning_curves() -> None:
    rows = [row for row in by_hand() if row.calibration is not None]
    section = curves_section(matrix_record(rows, curves((5, 3))))
    assert section is not None
    table = tables(section)[0]
    # The corrected variant has the same fits; its curves are not repeated.
    assert [row[0].text for row in table.rows] == [
        *["linear[brier_loss]"] * 2,
        *["linear[exponential_loss]"] * 2,
    ]
    assert [cell.text for cell in table.rows[1][1:]] == [
        "brier_loss",
        "validation",
        "3",
        "2.0000",
        "0.6667",
        "3",
        "0.6667",
    ]
    assert [block.summary for block in section.blocks if isinstance(block, Details)] == [
        "Learning curves of linear[brier_loss]",
        "Learning curves of linear[exponential_loss]",
    ]
    assert curves_section(matrix_record(rows)) is None


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


@pytest.fixture(scope="module")
def sections(wide: list[LossMatrix]) -> list[PageSection]:
    rows = [row for matrix in wide for row in matrix.rows]
    return matrix_section(matrix_record(rows))


def test_each_model_has_a_section_with_all_its_numbers(
    wide: list[LossMatrix], sections: list[PageSection]
) -> None:
    assert [section.heading for section in sections] == [
        "Which loss to train linear on",
        "Which loss to train trees on",
    ]
    for matrix, section in zip(wide, sections, strict=True):
        [choices, _pairs, everything] = tables(section)
        assert {row[0].text for row in choices.rows} == set(matrix.columns)
        values = {(row[0].text, row[1].text.split(" (scored")[0]): row for row in everything.rows}
        for row, cells in zip(matrix.rows, matrix.cells, strict=True):
            for name, cell in zip(matrix.columns, cells, strict=True):
                found = values[name, row.label]
                np.testing.assert_equal(found[2].value, cell.mean)
                assert found[2].text == number(cell.mean)


def test_the_opening_table_shows_doubt() -> None:
    # A matrix by hand; the rows of a record are in the order of the columns.
    [section] = matrix_section(matrix_record(by_hand()))
    brier, hinge = tables(section)[0].rows
    assert [cell.text for cell in brier] == [
        "brier_loss",
        "brier_loss",
        "exponential_loss",  # not tested as different: p is large with three folds
        "2.0000",
        "best",
        *[DASH] * 3,
    ]
    assert hinge[2].text == "exponential_loss (corrected), hinge_loss and brier_loss"
    assert hinge[2].value == 3
    [matrix] = build_matrices(by_hand(), test_train_ratio=0.5)
    cell = matrix.choices()[1].diagonal_cell
    assert cell is not None
    assert cell.comparison is not None
    assert hinge[4].value == cell.excess == 0.5
    assert hinge[5].text == f"{signed(cell.comparison.low, 1)} to {signed(cell.comparison.high, 1)}"
    assert (hinge[6].text, hinge[6].value) == ("20", 20.0)
    assert hinge[7].value == cell.p_adjusted


def test_corrected_probabilities_name_the_columns_that_get_better_and_worse() -> None:
    [section] = matrix_section(matrix_record(by_hand()))
    # The rows of the record have the predictions of another model, and so their calibration.
    [row] = tables(section)[1].rows
    assert [cell.text for cell in row[:3]] == ["exponential_loss", "brier_loss", "none"]
    text = " ".join(str(block) for block in all_blocks(section.blocks))
    assert "inverse link" not in text
    assert "before" not in text


def test_numbers_of_sentences_are_in_the_tables(sections: list[PageSection]) -> None:
    for section in sections:
        values = [cell.value for table in tables(section) for row in table.rows for cell in row]
        lines = [
            line
            for block in section.blocks
            if isinstance(block, Bullets)
            for line in block.sentences
            if "mean" in line.numbers()
        ]
        for line in lines:
            for value in line.numbers().values():
                assert value in values


def test_a_matrix_of_one_fold_has_no_tests_and_says_so() -> None:
    rows = [Trained("m", "a", {"brier_loss": [0.3]}, "brier_loss")]
    rows.append(Trained("m", "c", {"brier_loss": [0.2]}))
    [section] = matrix_section(matrix_record(rows))
    text = text_of(section)
    assert "With one fold, differences cannot be tested" in text
    assert "not tested" in text
    assert "no interval" in text
    assert "nan" not in text.lower().split()


def test_a_run_with_one_training_loss_has_no_matrix() -> None:
    assert matrix_section(matrix_record(by_hand()[:1])) == []
    assert matrix_section(example_record(numeric(credit_data(90)), cv=3)) == []


def text_of(section: PageSection) -> str:
    """Text of the tables and sentences of a section."""
    words = []
    for block in all_blocks(section.blocks):
        if isinstance(block, PageTable):
            words += [cell.text for row in block.rows for cell in row]
        if isinstance(block, Bullets):
            words += map(str, block.sentences)
    return " ".join(words)


def test_the_page_is_self_contained_and_escapes_names_from_the_data() -> None:
    bad = "<script>alert(1)</script>"
    values = {"brier_loss": [0.3, 0.2]}
    rows = [
        Trained(bad, f"class {bad}", values),
        Trained(bad, f"class {bad}", values, corrected=True),
        Trained(bad, "failing", error=f"unknown label {bad}"),
    ]
    html = run_page(matrix_record(rows, curves()))
    assert "<script" not in html
    tags = parsed(html)
    assert tags.loads == []
    assert not re.search(r"@import|url\((?!#)", html)
    for text in (f"Which loss to train {bad} on", f"class {bad}", f"unknown label {bad}"):
        assert text in tags.text
    used = set(re.findall(r'(?:url\(|xlink:href=")#([^)"]+)', html))
    assert used
    assert all(len(re.findall(f' id="{name}"', html)) == 1 for name in used)


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


def test_learning_curves_with_only_a_validation_part() -> None:
    frame = curves()
    section = curves_section(
        matrix_record(by_hand()[:1], frame[frame["part"] == "valid"].reset_index(drop=True))
    )
    assert section is not None
    assert [row[2].text for row in tables(section)[0].rows] == ["validation"]
