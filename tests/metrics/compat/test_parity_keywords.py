"""The keywords of a convention are exactly the keywords of the peer."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

from tests.metrics.compat.parity_peers import require
from xentexp import metrics
from xentexp.errors import InputError
from xentexp.metrics._compat import CONVENTIONS, VERSIONS, apply, describe

PAIRS = [(loss, name) for loss, peers in CONVENTIONS.items() for name in peers]
NOT_OF_VALUES = {"self", "name", "size_average", "reduce"}  # deprecated, or no effect


def the_peers_own(convention, dotted):
    """Keywords of the function or classes of a peer, from their signatures."""
    first, *others = dotted.split(", ")
    module, _, function = first.rpartition(".")
    module = pytest.importorskip(module)
    keywords = set()
    for name in [function, *others]:
        found = inspect.signature(getattr(module, name)).parameters.values()
        keywords |= {p.name for p in found if p.kind is not p.VAR_KEYWORD}
    return keywords - NOT_OF_VALUES


@pytest.mark.peers
@pytest.mark.parametrize(("loss", "convention"), PAIRS)
def test_the_keywords_are_the_keywords_of_the_peer(loss, convention):
    require(convention)
    peer = CONVENTIONS[loss][convention]
    own = the_peers_own(convention, peer.name)
    ours = set(peer.keywords)
    if convention == "sklearn":
        own -= {"y_true", "y_pred", "y_proba", "pred_decision"}
        own |= {"loss"} if loss == "d2_score" else set()  # chooses one of two functions
    if convention == "keras":
        own |= {"sample_weight"}  # an argument of the call, not of the class
    if convention == "torch":
        ours -= {"from_logits"}  # chooses one of two classes of torch
    assert ours == own


def test_each_convention_has_its_own_clip():
    assert apply("binary_crossentropy", "torch", [1.0], [0.0], {}) == 100.0
    assert apply("binary_crossentropy", "keras", [1.0], [0.0], {}) == pytest.approx(
        16.1181, abs=1e-4
    )


def test_the_docstring_names_convention_peer_version_and_keywords():
    title, text, keywords = describe("zero_one_loss")
    assert title == '"sklearn" : sklearn.metrics.zero_one_loss 1.9.1'
    assert text.startswith("    `y_pred` is predicted labels.")
    assert keywords == "    Keywords: normalize, sample_weight."
    assert describe("entropy") == []


@pytest.mark.parametrize(("loss", "convention"), PAIRS)
def test_an_unknown_keyword_is_refused_with_the_known_ones(loss, convention):
    with pytest.raises(
        InputError, match="keywords are .*" + CONVENTIONS[loss][convention].keywords[-1]
    ):
        apply(loss, convention, [1.0], [0.5], {"beat": 1.0})


def test_a_keyword_of_another_convention_is_refused_with_that_convention():
    with pytest.raises(InputError, match=r"pos_weight requires convention='torch'"):
        metrics.binary_crossentropy([1], [0.5], convention="keras", pos_weight=3)
    with pytest.raises(InputError, match=r"it requires convention='torch'"):
        metrics.sparse_categorical_crossentropy([1], [[0.5, 0.5]], ignore_index=3)
    with pytest.raises(InputError, match="clip is not a keyword"):
        metrics.binary_crossentropy([1], [0.5], convention="keras", clip=0.1)
    with pytest.raises(InputError, match="use from_logits=True"):
        metrics.binary_crossentropy([1], [0.5], convention="torch", pos_weight=3)
    with pytest.raises(InputError, match="use from_logits=True"):
        metrics.categorical_crossentropy([1], [[0.5, 0.5]], convention="torch", label_smoothing=0.1)
    with pytest.raises(InputError, match="use from_logits=True"):
        metrics.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]], convention="torch")


def test_a_convention_that_a_loss_does_not_have_is_refused():
    with pytest.raises(InputError, match="unknown convention of binary_crossentropy 'jax'"):
        metrics.binary_crossentropy([1], [0.5], convention="jax")
    with pytest.raises(InputError, match="Known: keras, torch, xentexp"):
        metrics.kl_divergence([0, 1], [0.5, 0.5], convention="sklearn")
    with pytest.raises(InputError, match="convention of entropy must be 'xentexp'"):
        metrics.entropy([0.5, 0.5], convention="torch")


def test_the_meaning_of_normalize_depends_on_the_convention():
    y, p = [0, 1, 1], [0.1, 0.8, 0.6]
    mean = metrics.binary_crossentropy(y, p, convention="sklearn", normalize=True)
    total = metrics.binary_crossentropy(y, p, convention="sklearn", normalize=False)
    assert mean == metrics.binary_crossentropy(y, p, normalize=True)
    assert total == pytest.approx(3 * mean)
    assert metrics.binary_crossentropy(y, p, normalize=False) == mean  # checks the row sums


def test_arguments_are_accepted_by_name():
    value = metrics.kl_divergence(q=[0.5, 0.5], p=[0.0, 1.0], convention="torch", reduction="sum")
    assert value == pytest.approx(np.log(2))
    with pytest.raises(InputError, match="y_pred must be given"):
        metrics.binary_crossentropy([1], convention="keras")
    with pytest.raises(TypeError, match="too many"):
        metrics.binary_crossentropy([1], [0.5], [1], convention="keras")


@pytest.mark.parametrize("loss", CONVENTIONS)
def test_the_docstring_names_each_peer_its_version_and_its_keywords(loss):
    doc = inspect.getdoc(getattr(metrics, loss))
    for name, peer in CONVENTIONS[loss].items():
        assert f'"{name}" : {peer.name} {VERSIONS[name]}' in doc
        assert f"Keywords: {', '.join(peer.keywords)}." in doc
    assert describe("entropy") == []


@pytest.mark.parametrize(
    "values",
    [None, [[1.0, 2.0], [3.0]], ["a"], [1j], np.ma.masked_array([1.0], [True]), [None, {}]],
)
@pytest.mark.parametrize("convention", ["keras", "torch"])
def test_input_other_than_an_array_of_numbers_is_refused(convention, values):
    with pytest.raises(InputError, match="y_pred"):
        metrics.binary_crossentropy([1.0], values, convention=convention)


def test_class_numbers_must_be_integers():
    # torch requires an integer dtype; xentexp accepts floats with integer values.
    value = apply("sparse_categorical_crossentropy", "torch", [1.0], [[0.5, 0.5]], {})
    assert value == pytest.approx(np.log(2))
    with pytest.raises(InputError, match=r"class numbers from 0 to 1; got 0\.5"):
        apply("sparse_categorical_crossentropy", "torch", [0.5], [[0.5, 0.5]], {})


def test_float16_has_the_precision_of_float16():
    p = np.array([[0.3], [0.7]], np.float16)
    for convention in ("keras", "torch"):
        values = apply("binary_crossentropy", convention, [[1], [1]], p, {"reduction": "none"})
        assert values.dtype == np.float16
        np.testing.assert_allclose(values.ravel(), -np.log(p.astype(float).ravel()), rtol=1e-3)


def test_no_peer_is_imported():
    code = (
        "import sys, xentexp.metrics._compat as c;"
        "c.apply('binary_crossentropy', 'sklearn', [0, 1], [.5, .5], {});"
        "print(sorted({'sklearn', 'keras', 'torch', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
