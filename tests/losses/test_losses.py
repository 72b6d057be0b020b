"""The table of losses: its content, the properties of each loss, and `get_loss`."""

import dataclasses
import inspect
import pickle
from collections import Counter

import numpy as np
import pytest

from xentexp.errors import InputError
from xentexp.losses import LOSSES, Loss
from xentexp.metrics._registry import get_loss

NAMES = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "logarithmic_score",
    "brier_loss",
    "spherical_loss",
    "pseudospherical_loss",
    "power_loss",
    "beta_loss",
    "zero_one_loss",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
    "asymmetric_loss",
    "poly1_crossentropy",
    "generalized_crossentropy",
    "symmetric_crossentropy",
    "taylor_crossentropy",
    "label_relaxation",
    "bi_tempered_logistic_loss",
    "ranked_probability_score",
    "squared_earth_mover_distance",
    "cumulative_log_loss",
    "cumulative_link_log_loss",
    "expected_absolute_grade_error",
    "hinge_loss",
    "squared_hinge_loss",
    "smoothed_hinge_loss",
    "modified_huber_loss",
    "categorical_hinge",
    "weston_watkins_hinge",
    "multi_margin_loss",
    "exponential_loss",
    "logistic_margin_loss",
    "squared_error",
    "absolute_error",
    "huber_loss",
    "log_cosh_loss",
    "poisson_deviance",
    "squared_log_error",
    "entropy",
    "cross_entropy",
    "kl_divergence",
    "reverse_kl_divergence",
    "jensen_shannon_divergence",
    "renyi_divergence",
    "alpha_divergence",
    "multilabel_crossentropy",
    "multilabel_asymmetric_loss",
]
PEERS = [(peer, name) for name, loss in LOSSES.items() for peer in loss.properties.peers]


def last_part(peer):
    return peer.rpartition(".")[2]


def test_the_table_holds_the_losses_in_this_order():
    assert list(LOSSES) == NAMES
    assert [loss.name for loss in LOSSES.values()] == NAMES


def test_a_loss_is_a_frozen_hashable_picklable_value(loss):
    again = pickle.loads(pickle.dumps(loss))
    assert again == loss == get_loss(loss.name) == get_loss(loss)
    assert hash(again) == hash(loss)
    assert len({loss, again}) == 1
    assert [other.name for other in LOSSES.values() if other == loss] == [loss.name]
    for name in ["name", *(field.name for field in dataclasses.fields(loss))]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(loss, name, "other")


# -- properties -----------------------------------------------------------------------------------


def test_properties_are_complete_and_frozen(loss):
    properties = loss.properties
    assert properties.summary.endswith(".")
    assert "\n" not in properties.summary + properties.formula
    assert properties.formula.isascii()
    assert properties.range[0] in "[("
    assert properties.range[-1] in "])"
    assert all(1900 < int(year) < 2030 for year in four_digits(properties.reference))
    assert properties.reference
    assert f"{loss.name}(" in properties.example
    assert (properties.direction == "none") == (loss.name == "entropy")
    with pytest.raises(dataclasses.FrozenInstanceError):
        properties.direction = "none"


def four_digits(text):
    """Years in brackets."""
    return [part[:4] for part in text.split("(")[1:] if part[:4].isdigit() and part[4:5] == ")"]


def test_properties_are_consistent(loss):
    properties = loss.properties
    scores = properties.response in ("decision_function", "latent")
    assert scores == (properties.link in ("identity", "cumulative logit"))
    assert (properties.response == "latent") == (properties.link == "cumulative logit")
    assert (properties.targets == "multilabel") == (properties.link == "sigmoid")
    assert not (scores and (properties.smoothing or properties.clip or properties.distributions))
    assert not (properties.ordered and properties.symmetric)
    assert not (properties.smoothing and properties.targets in ("one-hot", "positive", "none"))
    assert properties.clip or not properties.smoothing  # losses with smoothing also have the clip
    if properties.numbers:
        assert properties.link == "softmax"


def test_every_parameter_is_documented(loss):
    names = [field.name for field in dataclasses.fields(loss)]
    doc = inspect.getdoc(type(loss))
    assert [name for name in names if name not in doc] == []


# -- finding ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "shown"),
    [
        ("squared_error", {"over_classes": "half_sum"}, "SquaredError(over_classes='half_sum')"),
        ("absolute_error", {"over_classes": "sum"}, "AbsoluteError(over_classes='sum')"),
        ("brier_loss", {"scale_by_half": False}, "BrierLoss(scale_by_half=False)"),
        ("cross_entropy", {"delta": 1e-10}, "CrossEntropy(delta=1e-10)"),
        (
            "categorical_focal_crossentropy",
            {"alpha": [0.25, 1]},
            "CategoricalFocalCrossentropy(gamma=2.0, alpha=(0.25, 1.0))",
        ),
        (
            "cumulative_link_log_loss",
            {"thresholds": np.array([-1, 2])},
            "CumulativeLinkLogLoss(thresholds=(-1.0, 2.0))",
        ),
        ("entropy", {}, "Entropy()"),
    ],
)
def test_get_loss_sets_parameters(name, parameters, shown):
    loss = get_loss(name, **parameters)
    assert repr(loss) == shown
    assert loss == get_loss(LOSSES[name], **parameters)
    assert (loss == LOSSES[name]) == (parameters == {})
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert hash(loss) == hash(pickle.loads(pickle.dumps(loss)))


@pytest.mark.parametrize(
    ("name", "parameters", "parts"),
    [
        ("brier_los", {}, ["unknown loss 'brier_los'", "did you mean 'brier_loss'"]),
        ("logloss2", {}, ["unknown loss 'logloss2'", "Known: absolute_error, alpha_div"]),
        ("", {}, ["unknown loss ''"]),
        (None, {}, ["unknown loss None", "Known:"]),
        (["hinge_loss"], {}, ["unknown loss ['hinge_loss']"]),
        ("squared_error", {"over_class": "sum"}, ["'over_class'", "did you mean 'over_classes'"]),
        ("hinge_loss", {"delta": 1.0}, ["hinge_loss has no parameters; got 'delta'"]),
    ],
)
def test_get_loss_raises_for_unknown_names_and_parameters(name, parameters, parts):
    with pytest.raises(InputError) as error:
        get_loss(name, **parameters)
    assert all(part in str(error.value) for part in parts), str(error.value)


OUT_OF_DOMAIN = {  # for every parameter of every loss: an invalid value and the rule
    "absolute_error": [({"over_classes": "summ"}, "did you mean 'sum'")],
    "alpha_divergence": [({"alpha": 0}, "alpha must be > 0"), ({"alpha": 1}, "kl_divergence")],
    "asymmetric_loss": [
        ({"gamma_positive": -1}, "gamma_positive must be >= 0"),
        ({"gamma_negative": np.nan}, "gamma_negative must be >= 0"),
        ({"margin": 1.5}, "margin must be >= 0 and <= 1; got 1.5"),
    ],
    "beta_loss": [({"alpha": -1.0}, "alpha must be > -1"), ({"beta": -2}, "beta must be > -1")],
    "bi_tempered_logistic_loss": [
        ({"t1": 1.1}, "t1 must be >= 0 and <= 1"),
        ({"t2": 0.9}, "t2 must be >= 1"),
    ],
    "binary_focal_crossentropy": [
        ({"gamma": -0.1}, "gamma must be >= 0"),
        ({"alpha": 1.01}, "alpha must be >= 0 and <= 1"),
    ],
    "brier_loss": [({"scale_by_half": "no"}, "'auto', True or False; got 'no'")],
    "categorical_focal_crossentropy": [
        ({"gamma": np.inf}, "gamma must be >= 0 and finite; got inf"),
        ({"alpha": 0}, "alpha must be > 0"),
        ({"alpha": [1, -1]}, "alpha of each class must be >= 0"),
        ({"alpha": "a"}, "alpha must be a number, or a sequence with one number for each class"),
    ],
    "cross_entropy": [
        ({"delta": -1.0}, "delta must be >= 0 and finite; got -1.0"),
        ({"delta": "1"}, "got '1'"),
        ({"delta": True}, "got True"),
    ],
    "cumulative_link_log_loss": [
        ({"thresholds": [1, 1]}, r"thresholds must be increasing; got \[1.0, 1.0\]"),
        ({"thresholds": []}, "thresholds must be increasing"),
        ({"thresholds": [0, np.inf]}, "thresholds must be a finite number; got inf"),
        ({"thresholds": 3}, "thresholds must be a sequence of numbers; got 3"),
    ],
    "generalized_crossentropy": [({"q": 0}, "q must be > 0 and <= 1; got 0")],
    "huber_loss": [
        ({"delta": 0}, "delta must be > 0"),
        ({"over_classes": "max"}, "unknown over_classes 'max'"),
    ],
    "label_relaxation": [({"alpha": 0.6}, "alpha must be > 0 and <= 0.5")],
    "log_cosh_loss": [({"over_classes": 1}, "unknown over_classes 1")],
    "logarithmic_score": [({"base": 1}, "base must be > 1")],
    "multi_margin_loss": [
        ({"p": 3}, "p must be 1 or 2; got 3"),
        ({"margin": -1}, "margin must be >= 0"),
    ],
    "multilabel_asymmetric_loss": [
        ({"over_labels": "all"}, "unknown over_labels 'all'"),
        ({"gamma_positive": -1}, "gamma_positive must be >= 0"),
        ({"gamma_negative": -1}, "gamma_negative must be >= 0"),
        ({"margin": 2}, "margin must be >= 0 and <= 1"),
    ],
    "multilabel_crossentropy": [({"over_labels": None}, "unknown over_labels None")],
    "poisson_deviance": [({"over_classes": "x"}, "unknown over_classes")],
    "poly1_crossentropy": [({"epsilon": -1.5}, "epsilon must be >= -1")],
    "power_loss": [({"beta": 1}, "beta must be > 1")],
    "pseudospherical_loss": [({"beta": 0.5}, "beta must be > 1")],
    "renyi_divergence": [({"alpha": -1}, "alpha must be > 0"), ({"alpha": 1.0}, "must not be 1")],
    "smoothed_hinge_loss": [({"gamma": 0}, "gamma must be > 0")],
    "squared_error": [({"over_classes": "summ"}, "did you mean 'sum'")],
    "squared_log_error": [({"over_classes": ["sum"]}, "unknown over_classes")],
    "symmetric_crossentropy": [
        ({"alpha": -1}, "alpha must be >= 0"),
        ({"beta": -1}, "beta must be >= 0"),
        ({"log_zero": 0.1}, "log_zero must be a finite number <= 0"),
    ],
    "taylor_crossentropy": [
        ({"order": 0}, "order must be >= 1"),
        ({"order": 2.0}, "order must be an integer; got 2.0"),
    ],
}


def test_parameters_outside_their_domain_raise(loss):
    cases = OUT_OF_DOMAIN.get(loss.name, [])
    assert {name for parameters, _ in cases for name in parameters} == {
        field.name for field in dataclasses.fields(loss)
    }
    for parameters, rule in cases:
        with pytest.raises(InputError, match=rule):
            get_loss(loss, **parameters)


# -- what peers call them --------------------------------------------------------------------


def test_no_name_of_a_peer_belongs_to_two_losses():
    counts = Counter(peer for peer, _ in PEERS)
    assert counts.most_common(1)[0][1] == 1
    assert not {peer for peer, _ in PEERS}.intersection(LOSSES)


@pytest.mark.parametrize(("peer", "name"), PEERS)
def test_get_loss_by_names_of_peers(peer, name):
    assert get_loss(peer) == LOSSES[name]
    short = last_part(peer)
    matches = {other for whole, other in PEERS if last_part(whole) == short}
    if short in LOSSES:
        assert get_loss(short).name == short  # names of losses take precedence
    else:
        assert matches == {name}
        assert get_loss(short) == LOSSES[name]


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("log_loss", "categorical_crossentropy"),
        ("BCEWithLogitsLoss", "binary_crossentropy"),
        ("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy"),
        ("softmax_cross_entropy", "categorical_crossentropy"),
        ("multi_logloss", "categorical_crossentropy"),
        ("brier_score_loss", "brier_loss"),
        ("MSELoss", "squared_error"),
        ("KLDivLoss", "kl_divergence"),
    ],
)
def test_get_loss_by_common_names(short, name):
    assert get_loss(short) == LOSSES[name]


def test_an_ambiguous_short_name_is_refused(monkeypatch):
    def also_known_as(name, peer):
        loss = LOSSES[name]
        properties = dataclasses.replace(loss.properties, peers=(*loss.properties.peers, peer))
        monkeypatch.setattr(type(loss), "properties", properties)

    also_known_as("brier_loss", "elsewhere.Square")
    also_known_as("squared_error", "here.Square")
    with pytest.raises(InputError, match="'Square' is ambiguous; write brier_loss or"):
        get_loss("Square")
    assert get_loss("here.Square") == LOSSES["squared_error"]


def test_a_loss_is_abstract_until_it_has_values():
    with pytest.raises(TypeError, match="abstract"):
        Loss()
