"""The loss matrix: excess over best, tests, diagonal, calibration and findings."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin

from tests.support.matrices import by_hand, large
from xentexp.errors import InputError
from xentexp.experiments._analysis import LossMatrix, Trained, build_matrices, trained_from
from xentexp.experiments._analysis.wording import findings, markdown
from xentexp.experiments._compare import run_experiment
from xentexp.experiments._folds import CrossValidation
from xentexp.experiments._formatting import number
from xentexp.experiments._record import model_record
from xentexp.experiments._results import Candidate
from xentexp.experiments.datasets import Card, make_dataset
from xentexp.inference._comparison import holm


def build(rows: list[Trained] | None = None, **options: object) -> LossMatrix:
    [matrix] = build_matrices(
        by_hand() if rows is None else rows, **{"test_train_ratio": 0.5, **options}
    )
    return matrix


def said(matrix: LossMatrix) -> list[str]:
    return [*map(str, findings(matrix))]


def frame(matrix: LossMatrix, value: str) -> list[list[float]]:
    return matrix.to_frame(value).to_numpy().tolist()


def test_a_corrected_row_follows_the_uncorrected_row() -> None:
    matrix = build()
    labels = ["brier_loss", "exponential_loss", "exponential_loss (corrected)", "hinge_loss"]
    assert list(matrix.to_frame().index) == labels
    assert matrix.pairs() == [(1, 2)]
    assert matrix.columns == ("brier_loss", "hinge_loss")


def test_means_excess_and_diagonal_by_hand() -> None:
    matrix, nan = build(), math.nan
    mean = [[2.0, 4.0], [4.0, 2.5], [2.5, 2.5], [nan, 3.0]]
    excess = [[0.0, 1.5], [2.0, 0.0], [0.5, 0.0], [nan, 0.5]]
    percent = [[0.0, 60.0], [100.0, 0.0], [25.0, 0.0], [nan, 20.0]]
    from_diagonal = [[0.0, 1.0], [2.0, -0.5], [0.5, -0.5], [nan, 0.0]]
    np.testing.assert_allclose(frame(matrix, "mean"), mean)
    np.testing.assert_allclose(frame(matrix, "excess"), excess)
    np.testing.assert_allclose(frame(matrix, "percent"), percent)
    np.testing.assert_allclose(frame(matrix, "from_diagonal"), from_diagonal)
    np.testing.assert_allclose(
        frame(matrix, "std"), [[1, 0], [2, math.sqrt(1.75)], [1, math.sqrt(1.75)], [nan, 1]]
    )
    diagonal = [[cell.diagonal for cell in cells] for cells in matrix.cells]
    assert diagonal == [[True, False], [False, False], [False, False], [False, True]]


def test_each_cell_is_tested_against_the_best_of_its_column_and_all_are_one_family() -> None:
    matrix = build(test_train_ratio=0.0)  # without shared training rows it is the t-test of scipy
    brier, hinge = [1.0, 2.0, 3.0], [3.0, 3.5, 1.0]
    p = [
        stats.ttest_rel([4.0, 4.0, 4.0], hinge).pvalue,
        stats.ttest_rel([2.0, 4.0, 6.0], brier).pvalue,
        0.0,  # 0.5 more in every fold
        stats.ttest_rel([2.0, 3.0, 4.0], hinge).pvalue,
    ]
    cells = matrix.cells
    tested = [cells[0][1], cells[1][0], cells[2][0], cells[3][1]]
    assert [cell.comparison.p for cell in tested] == pytest.approx(p)
    assert matrix.n_tests == 4
    assert [cell.p_adjusted for cell in tested] == pytest.approx(holm(p))
    assert [cell.worse for cell in tested] == [False, False, True, False]
    # the best row and rows that equal it up to rounding are not tested
    assert [cells[0][0].best, cells[1][1].best, cells[2][1].best] == [True] * 3
    assert all(math.isnan(c.p_adjusted) for c in (cells[0][0], cells[1][1], cells[2][1]))


def test_the_variance_of_shared_training_rows_reaches_the_test() -> None:
    plain, corrected = build(test_train_ratio=0.0), build(test_train_ratio=0.5)
    [a, b] = [matrix.cells[1][0].comparison for matrix in (plain, corrected)]
    assert b.standard_error == pytest.approx(a.standard_error * math.sqrt((1 / 3 + 1 / 2) * 3))
    assert a.low < 2.0 < a.high < b.high


def test_best_row_of_each_column() -> None:
    brier, hinge = build().choices()
    assert brier.best is brier.diagonal
    assert brier.best.loss == "brier_loss"
    assert (hinge.best.label, hinge.diagonal.label) == ("exponential_loss", "hinge_loss")
    assert hinge.diagonal_cell.excess == 0.5
    assert "hinge_loss" in [row.label for row in hinge.near]


def test_the_diagonal_row_is_best_if_tied() -> None:
    rows = by_hand()
    rows[2] = replace(rows[2], fold_values={"hinge_loss": [3.0, 3.5, 1.0]})
    choice = build(rows).choices()[1]
    assert choice.best is choice.diagonal
    assert choice.diagonal.label == "hinge_loss"


def test_a_corrected_row_is_never_diagonal() -> None:
    rows = by_hand()
    rows[3] = replace(rows[3], column="brier_loss")
    assert not build(rows).cells[2][0].diagonal


def test_means_that_differ_by_rounding_are_both_the_best() -> None:
    values = {"a": [0.1 + 0.2], "b": [0.3]}
    rows = [Trained("m", name, {"brier_loss": value}) for name, value in values.items()]
    assert [cell.best for cell in build(rows).column("brier_loss")] == [True, True]


def test_higher_is_better_for_some_columns() -> None:
    rows = [
        Trained("m", "a", {"roc_auc": [0.8, 0.7]}),
        Trained("m", "b", {"roc_auc": [0.6, 0.6]}),
    ]
    matrix = build(rows, columns=["roc_auc"])
    assert [cells[0].best for cells in matrix.cells] == [True, False]
    assert frame(matrix, "mean") == [[0.75], [0.6]]
    assert frame(matrix, "excess") == pytest.approx(np.array([[0.0], [0.15]]))
    assert frame(matrix, "percent") == pytest.approx(np.array([[0.0], [20.0]]))


def test_a_column_with_the_same_values_is_left_out_and_its_row_is_the_diagonal_of_the_other() -> (
    None
):
    same = {"binary_crossentropy": [0.4, 0.5], "categorical_crossentropy": [0.4, 0.5 + 1e-15]}
    worse = {"binary_crossentropy": [0.5, 0.5], "categorical_crossentropy": [0.5, 0.5]}
    rows = [
        Trained("m", "categorical_crossentropy", same, "categorical_crossentropy"),
        Trained("m", "focal", worse),
    ]
    matrix = build(rows)
    assert matrix.columns == ("binary_crossentropy",)
    assert matrix.repeated == {"categorical_crossentropy": "binary_crossentropy"}
    assert matrix.cells[0][0].diagonal
    assert matrix.n_tests == 1
    assert any("has the same values as binary_crossentropy" in line for line in said(matrix))


def test_cells_without_a_value_have_a_reason() -> None:
    rows = by_hand()
    rows.append(Trained("linear", "focal", error="no memory"))
    rows.append(Trained("linear", "power_loss", {"brier_loss": [1.0, math.inf, 1.0]}))
    matrix = build(rows)
    assert matrix.cells[3][0].reason == "the model does not predict probabilities"
    assert matrix.cells[4][0].reason == "failed: no memory"
    assert matrix.cells[5][0].reason == "fold 2 of 3 has no finite value"
    assert matrix.cells[5][0].mean == math.inf
    assert [cell.best for cell in matrix.column("brier_loss")].index(True) == 0
    sentences = " ".join(said(matrix))
    assert (
        "hinge_loss has no value in 1 column: the model does not predict probabilities."
        in sentences
    )
    assert "focal failed: no memory." in sentences


def test_one_fold_has_no_test() -> None:
    rows = [Trained("m", "a", {"brier_loss": [0.3]}), Trained("m", "b", {"brier_loss": [0.2]})]
    matrix = build(rows)
    assert matrix.n_tests == 0
    assert matrix.cells[0][0].reason == "a test needs at least two folds"
    assert matrix.cells[0][0].excess == pytest.approx(0.1)
    assert any("With one fold, differences cannot be tested" in line for line in said(matrix))
    assert "No tests" in markdown(matrix)


def test_a_best_of_zero_has_no_percent() -> None:
    rows = [Trained("m", "a", {"brier_loss": [0.0]}), Trained("m", "b", {"brier_loss": [0.2]})]
    assert math.isnan(build(rows).cells[1][0].percent)


def test_models_have_a_matrix_and_a_family_each() -> None:
    matrices = build_matrices([*large("linear"), *large("trees", seed=2)], test_train_ratio=1 / 9)
    assert [matrix.model for matrix in matrices] == ["linear", "trees"]
    for matrix in matrices:
        best = sum(cell.best for cells in matrix.cells for cell in cells)
        missing = sum(math.isnan(cell.mean) for cells in matrix.cells for cell in cells)
        assert matrix.n_tests == len(matrix.rows) * len(matrix.columns) - best - missing
        assert 0 < sum(cell.worse for cells in matrix.cells for cell in cells) < matrix.n_tests


def test_findings() -> None:
    first, *others = said(build())
    assert first == (
        "linear was both trained and scored on 2 losses; training on the scoring loss itself "
        "gives the best mean for 1 of them, and is not significantly worse for 1 of the other 1."
    )
    assert others[0].startswith(
        "Scored on hinge_loss, training on exponential_loss is best (2.5000); training on "
        "hinge_loss itself is worse by 0.5 (20 %; not significant, adjusted p = "
    )
    assert others[-2] == (
        "Corrected probabilities of exponential_loss: the shift (mean predicted rate minus base "
        "rate) is +0.0040 (uncorrected +0.1000) and the expected calibration error 0.0300 "
        "(uncorrected 0.1200); better on brier_loss (not significant); worse on no column."
    )


def test_numbers_of_findings_are_those_of_the_cells() -> None:
    matrix = build()
    hinge = matrix.choices()[1]
    first, exception, tests, corrected, missing = findings(matrix)
    assert first.numbers() == {"n_both": 2, "n_best": 1, "n_near": 1, "n_others": 1}
    assert hinge.cell is not None
    assert hinge.diagonal_cell is not None
    assert exception.numbers() == {
        "mean": hinge.cell.mean,
        "excess": hinge.diagonal_cell.excess,
        "percent": hinge.diagonal_cell.percent,
    }
    # The corrected row has 0.5 more than the best in every fold.
    assert tests.numbers() == {"n_worse": 1, "n_tests": matrix.n_tests, "alpha": 0.05}
    assert corrected.numbers() == {
        "new_shift": 0.004,
        "old_shift": 0.1,
        "new_ece": 0.03,
        "old_ece": 0.12,
    }
    assert not missing.numbers()


def test_changes_with_corrected_probabilities_are_tested_against_the_uncorrected_row() -> None:
    # Without shared training rows the test is the paired t-test of scipy; hinge_loss is unchanged.
    matrix = build(test_train_ratio=0.0)
    [(row, (brier, hinge))] = matrix.changes.items()
    assert row == 2
    assert (brier.column, brier.difference) == ("brier_loss", -1.5)
    p = [stats.ttest_rel([1.5, 2.5, 3.5], [2.0, 4.0, 6.0]).pvalue, 1.0]
    assert [brier.p_adjusted, hinge.p_adjusted] == pytest.approx(holm(p))
    assert (hinge.difference, hinge.significant) == (0.0, False)
    rows = by_hand()
    rows[3] = replace(rows[3], fold_values={"brier_loss": [1.0, 3.0, 5.0], "hinge_loss": [4, 4, 4]})
    changes = build(rows).changes[2]
    assert [change.significant for change in changes] == [True, False]  # 1 less in every fold
    text = next(line for line in said(build(rows)) if line.startswith("Corrected"))
    assert "better on brier_loss (significant); worse on hinge_loss (not significant)." in text


def test_rows_that_are_not_significantly_worse_are_listed_best_first() -> None:
    names = ["a", "b", "c", "d"]
    values = [[0.1, 0.2, 0.3], [0.4, 0.2, 0.4], [0.1, 0.3, 0.3], [9.1, 9.2, 9.3]]
    rows = [
        Trained("m", name, {"brier_loss": value}) for name, value in zip(names, values, strict=True)
    ]
    [choice] = build(rows).choices()
    assert choice.best is not None
    assert choice.best.label == "a"
    assert [row.label for row in choice.near] == ["c", "b"]


def test_findings_for_a_column_without_a_training_loss() -> None:
    rows = [
        Trained("m", "a", {"zero_one_loss": [0.2, 0.3]}),
        Trained("m", "b", {"zero_one_loss": [0.2, 0.4]}),
    ]
    sentences = said(build(rows))
    assert sentences[0] == (
        "Scored on zero_one_loss (no row was trained on it), training on a is best "
        "(0.2500; 1 other row is not significantly worse)."
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_number_fits_its_cell_whatever_its_size(sign: float) -> None:
    for power in range(-20, 20):
        for digits in (1.0, 1.23456789, 9.9999999):
            value = sign * digits * 10.0**power
            text = number(value)
            assert len(text) <= 9 + (sign < 0)
            assert float(text) == pytest.approx(value, rel=0.05)


def test_records_are_json_and_complete() -> None:
    matrix = build()
    records = matrix.to_records()
    assert len(records) == 8
    json.dumps(records, allow_nan=False)
    json.dumps(matrix.calibration_records(), allow_nan=False)
    hinge = records[6]
    assert (hinge["trained_on"], hinge["scored_on"], hinge["mean"]) == (
        "hinge_loss",
        "brier_loss",
        None,
    )
    assert hinge["reason"] == "the model does not predict probabilities"
    assert records[2]["low"] < records[2]["excess"] < records[2]["high"]
    assert [row["shift"] for row in matrix.calibration_records()] == [-0.01, 0.1, 0.004]


def test_markdown() -> None:
    lines = markdown(build(test_train_ratio=0.0)).splitlines()
    assert lines[2] == "| brier loss | **[2.0000]** | 4.0000 | -0.0100 | 0.0200 |"
    assert (
        lines[4] == "| exponential loss (corrected) | 2.5000\\* | **2.5000** | +0.0040 | 0.0300 |"
    )
    assert lines[5] == "| hinge loss | – | [3.0000] | – | – |"  # noqa: RUF001
    assert "Holm's adjustment for 4 tests" in lines[-1]


@pytest.mark.parametrize(
    ("rows", "options", "rule"),
    [
        ([], {}, "rows must contain at least one row"),
        (
            [Trained("m", "a"), Trained("m", "a")],
            {},
            "labels of rows must be unique within a model",
        ),
        (None, {"columns": ["brier"]}, "unknown loss to score on 'brier'; did you mean"),
        (None, {"columns": []}, "columns must name at least one loss"),
        (None, {"alpha": 5.0}, "alpha must be between 0 and 1; got 5"),
        (
            [Trained("m", "a", {"entropy": [1.0]})],
            {"columns": ["entropy"]},
            "entropy does not rank models",
        ),
        (
            [
                Trained("m", "a", {"brier_loss": [1.0]}),
                Trained("m", "b", {"brier_loss": [1.0, 2.0]}),
            ],
            {},
            "rows must have the same number of folds",
        ),
    ],
)
def test_bad_input(rows: list[Trained] | None, options: dict[str, object], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        build(rows, **options)


def test_an_unknown_field_of_a_cell() -> None:
    with pytest.raises(InputError, match="unknown field of a cell 'precent'; did you mean"):
        build().to_frame("precent")


class Constant(ClassifierMixin, BaseEstimator):
    """Predict the same probabilities for every row, so that the calibration error is known."""

    def __init__(self, rate: float = 0.5) -> None:
        self.rate = rate

    def fit(self, X: pd.DataFrame, y: pd.Series) -> Constant:
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return np.tile([1.0 - self.rate, self.rate], (len(X), 1))


def test_a_row_from_an_experiment() -> None:
    card = Card("made", "made up", "this test", "-", "y", (), None)
    X = pd.DataFrame({"a": np.arange(40.0)})
    y = pd.Series(np.tile([0, 0, 0, 1], 10))
    dataset = make_dataset(X, y, card)
    result = run_experiment(
        dataset,
        [Candidate("prior", Constant(0.35))],
        CrossValidation(n_splits=5).folds(dataset),
        losses=["brier_loss", "categorical_crossentropy"],
    )
    row = trained_from(model_record(result.candidate_results[0], dataset))
    assert (row.model, row.loss, row.column) == ("prior", "prior", None)
    # 25 % of each fold are of class 1, and .35 is predicted: an error of .1 in a single bin
    assert row.calibration.shift == pytest.approx((-0.1, 0.1))
    assert row.calibration.headline == pytest.approx(0.1)
    assert row.calibration.ece == pytest.approx(0.1)
    assert row.mean("brier_loss") == pytest.approx(0.75 * 0.35**2 + 0.25 * 0.65**2)
    assert len(row.fold_values["brier_loss"]) == 5
