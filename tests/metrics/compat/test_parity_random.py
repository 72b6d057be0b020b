"""Random inputs and keywords: each convention returns the value of the installed peer."""

import numpy as np
import pytest
from scipy.sparse import coo_matrix, csc_array, csr_array
from scipy.special import softmax

from tests.metrics.compat.parity_peers import live, outcome, require
from xentexp.metrics._compat import CONVENTIONS, apply

DRAWS = 30
# The torch backend of Keras rounds some steps to float32 even if the dtype is float64.
TOLERANCE = {
    ("sklearn", "float64"): 1e-12, ("sklearn", "float32"): 2e-6,
    ("keras", "float64"): 2e-6, ("keras", "float32"): 2e-5,
    ("torch", "float64"): 1e-11, ("torch", "float32"): 2e-5,
}  # fmt: skip
KERAS_REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None]


class Draw:
    """Random inputs of one dtype."""

    def __init__(self, seed, dtype):
        self.rng = np.random.default_rng(seed)
        self.dtype = np.dtype(dtype)

    def one_of(self, *values):
        return values[self.rng.integers(len(values))]

    def shape(self):
        return tuple(int(n) for n in self.rng.integers(2, 6, size=self.rng.integers(1, 4)))

    def scores(self, shape):
        return self.rng.normal(0, 3, shape).astype(self.dtype)

    def unit(self, shape):
        values = self.rng.uniform(0, 1, shape)
        values[self.rng.uniform(size=shape) < 0.1] = 0  # 0 and 1 are clipped
        values[self.rng.uniform(size=shape) < 0.1] = 1
        return values.astype(self.dtype)

    def positive(self, shape):
        return self.rng.gamma(1, 3, shape).astype(self.dtype)

    def proba(self, shape, axis, *, as_they_are=True):
        proba = softmax(self.rng.normal(0, 3, shape), axis=axis)
        if as_they_are:
            proba *= self.rng.uniform(0.5, 1.0, np.delete(shape, axis)[np.newaxis][0]).reshape(
                [1 if place == axis % len(shape) else n for place, n in enumerate(shape)]
            )
        return proba.astype(self.dtype)

    def weights(self, shape):
        return self.rng.uniform(0, 2, shape).astype(self.dtype)

    def maybe(self, **options):
        return {key: value for key, value in options.items() if self.rng.uniform() < 0.5}


def keras_reduction(d, values_shape):
    weights = d.one_of(values_shape, values_shape, values_shape[:1], (*values_shape, 1), ())
    return d.maybe(
        reduction=d.one_of(*KERAS_REDUCTIONS),
        sample_weight=d.weights(weights),
        dtype=d.one_of("float32", d.dtype.name),
    )


def keras_binary(d):
    shape = d.shape()
    logits = d.one_of(True, False)
    y = d.one_of(d.rng.integers(0, 2, shape), d.unit(shape))
    axis = d.one_of(-1, 0, len(shape) - 1)
    rest = tuple(np.delete(shape, axis))
    return y, d.scores(shape) if logits else d.unit(shape), {
        "from_logits": logits, **d.maybe(label_smoothing=d.rng.uniform(0, 1)), "axis": axis,
        **keras_reduction(d, rest),
    }  # fmt: skip


def keras_binary_focal(d):
    y, p, options = keras_binary(d)
    gamma, alpha = d.one_of(0.0, 1.0, 2.0, 0.5), d.rng.uniform(0, 1)
    return y, p, {
        **options, **d.maybe(gamma=gamma, alpha=alpha, apply_class_balancing=True)
    }  # fmt: skip


def keras_categorical(d):
    shape = d.shape()
    axis = d.one_of(-1, 0, len(shape) - 1)
    logits = d.one_of(True, False)
    y = d.proba(shape, axis, as_they_are=False)
    p = d.scores(shape) if logits else d.proba(shape, axis)
    return y, p, {
        "from_logits": logits, "axis": axis, **d.maybe(label_smoothing=d.rng.uniform(0, 1)),
        **keras_reduction(d, tuple(np.delete(shape, axis))),
    }  # fmt: skip


def keras_categorical_focal(d):
    y, p, options = keras_categorical(d)
    alpha = d.one_of(0.25, list(d.rng.uniform(0, 1, p.shape[-1])))
    return y, p, {**options, **d.maybe(gamma=d.one_of(0.0, 1.0, 2.0), alpha=alpha)}


def keras_sparse(d):
    shape = d.shape()
    axis = d.one_of(-1, 0, len(shape) - 1)
    rest = tuple(int(n) for n in np.delete(shape, axis))
    logits = d.one_of(True, False)
    y = d.rng.integers(0, shape[axis], rest)
    options = d.maybe(ignore_class=d.one_of(-1, 0))
    if options.get("ignore_class") == -1:
        y = np.where(d.rng.uniform(size=rest) < 0.3, -1, y)
    if axis in (-1, len(shape) - 1) and len(shape) > 1 and d.rng.uniform() < 0.3:
        y = y[..., np.newaxis]
    p = d.scores(shape) if logits else d.proba(shape, axis)
    return y, p, {"from_logits": logits, "axis": axis, **options, **keras_reduction(d, rest)}


def keras_generalized(d):
    p = d.proba(d.shape(), -1)
    y = d.rng.integers(-1, p.shape[-1], p.shape[:-1])
    return y, p, {**d.maybe(q=d.rng.uniform(0.1, 0.9)), **keras_reduction(d, y.shape)}


def keras_margin(d):
    shape = d.shape()
    y = d.rng.integers(0, 2, shape)
    y = d.one_of(y, 2 * y - 1, y + 1)
    return y, d.scores(shape), keras_reduction(d, shape[:-1])


def keras_one_hot(d):
    shape = d.shape()
    y = np.eye(shape[-1])[d.rng.integers(0, shape[-1], shape[:-1])]
    return y, d.scores(shape), keras_reduction(d, shape[:-1])


def keras_numbers(d):
    shape = d.shape()
    y, p = d.positive(shape), d.positive(shape)
    if len(shape) == 1 and d.rng.uniform() < 0.5:
        y = y[:, np.newaxis]
        shape = y.shape
    return y, p, keras_reduction(d, shape[:-1])


def keras_huber(d):
    y, p, options = keras_numbers(d)
    return y, p, {**options, **d.maybe(delta=d.one_of(0.5, 2.0))}


def keras_distributions(d):
    shape = d.shape()
    y, p = d.unit(shape), d.unit(shape)
    return y, p, keras_reduction(d, shape[:-1])


def reduction(d):
    return d.maybe(reduction=d.one_of("mean", "sum", "none"))


def torch_binary(d):
    shape = d.shape()
    logits = d.one_of(True, False)
    y = d.one_of(d.rng.integers(0, 2, shape), d.unit(shape))
    options = d.maybe(weight=d.weights(d.one_of(shape, shape[-1:], ())))
    if logits:
        options |= d.maybe(pos_weight=d.weights(d.one_of(shape[-1:], ())))
    p = d.scores(shape) if logits else d.unit(shape)
    return y, p, {"from_logits": logits, **options, **reduction(d)}


def torch_categorical(d):
    shape = d.shape()
    axis = 0 if len(shape) == 1 else 1
    rest = tuple(int(n) for n in np.delete(shape, axis))
    logits = d.one_of(True, True, False)
    p = d.scores(shape) if logits else d.proba(shape, axis)
    options = d.maybe(weight=d.weights(shape[axis]))
    if logits:
        options |= d.maybe(label_smoothing=d.rng.uniform(0, 1))
        if d.rng.uniform() < 0.3:
            y = d.proba(shape, axis, as_they_are=False)
            return y, p, {"from_logits": True, **options, **reduction(d)}
    y = d.rng.integers(0, shape[axis], rest)
    options |= d.maybe(ignore_index=d.one_of(-1, 0))
    marker = d.one_of(options.get("ignore_index", -100), None)
    if marker is not None:
        y = np.where(d.rng.uniform(size=rest) < 0.3, marker, y)
    return y, p, {"from_logits": logits, **options, **reduction(d)}


def torch_multi_margin(d):
    n, k = d.rng.integers(2, 6, 2)
    options = d.maybe(p=2, margin=d.rng.uniform(-1, 3), weight=d.weights(k))
    if d.rng.uniform() < 0.2:
        return d.one_of(np.array(1), np.array([1])), d.scores((k,)), {**options, **reduction(d)}
    return d.rng.integers(0, k, n), d.scores((n, k)), {**options, **reduction(d)}


def torch_logistic_margin(d):
    shape = d.shape()
    return d.rng.choice([-1, 1, 0], shape), d.scores(shape), reduction(d)


def torch_numbers(d):
    shape = d.shape()
    return d.positive(shape), d.positive(shape), reduction(d)


def torch_huber(d):
    y, p, options = torch_numbers(d)
    return y, p, {**options, **d.one_of({}, {"delta": 2.0}, {"beta": 0.5}, {"beta": 0.0})}


def torch_poisson(d):
    y, p, options = torch_numbers(d)
    return np.floor(y), p, {
        **options, **d.maybe(log_input=False, full=True, eps=1e-3)
    }  # fmt: skip


def torch_kl(d):
    shape = d.shape()
    options = d.maybe(reduction=d.one_of("mean", "sum", "none", "batchmean"))
    if d.one_of(True, False):
        return d.scores(shape), d.unit(shape) + d.dtype.type(0.1), {**options, "log_target": True}
    return d.unit(shape), d.unit(shape), options


def sklearn_log_loss(d):
    n, k = d.rng.integers(5, 30), d.rng.integers(2, 5)
    names = d.one_of(list("abcd")[:k], [1, 2, 5, 7][:k], [0.0, 1.0, 2.0, 3.0][:k])
    y = np.asarray(names)[np.r_[np.arange(k), d.rng.integers(0, k, n)]]
    shape = (len(y), k)
    p = d.proba(shape, 1, as_they_are=d.one_of(True, False))
    if k == 2 and d.one_of(True, False):
        p = d.unit(shape[:1])
    elif d.rng.uniform() < 0.3:
        return np.eye(k)[d.rng.integers(0, k, len(y))], p, {}
    options = d.maybe(
        labels=names, sample_weight=d.weights(len(y)), normalize=d.one_of(True, False)
    )
    return y, p, options


def sklearn_brier(d):
    y, p, options = sklearn_log_loss(d)
    options.pop("normalize", None)
    if p.ndim == 1:
        options |= {"pos_label": y[0]} if y.dtype.kind in "US" else d.maybe(pos_label=y[0])
    return y, p, {**options, **d.maybe(scale_by_half=d.one_of(True, False))}


def sklearn_d2(d):
    if d.one_of(True, False):
        y, p, options = sklearn_brier(d)
        options.pop("scale_by_half", None)
        return y, p, {**options, "loss": "brier_loss"}
    y, p, options = sklearn_log_loss(d)
    options.pop("normalize", None)
    return y, p, {**options, **d.maybe(loss="categorical_crossentropy")}


def sklearn_hinge(d):
    n, k = d.rng.integers(5, 30), d.rng.integers(2, 5)
    y = np.asarray(list("abcd"))[np.r_[np.arange(k), d.rng.integers(0, k, n)]]
    if k == 2:
        y = d.one_of(y, y[:1])
    options = d.maybe(labels=list("abcd")[:k], sample_weight=d.weights(len(y)))
    return y, d.scores(len(y) if k == 2 else (len(y), k)), options


def sklearn_zero_one(d):
    n = d.rng.integers(5, 30)
    shape = d.one_of((n,), (n, 3))
    y, p = d.rng.integers(0, 2, shape), d.rng.integers(0, 2, shape)
    if len(shape) == 1:
        names = d.one_of(np.array(["a", "b"]), np.array([3, 5]), np.array([False, True]))
        y, p = names[y], names[p]
    else:
        y, p = d.one_of(np.asarray, csr_array, coo_matrix)(y), d.one_of(np.asarray, csc_array)(p)
    return y, p, d.maybe(sample_weight=d.weights(n), normalize=d.one_of(True, False))


def sklearn_numbers(d):
    n = d.rng.integers(5, 30)
    shape = d.one_of((n,), (n, 1), (n, 3))
    multioutput = d.one_of("raw_values", "uniform_average", list(d.rng.uniform(0, 1, 3)))
    if len(shape) == 1 or shape[1] == 1:
        multioutput = d.one_of("raw_values", "uniform_average")
    options = d.maybe(sample_weight=d.weights(n), multioutput=multioutput)
    return d.positive(shape), d.positive(shape), options


def sklearn_poisson(d):
    n = d.rng.integers(5, 30)
    return np.floor(d.positive(n)), d.positive((n, 1)), d.maybe(sample_weight=d.weights(n))


SKLEARN = {
    "binary_crossentropy": sklearn_log_loss,
    "categorical_crossentropy": sklearn_log_loss,
    "sparse_categorical_crossentropy": sklearn_log_loss,
    "brier_loss": sklearn_brier,
    "d2_score": sklearn_d2,
    "zero_one_loss": sklearn_zero_one,
    "hinge_loss": sklearn_hinge,
    "categorical_hinge": sklearn_hinge,
    "squared_error": sklearn_numbers,
    "absolute_error": sklearn_numbers,
    "squared_log_error": sklearn_numbers,
    "poisson_deviance": sklearn_poisson,
}
KERAS = {
    "binary_crossentropy": keras_binary,
    "binary_focal_crossentropy": keras_binary_focal,
    "categorical_crossentropy": keras_categorical,
    "categorical_focal_crossentropy": keras_categorical_focal,
    "sparse_categorical_crossentropy": keras_sparse,
    "generalized_crossentropy": keras_generalized,
    "multilabel_crossentropy": keras_binary,
    "hinge_loss": keras_margin,
    "squared_hinge_loss": keras_margin,
    "categorical_hinge": keras_one_hot,
    "squared_error": keras_numbers,
    "absolute_error": keras_numbers,
    "huber_loss": keras_huber,
    "log_cosh_loss": keras_numbers,
    "poisson_deviance": keras_numbers,
    "squared_log_error": keras_numbers,
    "kl_divergence": keras_distributions,
}
TORCH = {
    "binary_crossentropy": torch_binary,
    "categorical_crossentropy": torch_categorical,
    "sparse_categorical_crossentropy": torch_categorical,
    "multilabel_crossentropy": torch_binary,
    "multi_margin_loss": torch_multi_margin,
    "logistic_margin_loss": torch_logistic_margin,
    "squared_error": torch_numbers,
    "absolute_error": torch_numbers,
    "huber_loss": torch_huber,
    "poisson_deviance": torch_poisson,
    "kl_divergence": torch_kl,
}
DRAWN = {"sklearn": SKLEARN, "keras": KERAS, "torch": TORCH}
PAIRS = [(loss, name) for loss, peers in CONVENTIONS.items() for name in peers]


@pytest.mark.peers
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("loss", "convention"), PAIRS)
def test_random_input(loss, convention, dtype):
    require(convention)
    n_values = 0
    for seed in range(DRAWS):
        y_true, y_pred, options = DRAWN[convention][loss](Draw(seed, dtype))
        arguments = loss, convention, y_true, y_pred, options
        value, theirs = outcome(apply, *arguments), outcome(live, *arguments)
        single = "float32" in (dtype, options.get("dtype"))
        tolerance = TOLERANCE[convention, "float32" if single else dtype]
        assert isinstance(value, str) == isinstance(theirs, str), (seed, options)
        if isinstance(value, str):
            continue
        n_values += 1
        assert np.shape(value) == np.shape(theirs), (seed, options)
        np.testing.assert_allclose(
            value, theirs, rtol=tolerance, atol=tolerance, err_msg=f"draw {seed}: {options}"
        )
    assert n_values > DRAWS / 2  # in the other cases, the peer rejects the shape of the weights
