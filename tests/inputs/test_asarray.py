"""Arrays of every library and memory layout: equal values, no copies, little memory."""

import subprocess
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from xentexp import metrics as m
from xentexp._inputs.asarray import to_array
from xentexp.errors import InputError
from xentexp.metrics._evaluation import evaluate

ROWS = 30_000  # several blocks


def sample(n_classes=3, n_rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(n_rows, n_classes))
    p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    return rng.integers(0, n_classes, n_rows), p, raw, rng.uniform(0.5, 2.0, n_rows)


# -- layouts and precisions of NumPy ---------------------------------------------------------


def spaced(array):
    wide = np.zeros(tuple(2 * size for size in array.shape), dtype=array.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def backwards(array):
    turned = tuple(slice(None, None, -1) for _ in array.shape)
    return np.ascontiguousarray(array[turned])[turned]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def of_a_record(array):
    """A field of a record array, whose strides are not a multiple of the item size."""
    record = np.zeros(array.shape, dtype=[("before", "i1"), ("value", array.dtype), ("c", "i2")])
    record["value"] = array
    return record["value"]


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "columns of a wider one": lambda a: np.concatenate([a, a], axis=-1)[..., : a.shape[-1]],
    "spaced": spaced,
    "backwards": backwards,
    "read-only": read_only,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "unaligned": of_a_record,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n_classes", [2, 3, 12])
def test_the_memory_layout_does_not_change_values(layout, n_classes):
    y, p, raw, weight = sample(n_classes)
    lay = LAYOUTS[layout]
    for array_like in (y, np.eye(n_classes)[y], p[::-1]):
        expected = evaluate(array_like, p, decision=raw, sample_weight=weight)
        actual = evaluate(lay(array_like), lay(p), decision=lay(raw), sample_weight=lay(weight))
        assert actual.mean == pytest.approx(expected.mean, rel=1e-12)
        assert actual.standard_error == pytest.approx(expected.standard_error, rel=1e-9)
    expected = evaluate(y, raw, from_logits=True)
    assert evaluate(lay(y), lay(raw), from_logits=True).mean == pytest.approx(
        expected.mean, rel=1e-12
    )
    each = m.categorical_crossentropy(y, raw, from_logits=True, reduction="none")
    same = m.categorical_crossentropy(lay(y), lay(raw), from_logits=True, reduction="none")
    np.testing.assert_allclose(same, each, rtol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float16, 1e-2)])
@pytest.mark.parametrize("n_classes", [2, 3, 12, 150])
def test_smaller_precisions_agree_with_float64(dtype, tolerance, n_classes):
    y, p, raw, weight = sample(n_classes, 8000)
    for options in ({}, {"sample_weight": weight}):
        wide = evaluate(y, p, decision=raw, **options).mean
        narrow = evaluate(y, p.astype(dtype), decision=raw.astype(dtype), **options).mean
        assert narrow == pytest.approx(wide, rel=tolerance, abs=1e-15)
        wide = evaluate(y, raw, from_logits=True, **options).mean
        narrow = evaluate(y, raw.astype(dtype), from_logits=True, **options).mean
        assert narrow == pytest.approx(wide, rel=tolerance, abs=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_sums_are_float64_for_any_input_type(dtype):
    p = np.full(300_000, 0.5, dtype=dtype)  # a float16 sum would stop at 2048
    y = np.zeros(300_000, dtype=np.int8)
    assert m.binary_crossentropy(y, p) == pytest.approx(np.log(2.0), rel=1e-14)
    assert m.binary_crossentropy(y, p, reduction="sum") == pytest.approx(
        300_000 * np.log(2.0), rel=1e-14
    )
    assert m.brier_loss(y, p, sample_weight=np.full(300_000, 0.1, dtype=dtype)) == 0.25


# Raw scores with small to large differences; the largest exceed the range of exp.
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 300.0, 800.0, 1e5])
@pytest.mark.parametrize("offset", [0.0, 1e3, -1e3])
@pytest.mark.parametrize("order", ["C", "F"])
def test_raw_scores_of_any_size_are_exact(scale, offset, order):
    y, _, raw, _ = sample(4, 500)
    raw = np.array(raw * scale + offset, order=order)
    away = raw - raw[np.arange(len(y)), y][:, np.newaxis]
    expected = np.logaddexp.reduce(away, axis=1)
    top = away.max(axis=1) <= 0  # small losses, whose digits log1p keeps
    away[np.arange(len(y)), y] = -np.inf
    expected[top] = np.log1p(np.exp(away[top]).sum(axis=1))
    actual = m.categorical_crossentropy(y, raw, from_logits=True, reduction="none")
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-300)


def test_a_sum_that_is_below_the_range_of_exp_keeps_its_digits():
    value = m.categorical_crossentropy([0], [[-300.0, -741.0]], from_logits=True)
    assert value == pytest.approx(np.exp(-441.0), rel=1e-12, abs=0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("n_rows", [3, ROWS])
def test_the_ends_of_the_unit_interval(dtype, n_rows):
    y = np.arange(n_rows) % 2
    p = np.where(y == 1, 1.0, 0.0).astype(dtype)
    assert m.brier_loss(y, p) == 0.0
    p[0] = -0.0
    assert m.brier_loss(y, p) == 0.0
    p[0] = 0.0
    for value in (np.nextafter(dtype(1), dtype(2)), np.nextafter(dtype(0), dtype(-1)), np.nan):
        p[-1] = value
        for array_like in (p, np.stack([p, p], axis=1)):
            with pytest.raises(InputError, match=rf"\[0, 1\]; row {n_rows - 1} of y_pred"):
                m.brier_loss(y, array_like)


def test_integers_and_objects_are_converted_to_floats():
    y, _, _, _ = sample(3)
    certain = np.eye(3)[(y + (np.arange(len(y)) % 7 == 0)) % 3]
    expected = evaluate(np.eye(3)[y], certain).mean
    for dtype in (bool, np.int8, np.uint64, object, np.longdouble):
        actual = evaluate(np.eye(3)[y].astype(dtype), certain.astype(dtype)).mean
        assert actual == pytest.approx(expected, rel=1e-13)
    integers = np.array([[3, -1, 0], [0, 2, 7]])
    assert m.categorical_crossentropy([0, 2], integers, from_logits=True) == pytest.approx(
        m.categorical_crossentropy([0, 2], integers.astype(float), from_logits=True), rel=1e-15
    )
    yes = np.array([[1, 0], [0, 1]])
    assert m.multilabel_crossentropy(yes, yes) == 0.0
    assert m.squared_error([3, 5], [2, 7], numbers=True) == 2.5


# -- arrays of other libraries ---------------------------------------------------------------


@pytest.mark.peers
def test_torch_tensors_are_taken_without_a_copy():
    torch = pytest.importorskip("torch")
    y, p, raw, weight = sample()
    tensors = [torch.from_numpy(array) for array in (y, p, raw, weight)]
    for tensor, array in zip(tensors, (y, p, raw, weight), strict=True):
        assert np.shares_memory(to_array(tensor, "y_pred"), array)
    assert np.shares_memory(to_array(tensors[1].T.contiguous().T, "y_pred"), p) is False
    assert evaluate(tensors[0], tensors[1], decision=tensors[2], sample_weight=tensors[3]).mean == (
        evaluate(y, p, decision=raw, sample_weight=weight).mean
    )
    assert m.hinge_loss(torch.tensor([0, 1]), torch.tensor([-3.0, 0.0])) == 0.5


@pytest.mark.peers
def test_tensors_that_numpy_cannot_read_raise_with_advice():
    torch = pytest.importorskip("torch")
    p = torch.tensor([0.2, 0.7], dtype=torch.float64)
    for values, parts in [
        (p.clone().requires_grad_(), ["y_pred must not require gradients", "detach()"]),
        (torch.nn.Parameter(p), ["must not require gradients"]),
        (p.to("meta"), ["y_pred", "meta"]),
        (p.to_sparse(), ["y_pred", "to_dense"]),
        ([p[0].clone().requires_grad_(), p[1]], ["y_pred", "plain numbers"]),
    ]:
        with pytest.raises(InputError) as error:
            m.binary_crossentropy([0, 1], values)
        assert all(part in str(error.value) for part in parts), str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="sample_weight must not require gradients"):
        m.binary_crossentropy([0, 1], p, sample_weight=p.clone().requires_grad_())
    with pytest.raises(InputError, match="y_true must not require gradients"):
        m.squared_error(p.clone().requires_grad_()[:, None], p[:, None], numbers=True)


@pytest.mark.peers
def test_jax_arrays_are_taken_without_a_copy():
    jnp = pytest.importorskip("jax.numpy")
    y, p, _, _ = sample()
    labels, array_like = jnp.asarray(y), jnp.asarray(p)
    view = to_array(array_like, "y_pred")
    assert np.shares_memory(view, np.from_dlpack(array_like))
    assert m.categorical_crossentropy(labels, array_like) == m.categorical_crossentropy(y, view)


def test_arrays_of_the_array_api_are_taken_without_a_copy():
    xp = pytest.importorskip("array_api_strict")
    y, p, raw, weight = sample()
    array_like = [xp.asarray(array, copy=False) for array in (y, p, raw, weight)]
    for values, array in zip(array_like, (y, p, raw, weight), strict=True):
        assert np.shares_memory(to_array(values, "y_pred"), array)
    assert evaluate(
        array_like[0], array_like[1], decision=array_like[2], sample_weight=array_like[3]
    ).mean == (evaluate(y, p, decision=raw, sample_weight=weight).mean)


class Exchanged:
    """An array that only supports DLPack, on a given device."""

    def __init__(self, array, device=1):
        self._array, self._device = array, device

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._device, 0


@pytest.mark.parametrize("device", [1, 3])  # main memory, pinned main memory
def test_an_array_that_only_supports_dlpack_is_accepted(device):
    y, p, _, _ = sample()
    array_like = Exchanged(p, device)
    assert np.shares_memory(to_array(array_like, "y_pred"), p)
    assert m.brier_loss(Exchanged(y, device), array_like) == m.brier_loss(y, p)


class OnDevice(Exchanged):
    """An array on a device, which copies itself if NumPy asks for it, as those of JAX do."""

    def __array__(self, *arguments, **options):
        raise AssertionError("copied unnoticed")

    __dlpack__ = __array__


class NumbaLike:
    """An array of numba: it copies itself, and has no DLPack."""

    __cuda_array_interface__: dict[str, object] = {}  # noqa: RUF012
    __array__ = OnDevice.__array__


class TPULike:
    """An array of JAX on a TPU, whose DLPack raises and which copies itself."""

    __array__ = OnDevice.__array__

    def __dlpack_device__(self):
        raise BufferError("__dlpack_device__ only supported for CPU and GPU, got platform: tpu")

    def devices(self):
        return [SimpleNamespace(platform="tpu")]


@pytest.mark.parametrize(
    ("array_like", "device"),
    [
        *[
            (OnDevice(np.array([0.2, 0.7]), code), name)
            for code, name in [(2, "CUDA"), (8, "Metal"), (10, "ROCm"), (99, "different")]
        ],
        (NumbaLike(), "CUDA"),
        (TPULike(), "TPU"),
    ],
)
def test_arrays_on_a_device_are_refused_and_not_copied(array_like, device):
    for arguments in (([0, 1], array_like), (array_like, [0.2, 0.7])):
        with pytest.raises(InputError, match=rf"^y_\w+ must be in main memory; .* on a {device} "):
            m.binary_crossentropy(*arguments)
    with pytest.raises(InputError, match="sample_weight must be in main memory"):
        evaluate([0, 1], [0.2, 0.7], sample_weight=array_like)


@pytest.mark.parametrize(
    ("package", "advice"),
    [
        ("torch", "y_pred.cpu()"),
        ("torch with gradients", "y_pred.detach().cpu()"),
        ("jaxlib._jax", 'jax.device_put(y_pred, jax.devices("cpu")[0])'),
        ("cupy._core.core", "cupy.asnumpy(y_pred)"),
        ("other", "a copy in main memory"),
    ],
)
def test_the_error_says_how_to_copy_an_array_of_a_device(package, advice):
    module, _, gradients = package.partition(" ")
    kind = type("Array", (OnDevice,), {"__module__": module, "requires_grad": bool(gradients)})
    with pytest.raises(InputError) as error:
        m.binary_crossentropy([0, 1], kind(np.array([0.2, 0.7]), 2))
    assert str(error.value).endswith(f"on a CUDA device; pass {advice}")


def test_an_array_of_another_device_of_the_array_api_is_refused_with_advice():
    xp = pytest.importorskip("array_api_strict")
    p = xp.asarray([0.2, 0.7], device=xp.Device("device1"))
    with pytest.raises(InputError, match=r"device1.*; pass y_pred\.to_device\(DEVICE\) with the"):
        m.binary_crossentropy([0, 1], p)


def test_reading_tensors_imports_no_library():
    code = """
import sys
import numpy as np
import xentexp.metrics as m
class Exchanged:
    def __init__(self, array): self.array = array
    def __dlpack__(self, **options): return self.array.__dlpack__(**options)
    def __dlpack_device__(self): return (1, 0)
assert m.brier_loss([0, 1], Exchanged(np.array([0.2, 0.8]))) > 0
print([name for name in ("torch", "jax", "polars", "pandas", "keras") if name in sys.modules])
"""
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout == "[]\n"


# -- data frames -----------------------------------------------------------------------------


def test_polars_frames_and_series():
    pl = pytest.importorskip("polars")
    y, p, raw, weight = sample()
    expected = evaluate(y, p, decision=raw, sample_weight=weight).mean
    actual = evaluate(
        pl.Series(y), pl.DataFrame(p), decision=pl.DataFrame(raw), sample_weight=pl.Series(weight)
    )
    assert actual.mean == pytest.approx(expected, rel=1e-12)
    assert np.shares_memory(to_array(pl.Series(weight), "sample_weight"), weight)
    names = np.array(["low", "mid", "high"])
    for text in (pl.Series(names[y]), pl.Series(names[y]).cast(pl.Categorical)):
        named = pl.DataFrame(p, schema=names.tolist())
        value = m.categorical_crossentropy(text, named.select("mid", "high", "low"))
        assert value == pytest.approx(m.categorical_crossentropy(y, p), rel=1e-14)
    assert m.categorical_crossentropy(pl.DataFrame(np.eye(3)[y]), pl.DataFrame(p)) == pytest.approx(
        m.categorical_crossentropy(y, p), rel=1e-14
    )


def test_missing_values_of_polars_raise():
    pl = pytest.importorskip("polars")
    for labels in (["a", None], [0, None], [True, None]):
        with pytest.raises(InputError, match=r"missing values; got (None|nan) in row 1"):
            m.binary_crossentropy(pl.Series(labels), [0.2, 0.7])
    with pytest.raises(InputError, match="row 1 of y_pred has nan"):
        m.binary_crossentropy([0, 1], pl.Series([0.2, None]))
    with pytest.raises(InputError, match="y_pred must be an array"):
        m.binary_crossentropy([0, 1], pl.DataFrame({"a": [0.2, 0.7]}).lazy())


def test_pandas_frames_are_taken_without_a_copy():
    y, p, _, weight = sample()
    for frame in (pd.DataFrame(p), pd.Series(weight)):
        assert np.shares_memory(to_array(frame, "y_pred"), frame.to_numpy())
    for frame in (pd.DataFrame(p), pd.DataFrame({i: p[:, i] for i in range(3)})):
        value = m.categorical_crossentropy(pd.Series(y), frame)
        assert value == pytest.approx(m.categorical_crossentropy(y, p), rel=1e-14)
    unusual = pd.DataFrame(p[:2], columns=["column_names", "shape", "columns"])
    assert m.categorical_crossentropy(["shape", "columns"], unusual) == pytest.approx(
        -np.log(p[[0, 1], [1, 2]]).mean()
    )


def test_tables_of_pyarrow():
    pa = pytest.importorskip("pyarrow")
    y, p, _, _ = sample()
    table = pa.table({name: p[:, i] for i, name in enumerate("abc")})
    labels = pa.array(np.array(["a", "b", "c"])[y])
    expected = m.categorical_crossentropy(y, p)
    assert m.categorical_crossentropy(labels, table) == pytest.approx(expected, rel=1e-14)
    turned = table.select(["c", "a", "b"])
    assert m.categorical_crossentropy(labels, turned) == pytest.approx(expected, rel=1e-14)


def test_weights_are_checked_in_all_rows():
    y, p = np.zeros(100_000, dtype=int), np.full(100_000, 0.5)
    for row in (0, 99_999):
        for value, part in [(-1.0, f"row {row} has -1.0"), (np.inf, f"row {row} has inf"),
                            (1e200, "the largest weight is 1e\\+200")]:  # fmt: skip
            weight = np.ones(100_000)
            weight[row] = value
            with pytest.raises(InputError, match=part):
                m.brier_loss(y, p, sample_weight=weight)


# -- memory ----------------------------------------------------------------------------------

MANY = 1_000_000
NARROW = {
    "labels of int8": lambda y, p: ((y.astype(np.int8), p), {}),
    "labels of float32": lambda y, p: ((y.astype(np.float32), p), {}),
    "labels from 1": lambda y, p: ((y + 1, p), {}),
    "text": lambda y, p: ((np.array(["a", "b", "c", "d"])[y], p), {}),
    "one-hot of uint8": lambda y, p: ((np.eye(4, dtype=np.uint8)[y], p), {}),
    "weights of float32": lambda y, p: ((y, p), {"sample_weight": np.ones(MANY, np.float32)}),
    "an ignored label": lambda y, p: ((np.where(y == 0, -1, y), p), {"ignore_label": -1}),
    "columns in order": lambda y, p: ((y, p), {"labels": [3, 2, 1, 0]}),
    "balanced classes": lambda y, p: ((y, p), {"class_weight": "balanced"}),
    "smoothing": lambda y, p: ((y, p), {"label_smoothing": 0.1}),
    "rows to normalize": lambda y, p: ((y, p), {"normalize": True}),
    "raw scores of int8": lambda y, p: ((y, p), {"from_logits": True}),
    "many losses": None,
}


@pytest.mark.parametrize("kind", NARROW)
def test_peak_memory_is_below_one_float64_column(kind):
    y = np.arange(MANY) % 4
    p = np.full((MANY, 4), 0.25, dtype=np.float32)
    if kind == "an ignored label":
        p = np.full((MANY, 3), 1 / 3, dtype=np.float32)
    elif kind == "raw scores of int8":
        p = np.ones((MANY, 4), dtype=np.int8)
    if kind == "many losses":
        args, function = (y, p), evaluate
        names = ["categorical_crossentropy", "brier_loss", "entropy", "categorical_hinge"]
        options = {"decision": p, "metrics": names}
    else:
        (args, options), function = NARROW[kind](y, p), m.categorical_crossentropy
    function(*args, **options)  # fills caches, whose memory is not counted
    tracemalloc.start()
    function(*args, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 7e6  # a column of float64 would take 8e6, and the predictions 32e6


def mapped(folder, mode="r", n_rows=1_200_000):
    """Labels, predictions and weights in files of 10, 29 and 10 MB."""
    y, p, _, weight = sample(3, n_rows)
    arrays = []
    for name, array in [("y", y), ("p", p), ("w", weight)]:
        np.save(folder / f"{name}.npy", array)
        arrays.append(np.load(folder / f"{name}.npy", mmap_mode=mode))
    return (y, p, weight), arrays


def resident(folder):
    """Bytes of the mapped files of a folder that are in the memory of this process."""
    total, within = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            within = str(folder) in line
        elif within and line.startswith("Rss:"):
            total += 1024 * int(line.split()[1])
    return total


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_mapped_files_give_the_same_numbers(tmp_path, mode):
    (y, p, weight), (labels, array_like, weights) = mapped(tmp_path, mode)
    for change in (slice(None), np.s_[7:-5], np.s_[::2]):
        expected = m.categorical_crossentropy(y[change], p[change], sample_weight=weight[change])
        actual = m.categorical_crossentropy(
            labels[change], array_like[change], sample_weight=weights[change]
        )
        assert actual == expected
    turned = np.save(tmp_path / "f.npy", np.asfortranarray(p)) or np.load(
        tmp_path / "f.npy", mmap_mode=mode
    )
    assert m.brier_loss(labels, turned) == pytest.approx(m.brier_loss(y, p), rel=1e-13)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="requires /proc/self/smaps")
@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("compute", [m.categorical_crossentropy, evaluate])
def test_pages_that_were_read_are_freed(tmp_path, mode, compute):
    _, (y, p, weight) = mapped(tmp_path, mode)
    size = y.nbytes + p.nbytes + weight.nbytes
    options = {} if compute is m.categorical_crossentropy else {"metrics": ["brier_loss"]}
    compute(y, p, sample_weight=weight, **options)
    assert resident(tmp_path) < size / 2
    for array in (y, p, weight):
        array.sum()
    assert resident(tmp_path) > 0.9 * size  # control: the test detects pages that are not freed


@pytest.mark.parametrize("mode", ["c", "r+"])
def test_values_written_to_a_memory_map_are_kept(tmp_path, mode):
    (y, p, weight), (labels, array_like, weights) = mapped(tmp_path, mode)
    array_like[:] = array_like[:, ::-1].copy()
    weights[::3] = 7.0
    weight[::3] = 7.0
    expected = m.categorical_crossentropy(y, p[:, ::-1], sample_weight=weight)
    for _ in range(2):  # a freed page that is read again has the written values
        actual = m.categorical_crossentropy(labels, array_like, sample_weight=weights)
        assert actual == pytest.approx(expected, rel=1e-14)
    np.testing.assert_array_equal(array_like, p[:, ::-1])
