"""The functions of losses: signature, docstring, options and reductions."""

import doctest
import inspect
import pickle
import re
from functools import partial

import numpy as np
import pytest

from tests.support.loss_cases import LOSS_CASES
from xentexp import metrics
from xentexp.errors import InputError
from xentexp.losses import LOSSES
from xentexp.losses._registry import TAKEN
from xentexp.metrics._compat import CONVENTIONS
from xentexp.metrics._functions import symbols_of
from xentexp.metrics._registry import ALIASES, DATASET_METRICS, PUBLIC_NAMES

P3 = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3], [0.6, 0.2, 0.2]])
Y3 = np.array([0, 2, 1, 0])
P2, Y2 = np.array([0.2, 0.9, 0.6, 0.3]), np.array([0, 1, 0, 1])
WEIGHT = np.array([1.0, 0.0, 2.5, 3.0])
OPTIONS = {
    "from_logits": False,
    "labels": None,
    "sample_weight": None,
    "class_weight": None,
    "pos_weight": None,
    "label_smoothing": 0.0,
    "clip": "auto",
    "normalize": False,
    "ignore_label": None,
    "numbers": False,
    "n_jobs": None,
    "reduction": "mean",
}


def takes(loss, option):
    properties, case = loss.properties, LOSS_CASES[loss.name]
    scores = properties.response in ("decision_function", "latent")
    classes = not properties.distributions and properties.targets != "multilabel"
    return {
        "from_logits": not properties.distributions and not scores,
        "labels": classes,
        "class_weight": classes,
        "ignore_label": classes,
        "pos_weight": properties.binary_only,
        "normalize": not scores and properties.targets != "multilabel",
        "label_smoothing": case.smoothing,
        "clip": case.clip,
        "numbers": case.numbers,
    }.get(option, True)


@pytest.fixture
def case(loss):
    """A metric function, valid arguments, and the options that it requires."""
    function, properties = getattr(metrics, loss.name), loss.properties
    if properties.targets == "none":
        return function, (P3,), {}
    if properties.targets == "multilabel":
        return function, (np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]), P3), {}
    if properties.distributions:
        return function, (P3[::-1], P3), {}
    if properties.response == "latent":
        return function, (Y3, P2), {"labels": [0, 1, 2]}
    return function, ((Y2, P2) if properties.binary_only else (Y3, P3)), {}


def test_all_lists_every_loss_every_metric_and_the_public_names():
    assert set(metrics.__all__) == {*LOSSES, *DATASET_METRICS, *PUBLIC_NAMES}
    assert {"DatasetMetric", "LossState", "MetricInput", "register_metric"} < set(PUBLIC_NAMES)
    assert set(PUBLIC_NAMES) < TAKEN  # so that no loss can have such a name
    functions = [name for name in metrics.__all__ if name != "credit"]  # a module
    assert all(callable(getattr(metrics, name)) for name in functions)


@pytest.mark.parametrize("name", [*LOSSES, *DATASET_METRICS])
def test_the_example_in_the_docstring_of_a_function_runs(name):
    function = getattr(metrics, name)
    (test,) = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert len(test.examples) >= 2  # an import and a call
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    failures: list[str] = []
    assert runner.run(test, out=failures.append).failed == 0, "".join(failures)


def test_a_metric_is_a_plain_function_that_can_be_pickled(loss):
    function = getattr(metrics, loss.name)
    assert inspect.isfunction(function)
    assert function.__name__ == function.__qualname__ == loss.name
    assert function.__module__ == "xentexp.metrics"
    assert pickle.loads(pickle.dumps(function)) is function


def test_the_signature_has_the_options_of_the_loss(loss):
    parameters = dict(inspect.signature(getattr(metrics, loss.name)).parameters)
    positional = {"none": ["p"]}.get(
        loss.properties.targets,
        ["p", "q"] if loss.properties.distributions else ["y_true", "y_pred"],
    )
    assert list(parameters)[: len(positional)] == positional
    for name in positional:
        parameter = parameters.pop(name)
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        assert parameter.default is parameter.empty
    if loss.name in CONVENTIONS:
        assert parameters.pop("convention").default == "xentexp"
        assert parameters.pop("peer_options").kind is inspect.Parameter.VAR_KEYWORD
    expected = {o: default for o, default in OPTIONS.items() if takes(loss, o)}
    expected |= LOSS_CASES[loss.name].defaults
    assert {name: parameter.default for name, parameter in parameters.items()} == expected
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())
    assert list(parameters)[-1] == "reduction"


def test_the_docstring_is_complete(loss):
    function = getattr(metrics, loss.name)
    doc = inspect.getdoc(function)
    assert doc.startswith(loss.properties.summary)
    assert loss.properties.formula in doc
    assert loss.properties.range in doc
    flowing = " ".join(doc.split())
    assert " ".join(loss.properties.reference.split()) in flowing
    assert all(peer in flowing for peer in loss.properties.peers)
    assert ("Lower is better" in doc) == (loss.name != "entropy")
    if loss.name != "entropy":
        assert f"({loss.properties.link} link)" in flowing
        assert ("not convex" in flowing) == (not loss.properties.convex)
        assert ("subgradient" in doc) == (loss.properties.gradient == "subgradient")
        assert ("not symmetric in the classes" in flowing) == (not loss.properties.symmetric)
    in_nats = LOSS_CASES[loss.name].in_nats
    information = in_nats or loss.name == "logarithmic_score"
    assert ("Units are nats" in doc) == in_nats
    assert ("Units are" in doc) == information
    if loss.properties.properness != "-":
        assert f"It is {loss.properties.properness}: " in doc
    positions = [
        doc.index(f"\n{title}\n{'-' * len(title)}\n")
        for title in ("Parameters", "Returns", "Raises", "References", "Examples")
    ]
    assert positions == sorted(positions)
    if loss.properties.response in ("decision_function", "latent"):
        assert "Do not pass probabilities" in doc
    documented = [
        line.split(" : ")[0].lstrip("*")
        for line in doc[positions[0] : positions[1]].split("\n")
        if " : " in line
    ]
    assert documented == list(inspect.signature(function).parameters)
    assert f">>> {loss.name}(" in doc or f"{loss.name}(" in doc[positions[-1] :]


def test_every_symbol_of_a_formula_is_explained(loss):
    """Words of a formula are symbols that the text explains, parameters, or functions."""
    formula, text = loss.properties.formula, symbols_of(loss)
    words = set(re.findall(r"(?<!\w)[A-Za-z]\w*", formula))
    defined = set(re.findall(r"([A-Za-z]\w*)(?:\(x\))? = ", formula))  # as in "m = s d"
    unexplained = {word for word in words - defined if not re.search(rf"\b{word}\b", text)}
    assert unexplained <= {
        "P", "argmax_j", "asymmetric_loss", "c", "class", "classes", "cosh", "dc", "else",
        "exp", "for", "half", "if", "int_0", "int_p", "j", "log", "log2", "m", "m_j", "max", "max_",
        "sqrt", "sum_", "sum_j", "sum_m", "theta_", "two", "x",
    }  # fmt: skip


# -- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_a_short_name_is_the_same_function(alias, name):
    assert getattr(metrics, alias) is getattr(metrics, name)
    assert alias not in dir(metrics)  # each function is listed once
    assert alias not in metrics.__all__


def test_a_short_name_can_be_imported():
    from xentexp.metrics import categorical_crossentropy, nll

    assert nll is categorical_crossentropy


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("brier_los", "; did you mean brier_loss or "),
        ("balanced_brier_loss", "; use evaluate(y_true, y_pred, ['balanced_brier_loss'])"),
        ("evaluat", "; did you mean evaluate or Evaluation?"),
        ("brier_score_loss", "; other libraries use this name for brier_loss"),
        ("roc_auc_score", "; other libraries use this name for roc_auc"),
        ("zzzzz", ""),
        ("_private", ""),
    ],
)
def test_the_error_for_an_unknown_name_names_similar_ones(name, hint):
    with pytest.raises(AttributeError) as caught:
        getattr(metrics, name)
    message = f"module 'xentexp.metrics' has no attribute {name!r}"
    assert str(caught.value).startswith(message + hint)
    assert (str(caught.value) == message) == (not hint)
    assert not hasattr(metrics, name)


# -- arguments -------------------------------------------------------------------------------


def test_arguments_are_accepted_by_name_and_unknown_ones_are_refused(case):
    function, args, needed = case
    names = list(inspect.signature(function).parameters)[: len(args)]
    named = dict(zip(names, args, strict=True))
    assert function(**named, **needed) == function(*args, **needed)
    for call in (
        lambda: function(),
        lambda: function(*args, reduktion="mean"),
        lambda: function(*args, None, None),
    ):
        with pytest.raises(TypeError, match=rf"^{function.__name__}\(\)(:| got) "):
            call()


def test_the_docstring_of_a_loss_quotes_strings_as_code_does():
    doc = inspect.getdoc(metrics.brier_loss)
    assert 'reduction : {"mean", "sum", "none"}, default="mean"' in doc
    assert 'class_weight : dict, array-like of shape (k,), "balanced" or None, default=None' in doc
    assert 'convention : str, default="xentexp"' in doc


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda y, p: metrics.brier_loss(y_true=y, y_proba=p), "'y_proba'; did you mean 'y_pred'?"),
        (
            lambda y, p: metrics.hinge_loss(y, pred_decision=p),
            "'pred_decision'; did you mean 'y_pred'?",
        ),
        (lambda y, p: metrics.roc_auc(y, y_score=p), "'y_score'; did you mean 'y_pred'?"),
        (
            lambda y, p: metrics.nll(y, p, sample_weights=y),
            "'sample_weights'; did you mean 'sample_w",
        ),
        (
            lambda y, p: metrics.brier_loss(y, p, zzz=1),
            "'zzz'. Arguments: y_true, y_pred, from_logits, ",
        ),
        (
            lambda y, p: metrics.evaluate(y, p, class_weigth=1),
            "'class_weigth'; did you mean 'class_weight'",
        ),
    ],
)
def test_an_unexpected_keyword_is_named_with_the_argument_that_it_stands_for(call, hint):
    with pytest.raises(TypeError, match=f"got an unexpected keyword argument {re.escape(hint)}"):
        call([0, 1], [0.2, 0.7])


@pytest.mark.parametrize("name", ["brier_loss", "multilabel_crossentropy", "roc_auc", "evaluate"])
def test_from_logits_must_be_true_or_false(name):
    with pytest.raises(InputError, match=r"^from_logits must be True or False; got 'yes'$"):
        getattr(metrics, name)([0, 1], [0.2, 0.7], from_logits="yes")


# -- options that are the same for all -------------------------------------------------------


def test_reductions(case):
    function, args, needed = case
    function = partial(function, **needed)
    each = function(*args, reduction="none")
    assert isinstance(each, np.ndarray)
    assert each.shape == (4,)
    assert each.dtype == np.float64
    total, mean = function(*args, reduction="sum"), function(*args)
    assert type(total) is type(mean) is float
    assert total == pytest.approx(each.sum(), rel=1e-14)
    assert mean == pytest.approx(each.mean(), rel=1e-14)


def test_weighted_reductions(case):
    function, args, needed = case
    function = partial(function, **needed)
    each = function(*args, reduction="none")
    weighted = function(*args, reduction="none", sample_weight=WEIGHT)
    np.testing.assert_allclose(weighted, WEIGHT * each, rtol=1e-15)
    total = function(*args, reduction="sum", sample_weight=WEIGHT)
    assert total == pytest.approx(weighted.sum(), rel=1e-14)
    assert function(*args, sample_weight=WEIGHT) == pytest.approx(total / WEIGHT.sum(), rel=1e-14)
    scaled = function(*args, sample_weight=10 * WEIGHT)
    assert scaled == pytest.approx(function(*args, sample_weight=WEIGHT), rel=1e-14)


def test_ignored_rows_count_in_no_sum_and_no_mean(loss, case):
    function, args, _ = case
    if not takes(loss, "ignore_label"):
        with pytest.raises(TypeError, match="ignore_label"):
            function(*args, ignore_label=-1)
        return
    y, p = args
    spoilt, weight = np.where([False, True, False, False], -1, y), np.array([1.0, 7.0, 2.0, 3.0])
    kept = np.array([0, 2, 3])
    labels = range(2 if loss.properties.binary_only else 3)
    function = partial(function, labels=labels)
    for w in (None, weight):
        rest = None if w is None else w[kept]
        for reduction in ("mean", "sum"):
            options = {"reduction": reduction}
            assert function(
                spoilt, p, ignore_label=-1, sample_weight=w, **options
            ) == pytest.approx(function(y[kept], p[kept], sample_weight=rest, **options), rel=1e-14)
        each = function(spoilt, p, ignore_label=-1, sample_weight=w, reduction="none")
        expected = function(y, p, sample_weight=w, reduction="none")
        np.testing.assert_allclose(each, np.where(spoilt == -1, 0.0, expected), rtol=1e-15)
    assert function(spoilt, p, ignore_label=-1) == function(spoilt, p, ignore_label=-1.0)


def test_an_ignored_label_may_be_a_class_or_a_word():
    text = np.array(["b", "?", "a"])
    ignored = metrics.binary_crossentropy(text, [0.9, 0.1, 0.2], ignore_label="?")
    assert ignored == pytest.approx(-(np.log(0.9) + np.log(0.8)) / 2)
    one_class = metrics.brier_loss(Y3, P3, ignore_label=0)
    assert one_class == pytest.approx(metrics.brier_loss(Y3[1:3], P3[1:3]))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("targets", ["labels", "one-hot", "soft"])
def test_label_smoothing_mixes_targets_with_the_uniform_distribution(smoothing, targets):
    target = {"soft": np.array([[0.5, 0.25, 0.25]] * 4)}.get(targets, np.eye(3)[Y3])
    y = Y3 if targets == "labels" else target
    expected = -((target * (1 - smoothing) + smoothing / 3) * np.log(P3)).sum(axis=1)
    ours = metrics.categorical_crossentropy(y, P3, label_smoothing=smoothing, reduction="none")
    np.testing.assert_allclose(ours, expected, rtol=1e-14)
    from_logits = metrics.categorical_crossentropy(
        y, np.log(P3) + 3.0, label_smoothing=smoothing, reduction="none", from_logits=True
    )
    np.testing.assert_allclose(from_logits, expected, rtol=1e-13)
    if targets == "labels":
        sparse = metrics.sparse_categorical_crossentropy(y, P3, label_smoothing=smoothing)
        assert sparse == pytest.approx(expected.mean(), rel=1e-14)


def test_infinite_values_without_a_clip():
    bce = metrics.binary_crossentropy
    each = bce([1, 0, 1], [0.0, 0.0, 0.5], clip=0, reduction="none")
    np.testing.assert_array_equal(each, [np.inf, 0.0, np.log(2)])
    assert bce([1, 0, 1], [0.0, 0.0, 0.5], clip=0) == np.inf
    # a weight of 0 leaves the row out, infinite or not
    assert bce([1, 1], [0.0, 0.5], clip=0, sample_weight=[0, 1]) == pytest.approx(np.log(2))
    soft = metrics.categorical_crossentropy([[0, 0.5, 0.5]], [[0, 0.5, 0.5]], clip=0)
    assert soft == pytest.approx(np.log(2))  # 0 log 0 = 0
    assert metrics.kl_divergence([0.5, 0.5], [1, 0]) == np.inf
    assert metrics.kl_divergence([1, 0], [1, 0]) == 0.0
    assert metrics.cross_entropy([1, 0], [0, 1]) == np.inf
