"""Tensors under a convention: the value of the same NumPy array, or an InputError."""

import numpy as np
import pytest

from xentexp import metrics
from xentexp.errors import InputError
from xentexp.metrics._compat import CONVENTIONS

torch = pytest.importorskip("torch")

Y2, P2 = np.array([0.0, 1.0, 1.0]), np.array([0.25, 0.5, 0.75])
P3 = np.array([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]])
INPUTS = [(Y2, P2), (np.array([1.0, 0.0, 2.0]), P3), (np.eye(3)[[1, 0, 2]], P3)]
CASES = [
    (loss, convention, peer.keywords)
    for loss, peers in CONVENTIONS.items()
    for convention, peer in peers.items()
]
# Each dtype holds the inputs exactly; float16 only rounds what is computed from them.
READABLE = {
    "float64": (torch.tensor, np.array),
    "float32": (
        lambda a: torch.tensor(a, dtype=torch.float32),
        lambda a: np.array(a, dtype=np.float32),
    ),
    "float16": (
        lambda a: torch.tensor(a, dtype=torch.float16),
        lambda a: np.array(a, dtype=np.float16),
    ),
    "bfloat16": (
        lambda a: torch.tensor(a, dtype=torch.bfloat16),
        lambda a: np.array(a, dtype=np.float32),  # NumPy has no bfloat16
    ),
    "int": (lambda a: torch.tensor(np.rint(a)).long(), lambda a: np.rint(a).astype(np.int64)),
}
UNREADABLE = {
    "requires_grad": lambda a: torch.tensor(a, requires_grad=True),
    "bfloat16 with gradients": lambda a: torch.tensor(a).bfloat16().requires_grad_(),
    "meta": lambda a: torch.tensor(a).to("meta"),
    "sparse": lambda a: torch.tensor(a).to_sparse(),
    "complex": lambda a: torch.tensor(a).cfloat(),
    "list": lambda a: [torch.tensor(row, requires_grad=True) for row in a],
}


def inputs(loss, convention):
    """Inputs for which the convention has a value."""
    for y_true, y_pred in INPUTS:
        try:
            getattr(metrics, loss)(y_true, y_pred, convention=convention)
        except InputError:
            continue
        yield y_true, y_pred


def outcome(loss, convention, y_true, y_pred):
    try:
        return getattr(metrics, loss)(y_true, y_pred, convention=convention)
    except InputError as error:
        return str(error)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", READABLE)
@pytest.mark.parametrize(("loss", "convention", "keywords"), CASES)
def test_a_tensor_has_the_value_of_the_array(loss, convention, keywords, kind):
    to_tensor, to_array = READABLE[kind]
    for y_true, y_pred in inputs(loss, convention):
        ours = outcome(loss, convention, to_tensor(y_true), to_tensor(y_pred))
        expected = outcome(loss, convention, to_array(y_true), to_array(y_pred))
        assert isinstance(expected, float) or kind == "int"
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", UNREADABLE)
@pytest.mark.parametrize(("loss", "convention", "keywords"), CASES)
def test_a_tensor_that_numpy_cannot_read_is_refused(loss, convention, keywords, kind):
    function, unreadable = getattr(metrics, loss), UNREADABLE[kind]
    weight = next((name for name in ("sample_weight", "weight") if name in keywords), None)
    for y_true, y_pred in inputs(loss, convention):
        with pytest.raises(InputError, match=r"^y_pred must "):
            function(y_true, unreadable(y_pred), convention=convention)
        with pytest.raises(InputError, match=r"^y_true must "):
            function(unreadable(y_true), y_pred, convention=convention)
        if weight is not None:
            options = {weight: unreadable(np.ones(len(y_pred)))}
            with pytest.raises(InputError, match=f"^{weight} must "):
                function(y_true, y_pred, convention=convention, **options)
