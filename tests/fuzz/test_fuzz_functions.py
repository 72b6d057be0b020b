"""Losses and metrics of random arguments: a number or an InputError; no warning, no NaN."""

from __future__ import annotations

import datetime
import decimal
import inspect
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xentexp
from tests.fuzz.support import fuzzed, is_number, value_or_error
from tests.support.loss_cases import LOSS_CASES
from tests.support.strategies import (
    arguments,
    by_row,
    linked,
    targets_and_scores,
    without_a_clip,
)
from xentexp import metrics
from xentexp.losses import LOSSES
from xentexp.metrics._registry import DATASET_METRICS

pytestmark = pytest.mark.slow

ODD_NUMBERS = [0, 1, -1, 2, 7, 0.5, -0.5, 1e-300, 5e-324, 1e300, 1.7e308, -1.7e308]
ODD_NUMBERS += [float("inf"), float("-inf"), float("nan"), 2**63, -(2**70), True, False]
ODD_VALUES = [
    *ODD_NUMBERS,
    None,
    "",
    "a",
    "no",
    "0.5",
    "mean",
    b"x",
    1 + 1j,
    pd.NA,
    pd.NaT,
    decimal.Decimal("0.1"),
    datetime.date(2020, 1, 1),
    np.datetime64("2020-01-01"),
    np.float32(0.1),
    np.int8(1),
    [],
    [0],
    [[0.0]],
    (1, 2),
    {},
    {"a": 1},
    {0, 1},
    object(),
    len,
    np.array(1.0),
    np.array([1, 2, 3]),
    np.array([["a"]]),
    slice(None),
    range(3),
]
odd_values = st.sampled_from(ODD_VALUES)

CONTAINERS = [
    list,
    tuple,
    set,
    iter,
    str,
    dict.fromkeys,
    pd.Series,
    pd.DataFrame,
    pl.DataFrame,
    partial(np.asarray, dtype="float16"),
    partial(np.asarray, dtype="float32"),
    partial(np.asarray, dtype=">f8"),
    partial(np.asarray, dtype=np.longdouble),
    partial(np.asarray, dtype="int8"),
    partial(np.asarray, dtype="uint64"),
    partial(np.asarray, dtype=bool),
    partial(np.asarray, dtype=object),
    partial(np.asarray, dtype=complex),
    partial(np.asarray, dtype=str),
    partial(np.asarray, dtype="S"),
    np.ma.masked_array,
    memoryview,
]
SHAPES = [
    np.ravel,
    np.transpose,
    np.atleast_3d,
    lambda a: a[:-1],
    lambda a: a[:0],
    lambda a: a[..., :1],
    lambda a: a[..., :0],
    lambda a: np.concatenate([a, a]),
    lambda a: np.stack([a, a], axis=-1),
    lambda a: a[::-1],
    lambda a: a.flat[0],
]


@st.composite
def altered(draw: st.DrawFn, array: Any) -> Any:
    """An array with odd cells, another shape or another container; or another object."""
    kind = draw(st.sampled_from(["same", "cell", "scale", "shape", "container", "other"]))
    if kind == "other":
        return draw(odd_values)
    if kind == "cell" and np.size(array):
        changed = np.array(array, dtype=object)
        changed.flat[draw(st.integers(0, changed.size - 1))] = draw(odd_values)
        try:
            return np.array(changed.tolist()) if draw(st.booleans()) else changed.tolist()
        except (ValueError, TypeError, OverflowError):
            return changed.tolist()
    if kind == "scale":
        return np.asarray(array) * draw(st.sampled_from(ODD_NUMBERS[:14]))
    if kind == "shape":
        return draw(st.sampled_from(SHAPES))(np.asarray(array))
    if kind == "container":
        try:
            return draw(st.sampled_from(CONTAINERS))(array)
        except (ValueError, TypeError, OverflowError):
            return array
    return array


@st.composite
def odd_options(draw: st.DrawFn, names: list[str]) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) if names else []
    return {name: draw(odd_values) for name in chosen}


def option_names(name: str, n_arrays: int) -> list[str]:
    """Parameters of a metric function after its arrays."""
    parameters = [*inspect.signature(getattr(metrics, name)).parameters.values()][n_arrays:]
    return [parameter.name for parameter in parameters if parameter.kind != parameter.VAR_KEYWORD]


seeds = st.integers(0, 2**32 - 1)


def valid_case(name: str, seed: int) -> tuple[Any, Any, Any, int]:
    """Loss, targets, raw scores and number of classes."""
    rng = np.random.default_rng(seed)
    case = rng, int(rng.integers(2, 12)), int(rng.integers(2, 5)), 2.0
    loss = LOSSES[name]
    return loss, *targets_and_scores(loss, case, soft=bool(rng.integers(2)))


@pytest.mark.parametrize("of", ["function", "object", "evaluate", "gradient"])
@fuzzed(1500)
@given(name=st.sampled_from(list(LOSSES)), seed=seeds, data=st.data())
def test_losses_of_odd_arguments(of: str, name: str, seed: int, data: st.DataObject) -> None:
    loss, y, raw, k = valid_case(name, seed)
    positional, given_options = arguments(loss, y, raw, k) if of == "function" else ((y, raw), {})
    with np.errstate(all="ignore"):
        positional = tuple(data.draw(altered(array)) for array in positional)
    names = {
        "function": option_names(name, len(positional)),
        "object": ["labels", "sample_weight", "class_weight", "from_logits"],
        "evaluate": ["labels", "sample_weight", "class_weight", "normalize", "from_logits"],
        "gradient": ["labels", "sample_weight", "class_weight"],
    }
    parameters = odd_options(list(LOSS_CASES[name].defaults))
    of_loss = data.draw(parameters) if of == "object" else {}
    options = {**given_options, **data.draw(odd_options(names[of]))}

    def call() -> Any:
        if of == "function":
            return getattr(metrics, name)(*positional, **options)
        if of == "object":
            return xentexp.get_loss(name, **of_loss)(*positional, **options)
        if of == "evaluate":
            return xentexp.evaluate(*positional, [name], **options).mean[name]
        return loss.gradient(*positional, **options)

    value = value_or_error(call)
    assert value is None or is_number(value), value


@fuzzed(700)
@given(name=st.sampled_from(list(DATASET_METRICS)), seed=seeds, data=st.data())
def test_metrics_of_odd_arguments(name: str, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    k, n = int(rng.integers(2, 4)), int(rng.integers(4, 30))
    y, p = rng.integers(k, size=n), rng.dirichlet(np.ones(k), size=n)
    with np.errstate(all="ignore"):
        y, p = data.draw(altered(y)), data.draw(altered(p))
    options = data.draw(odd_options(option_names(name, 2)))
    value = value_or_error(lambda: getattr(metrics, name)(y, p, **options))
    assert value is None or is_number(value), value


@fuzzed(400)
@given(name=st.sampled_from(list(LOSSES)), seed=seeds)
def test_weighted_means_of_losses_equal_the_formula_in_torch(name: str, seed: int) -> None:
    torch = pytest.importorskip("torch")
    formula = LOSS_CASES[name].formula
    if formula is None:
        return
    loss, y, raw, k = valid_case(name, seed)
    weight = np.random.default_rng(seed).uniform(0, 3, len(raw))
    t = torch.tensor(y if y.ndim == 2 else np.eye(k)[y], dtype=torch.float64)
    rows = formula(torch.tensor(raw), t).numpy()
    ours = by_row(loss, y, raw, k)
    np.testing.assert_allclose(ours, rows, rtol=1e-9, atol=1e-9)
    function = partial(getattr(metrics, name), **without_a_clip(loss))
    positional, options = arguments(loss, y, linked(loss, raw), k)
    mean = function(*positional, **options, sample_weight=weight)
    assert mean == pytest.approx(np.average(rows, weights=weight), rel=1e-9, abs=1e-9)
