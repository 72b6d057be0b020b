"""The parity matrix: values of xentexp, and values of the installed peers."""

import numpy as np
import pytest

from tests.metrics.compat.parity_peers import live, outcome, require
from tests.metrics.compat.parity_rows import RAISES, ROWS, Case
from xentexp import metrics
from xentexp.errors import InputError
from xentexp.metrics._compat import apply

CASES = [
    pytest.param(case, id=f"{row.what}-{case.convention}-{number}")
    for row in ROWS
    for number, case in enumerate(row.cases)
]
OF_PEERS = [case for case in CASES if case.values[0].convention != "xentexp"]


def value_of(case: Case):
    if case.convention == "xentexp":
        return getattr(metrics, case.loss)(case.y_true, case.y_pred, **case.options)
    return apply(case.loss, case.convention, case.y_true, case.y_pred, case.options)


def agree(value, expected: str | tuple[str, ...]) -> None:
    """Assert that the value has the type and the digits of the expected value."""
    if isinstance(expected, tuple):
        assert np.shape(value) == (len(expected),)
        for one, digits in zip(value, expected, strict=True):
            agree(float(one), digits)
        return
    assert isinstance(value, float)
    mantissa, _, exponent = expected.partition("e")
    half = 0.5 * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    tolerance = 0.0 if expected == "0" else half * (1 + 1e-9)
    assert value == pytest.approx(float(expected), rel=0, abs=tolerance, nan_ok=True)


@pytest.mark.parametrize("case", CASES)
def test_our_conventions(case):
    if case.expected == RAISES:
        with pytest.raises(InputError):
            value_of(case)
    elif case.warns is not None:
        with pytest.warns(case.warns):
            agree(value_of(case), case.expected)
    else:
        agree(value_of(case), case.expected)


@pytest.mark.peers
@pytest.mark.parametrize("case", OF_PEERS)
def test_the_installed_peer(case):
    require(case.convention)
    arguments = case.loss, case.convention, case.y_true, case.y_pred, case.options
    value = outcome(live, *arguments)
    if isinstance(value, str) or case.expected == RAISES:
        assert value == case.expected
    else:
        agree(value, case.expected)


def test_every_deviation_of_our_convention_has_a_reason():
    for row in ROWS:
        own = {str(case.expected) for case in row.cases if case.convention == "xentexp"}
        theirs = {str(case.expected) for case in row.cases if case.convention != "xentexp"}
        assert row.why or not own or own == theirs or row.what in OF_THE_CLIP, row.what


OF_THE_CLIP = ("y=1, p=0, float32", "y=1, p=0, float16")  # the row "y=1, p=0" has the reason
