"""Losses and metrics have one value for each precision, whatever holds predictions and labels."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from xentexp import evaluate, get_loss
from xentexp import metrics as m
from xentexp._inputs.checked import PlannedInput
from xentexp.errors import InputError
from xentexp.losses import LOSSES, Loss
from xentexp.metrics import DATASET_METRICS


def arrow(values, kind):
    columns = values.T if values.ndim == 2 else None
    if columns is None:
        return pa.array(values, kind)
    return pa.table({f"column_{i}": pa.array(column, kind) for i, column in enumerate(columns)})


def frame(values):
    return pd.DataFrame(values) if values.ndim == 2 else pd.Series(values)


def polars(values):
    return pl.DataFrame(values) if values.ndim == 2 else pl.Series(values)


def torch_of(dtype):
    return lambda values: pytest.importorskip("torch").tensor(values, dtype=dtype_of(dtype))


def dtype_of(name):
    return getattr(pytest.importorskip("torch"), name)


def jax_of(dtype):
    return lambda values: pytest.importorskip("jax.numpy").asarray(values, dtype=dtype)


# Containers of arrays of each precision; the first is the reference.
NUMBERS = {
    "float64": {
        "numpy": np.asarray,
        "list": lambda values: values.tolist(),
        "tuple of arrays": tuple,
        "big-endian": lambda values: values.astype(">f8"),
        "column-major": np.asfortranarray,
        "reversed view": lambda values: np.ascontiguousarray(values[::-1])[::-1],
        "objects": lambda values: values.astype(object),
        "longdouble": lambda values: values.astype(np.longdouble),
        "pandas": frame,
        "Float64": lambda values: frame(values).astype("Float64"),
        "double[pyarrow]": lambda values: frame(values).astype("double[pyarrow]"),
        "Arrow": lambda values: arrow(values, pa.float64()),
        "Polars": polars,
        "torch": torch_of("float64"),
    },
    "float32": {
        "numpy": np.asarray,
        "list of arrays": list,
        "big-endian": lambda values: values.astype(">f4"),
        "column-major": np.asfortranarray,
        "pandas": frame,
        "Float32": lambda values: frame(values).astype("Float32"),
        "float[pyarrow]": lambda values: frame(values).astype("float[pyarrow]"),
        "Arrow": lambda values: arrow(values, pa.float32()),
        "Polars": polars,
        "torch": torch_of("float32"),
        "jax": jax_of("float32"),
    },
    "float16": {
        "numpy": np.asarray,
        "big-endian": lambda values: values.astype(">f2"),
        "column-major": np.asfortranarray,
        "pandas": frame,
        "halffloat[pyarrow]": lambda values: frame(values).astype("halffloat[pyarrow]"),
        "torch": torch_of("float16"),
        "jax": jax_of("float16"),
    },
    "bfloat16": {"torch": torch_of("bfloat16"), "jax": jax_of("bfloat16")},
}

TEXT = np.array(["a", "b", "c"])
# Containers of class numbers 0, 1, ...; the other kinds of labels are sorted in the same order.
LABELS = {
    **{
        f"numpy {order}{kind}": lambda index, dtype=f"{order}{kind}": index.astype(dtype)
        for order in "<>"
        for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
    },
    "list": lambda index: index.tolist(),
    "objects": lambda index: index.astype(object),
    "list of floats": lambda index: index.astype(float).tolist(),
    "floats": lambda index: index + 1.5,
    "large": lambda index: index.astype(np.uint64) + np.uint64(2**63),
    "very large": lambda index: [int(i) + 2**64 for i in index],
    "pandas": pd.Series,
    "Int64": lambda index: pd.Series(index, dtype="Int64"),
    "UInt8": lambda index: pd.Series(index, dtype="UInt8"),
    "Float32": lambda index: pd.Series(index, dtype="Float32"),
    "int64[pyarrow]": lambda index: pd.Series(index, dtype="int64[pyarrow]"),
    "category": lambda index: pd.Series(index).astype("category"),
    "Arrow": pa.array,
    "Polars": pl.Series,
    "torch": lambda index: pytest.importorskip("torch").tensor(index),
    "jax": lambda index: pytest.importorskip("jax.numpy").asarray(index),
    "text": lambda index: TEXT[index],
    "list of text": lambda index: TEXT[index].tolist(),
    "bytes": lambda index: TEXT[index].astype("S1"),
    "objects of text": lambda index: TEXT[index].astype(object),
    "StringDType": lambda index: TEXT[index].astype(np.dtypes.StringDType()),
    "string": lambda index: pd.Series(TEXT[index], dtype="string"),
    "string[pyarrow]": lambda index: pd.Series(TEXT[index], dtype="string[pyarrow]"),
    "categories of text": lambda index: pd.Categorical(TEXT[index]),
    "Arrow text": lambda index: pa.array(TEXT[index].tolist()),
    "Arrow dictionary": lambda index: pa.array(TEXT[index].tolist()).dictionary_encode(),
    "Polars text": lambda index: pl.Series(TEXT[index].tolist()),
    "Polars Categorical": lambda index: pl.Series(TEXT[index].tolist(), dtype=pl.Categorical),
    "Polars Enum": lambda index: pl.Series(TEXT[index].tolist(), dtype=pl.Enum([*TEXT])),
}
UNORDERED = [
    name
    for name in LABELS
    if any(
        word in name.lower()
        for word in ("text", "string", "bytes", "categor", "enum", "dictionary")
    )
]
BOOLS = {
    "numpy": np.asarray,
    "list": lambda values: values.tolist(),
    "objects": lambda values: values.astype(object),
    "pandas": pd.Series,
    "boolean": lambda values: pd.Series(values, dtype="boolean"),
    "bool[pyarrow]": lambda values: pd.Series(values, dtype="bool[pyarrow]"),
    "category": lambda values: pd.Series(values).astype("category"),
    "Arrow": pa.array,
    "Polars": pl.Series,
    "torch": lambda values: pytest.importorskip("torch").tensor(values),
    "jax": lambda values: pytest.importorskip("jax.numpy").asarray(values),
}


def value(name, y_true, y_pred, options):
    """Value, or None for an error of ours; any other error fails the test."""
    function = getattr(m, name, None)
    arrays = (y_pred,) if y_true is None else (y_true, y_pred)
    try:
        if function is None:  # a metric made of a loss
            return evaluate(y_true, y_pred, name, **options)[name]
        return function(*arrays, **options)
    except InputError:
        return None


def sample(seed, k):
    """Class numbers of which each occurs, and probabilities."""
    rng = np.random.default_rng(seed)
    index = rng.permutation(np.arange(16) % k)
    return index, rng.dirichlet(np.ones(k), 16)


def differing(name, outcomes):
    """Containers whose outcome is not the value of the first; additions may be in any order."""
    outcomes = dict(outcomes)
    first = next(iter(outcomes.values()))
    if first is None:
        return {(name, "reference"): None}
    return {
        (name, container): (found, first)
        for container, found in outcomes.items()
        if found is None or found != pytest.approx(first, rel=1e-12, abs=1e-15)
    }


def options_of(name, k):
    metric = m.get_metric(name)
    if metric.properties.prior:
        return {"prior": np.full(k, 1.0 / k)}
    return {"thresholds": (0.3, 0.6)[: k - 1]} if metric.properties.response == "latent" else {}


def names(k, condition=lambda properties: True):
    """Losses and metrics for k classes, by their properties."""
    known = [*LOSSES.values(), *(m.get_metric(name) for name in DATASET_METRICS)]
    return [
        metric.name
        for metric in known
        if (k == 2 or not metric.properties.binary_only)
        and condition(metric.properties)
        and (isinstance(metric, Loss) or metric.why_not(PlannedInput(k)) is None)
    ]


def of_labels(properties):
    return not getattr(properties, "distributions", False) and properties.targets in (
        "labels",
        "one-hot",
        "soft",
    )


def column_of(name, p):
    """One score for each row for a loss of a latent score, else all columns."""
    return p[:, 0] if m.get_metric(name).properties.response == "latent" else p


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("precision", NUMBERS)
@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 1000))
def test_predictions_of_one_precision_have_one_value(precision, k, seed):
    index, p = sample(seed, k)
    values = p if precision == "bfloat16" else p.astype(precision)
    whole = {container: convert(values) for container, convert in NUMBERS[precision].items()}
    columns = {
        container: convert(np.ascontiguousarray(values[:, 0]))
        for container, convert in NUMBERS[precision].items()
    }
    bad = {}
    for name in names(k):
        properties = m.get_metric(name).properties
        y_true = index if of_labels(properties) else np.array(p[::-1])
        if properties.targets == "multilabel":
            y_true = (p > 0.4).astype(float)
        if properties.targets == "none":
            y_true = None
        containers = columns if properties.response == "latent" else whole
        options = options_of(name, k)
        bad |= differing(
            name, ((c, value(name, y_true, held, options)) for c, held in containers.items())
        )
    assert not bad


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("precision", NUMBERS)
@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 1000))
def test_soft_targets_of_one_precision_have_one_value(precision, k, seed):
    _, p = sample(seed, k)
    values = np.array(p[::-1], dtype=None if precision == "bfloat16" else precision)
    targets = {container: convert(values) for container, convert in NUMBERS[precision].items()}
    bad = {}
    for name in names(k, lambda properties: properties.targets in ("soft", "positive")):
        y_pred, options = column_of(name, p), options_of(name, k)
        bad |= differing(
            name, ((c, value(name, held, y_pred, options)) for c, held in targets.items())
        )
    assert not bad


@pytest.mark.parametrize("k", [2, 3])
@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 1000))
def test_labels_of_any_kind_have_one_value(k, seed):
    index, p = sample(seed, k)
    labels = {"reference": index}
    labels |= {container: convert(index) for container, convert in LABELS.items()}
    bad = {}
    for name in names(k, of_labels):
        properties = m.get_metric(name).properties
        y_pred, options = column_of(name, p), options_of(name, k)
        found = {c: value(name, held, y_pred, options) for c, held in labels.items()}
        needs_labels = UNORDERED if getattr(properties, "ordered", False) else []
        if properties.response == "latent":  # its classes are 0, 1, ...
            needs_labels = [*UNORDERED, "floats", "large", "very large"]
        found = {c: v for c, v in found.items() if c not in needs_labels or v is not None}
        bad |= differing(name, found.items())
    assert not bad


@pytest.mark.parametrize("k", [2, 3])
@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 1000))
def test_bool_labels_are_two_classes_and_refused_with_three_columns(k, seed):
    index, p = sample(seed, k)
    bools = index.astype(bool)
    labels = {container: convert(bools) for container, convert in BOOLS.items()}
    bad = {}
    for name in names(k, of_labels):
        y_pred, options = column_of(name, p), options_of(name, k)
        found = {c: value(name, held, y_pred, options) for c, held in labels.items()}
        if k == 2:
            bad |= differing(name, {"reference": value(name, index, y_pred, options), **found})
        else:
            bad |= {(name, c): v for c, v in found.items() if v is not None}
    assert not bad


@pytest.mark.parametrize("method", ["gradient", "per_sample"])
def test_derivatives_and_rows_have_one_value_for_containers_and_labels(method):
    index, p = sample(0, 3)
    for name in names(3, lambda properties: getattr(properties, "gradient", "none") != "none"):
        loss = get_loss(name)
        if not of_labels(loss.properties) or loss.properties.response == "latent":
            continue
        compute = getattr(loss, method)
        expected = compute(index, p)
        for container, convert in NUMBERS["float64"].items():
            found = compute(index, convert(p))
            np.testing.assert_allclose(found, expected, 1e-12, 1e-15, err_msg=f"{name} {container}")
        for container, convert in LABELS.items():
            if loss.properties.ordered and container in UNORDERED:
                continue
            found = compute(convert(index), p)
            np.testing.assert_allclose(found, expected, 1e-12, 1e-15, err_msg=f"{name} {container}")
        for convert in BOOLS.values():
            with pytest.raises(InputError, match="the labels False and True, but y_pred has 3"):
                compute(convert(index.astype(bool)), p)


@pytest.mark.parametrize("precision", ["float64", "float32", "float16"])
def test_weights_of_one_precision_have_one_value(precision):
    index, p = sample(0, 3)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, 16).astype(precision)
    found = {
        container: value(name, index, p, {"sample_weight": convert(weight)})
        for container, convert in NUMBERS[precision].items()
        for name in ["brier_loss"]
    }
    assert not differing("brier_loss", found)
