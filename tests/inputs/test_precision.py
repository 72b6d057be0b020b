"""Row sums may be as far from 1 as the precision of the numbers makes them, and no further."""

import io

import numpy as np
import pandas as pd
import pytest

from xentexp import metrics as m
from xentexp._inputs import columns
from xentexp._inputs.columns import printed_tolerance
from xentexp._inputs.read import read
from xentexp.errors import InputError

CCE = m.categorical_crossentropy
RNG = np.random.default_rng(0)


def from_csv(p, float_format=None):
    text = pd.DataFrame(p).to_csv(index=False, float_format=float_format)
    return pd.read_csv(io.StringIO(text)).to_numpy()


@pytest.mark.parametrize("k", [2, 3, 20])
@pytest.mark.parametrize("digits", ["%.6f", "%.7f", "%.6g", "%.7g", "%.9g"])
def test_probabilities_printed_with_6_to_9_digits_are_accepted(digits, k):
    p = RNG.dirichlet(np.ones(k), 200)
    printed = from_csv(p, digits)
    y = np.arange(200) % k
    assert np.abs(printed.sum(axis=1) - 1.0).max() <= k * 1e-6
    assert CCE(y, printed) == CCE(y, printed, normalize=None)


def test_float32_probabilities_are_accepted_from_csv_and_as_python_numbers():
    p = RNG.dirichlet(np.ones(3), 200).astype(np.float32)
    y = np.arange(200) % 3
    for values in (from_csv(p), p.tolist(), p.astype(np.float64), pd.DataFrame(p).astype(float)):
        assert np.abs(np.asarray(values).sum(axis=1) - 1.0).max() > 2e-8
        assert CCE(y, values) == pytest.approx(CCE(y, p), rel=1e-7)
    assert CCE(p.tolist(), p) == pytest.approx(CCE(p, p), rel=1e-7)


def test_the_precision_of_all_rows_is_computed_once(monkeypatch):
    calls = []
    compute = columns.less_precise_tolerance
    monkeypatch.setattr(
        columns, "less_precise_tolerance", lambda values: calls.append(1) or compute(values)
    )
    p = np.random.default_rng(0).dirichlet(np.ones(3), 200_000).astype(np.float32).astype(float)
    y = np.arange(len(p)) % 3
    expected = -np.log(p[np.arange(len(p)), y]).mean()
    assert CCE(y, p) == pytest.approx(expected, rel=1e-12)  # in several blocks
    assert len(calls) == 1
    CCE(p, p)  # targets and predictions
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("row", "tolerance"),
    [
        ([0.5, 0.6], 0.0),  # one digit is not rounding
        ([0.33, 0.66], 2e-2),
        ([0.333, 0.667], 2e-3),
        ([0.333333, 0.666667], 2e-6),
        ([0.333333, 0.666666, 1e-5], 3e-6),  # smaller numbers may have more decimals
        ([0.3333333, 0.6666667], 2e-7),
        ([0.333333343, 0.666666687], 2e-7),  # float32, which has 7 digits
        ([0.3333333333, 0.6666666667], 0.0),
        ([0.1234567890123456, 1 - 0.1234567890123456], 0.0),
    ],
)
def test_printed_tolerance_is_a_unit_of_the_last_digit_for_each_column(row, tolerance):
    assert printed_tolerance(np.array([row, row])) == pytest.approx(tolerance, rel=1e-12)


def test_printed_tolerance_needs_columns_of_floats():
    assert printed_tolerance(np.array([0.25, 0.5])) == 0.0
    assert printed_tolerance(np.array([[1, 0]])) == 0.0
    assert printed_tolerance(np.array([["a", None]], dtype=object)) == 0.0


def test_numbers_of_few_digits_are_accepted_only_if_they_come_from_text():
    p = np.array([[0.33, 0.33, 0.33], [0.5, 0.25, 0.25]])
    with pytest.raises(InputError, match=r"row 0 with 0\.99; it is off by 0\.01, more than"):
        CCE([0, 1], p)
    checked = read([0, 1], p, tolerance=printed_tolerance(p))
    assert [part.block.proba.tolist() for part in checked.parts()] == [p.tolist()]


@pytest.mark.parametrize(
    ("values", "tolerance"),
    [
        (lambda p: p, "1.5e-08"),
        (lambda p: p.astype("f4"), "0.00035"),
        (lambda p: p.astype(">f4"), "0.00035"),
        (lambda p: p.astype("f2"), "0.031"),
        (lambda p: pd.DataFrame(p).astype("Float32"), "0.00035"),
        (lambda p: pd.DataFrame(p).astype({0: "float32"}), "0.00035"),  # the least precise column
    ],
)
def test_the_error_names_the_worst_row_its_deviation_and_the_tolerance(values, tolerance):
    p = np.random.default_rng(0).dirichlet(np.ones(3), 8)  # the same numbers in any order of tests
    p[2] *= 1.1
    p[5] *= 1.25
    with pytest.raises(InputError) as error:
        CCE(np.arange(8) % 3, values(p))
    message = str(error.value)
    assert "2 of 8 do not, the worst is row 5 with 1.25" in message or "1.24" in message
    assert f"it is off by 0.25, more than the tolerance {tolerance}; pass normalize" in message


def test_a_deviation_beyond_nine_digits_is_shown():
    p = RNG.dirichlet(np.ones(3), 8)
    p[3, 0] += 4e-8
    with pytest.raises(InputError, match=r"row 3 with 1\.00000004; it is off by 4e-08, more than"):
        CCE(np.arange(8) % 3, p)
    p[3, 0] -= 3.9e-8
    CCE(np.arange(8) % 3, p)


def test_prior_of_float32_is_accepted():
    prior = np.array([0.1, 0.2, 0.7], dtype=np.float32)
    p = RNG.dirichlet(np.ones(3), 9)
    options = {"prior": prior}, {"prior": prior.tolist()}
    first, second = (m.d2_score(np.arange(9) % 3, p, **option) for option in options)
    assert first == second
    with pytest.raises(InputError, match="prior must have numbers of at least 0 that sum to 1"):
        m.d2_score(np.arange(9) % 3, p, prior=[0.1, 0.2, 0.6])
