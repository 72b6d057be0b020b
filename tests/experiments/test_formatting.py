"""Numbers and names as text."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from xentexp.experiments._formatting import (
    counted,
    dotted,
    fixed,
    markdown_table,
    number,
    p_value,
    percent,
    setting,
    signed_percent,
    wrapped,
)
from xentexp.experiments._leaderboard import best_is, better
from xentexp.experiments._models import FrequentCategories
from xentexp.experiments.datasets._repeats import cell_hashes


@pytest.mark.parametrize(
    ("format_value", "values", "texts"),
    [
        (
            percent,
            (0.0, 0.004, 0.123, 4.56, 78.9, 12345.0),
            ["0", "<0.01", "0.12", "4.6", "79", ">9999"],
        ),
        (signed_percent, (0.004, 4.56, 12345.0), ["< +0.01 %", "+4.6 %", "> +9999 %"]),
        (p_value, (0.4321, 0.0432, 1e-9, 1.0), ["p = 0.43", "p = 0.043", "p < 0.001", "p = 1"]),
        (
            number,
            (0.43212, 0.00123456, 8180048518.7, math.nan, math.inf),
            ["0.4321", "0.001235", "8.2e+09", "–", "inf"],  # noqa: RUF001
        ),
        (fixed, (0.43212, -1e-9, math.nan), ["0.4321", "0.0000", "-"]),
        (setting, (0.12345678, None), ["0.123457", "None"]),
        (dotted, ("classifier__max_depth",), ["classifier.max_depth"]),
        (
            best_is,
            ("brier_loss", "gini", "calibration_slope", "entropy"),
            ["low", "high", "near 1", "-"],
        ),
    ],
)
def test_values_as_text(format_value, values, texts):
    assert [format_value(value) for value in values] == texts


def test_digits_and_signs():
    assert fixed(0.5, 2, sign="+") == "+0.50"
    assert setting(0.12345678, 3) == "0.123"


def test_long_names_are_wrapped():
    assert wrapped("categorical_focal_crossentropy class_weight=balanced", 18) == (
        "categorical focal\ncrossentropy\nclass_weight=balanced"
    )


def test_markdown_table():
    table = markdown_table(["model", "gini"], [["linear", "0.31"]])
    assert table == "| model | gini |\n|---|---:|\n| linear | 0.31 |"


def test_direction_and_optimum():
    assert better("gini") == ("higher", 1.0)
    assert better("entropy") is None
    assert better("calibration_slope") == ("nearest", 1.0)


def test_rare_categories_become_missing():
    frame = pd.DataFrame({"job": ["cook", "cook", "clerk"]})
    jobs = FrequentCategories(max_categories=1).fit_transform(frame)["job"]
    assert jobs.isna().tolist() == [False, False, True]


def test_equal_partial_rows_have_equal_hashes():
    a, b = cell_hashes([pd.Series([1, 1, 2]), pd.Series([None, None, "x"])])
    assert a[0] == a[1] != a[2]
    assert a[0] + b[0] == a[1] + b[1]


def test_counted_uses_the_plural_except_for_one() -> None:
    assert counted(1, "row") == "1 row"
    assert counted(0, "fold") == "0 folds"
    assert counted(2000, "class") == "2,000 classes"
