"""The table of losses: its content, the properties of each loss, and `get_loss`."""

import dataclasses
import inspect
import pickle
import re
from collections import Counter

import numpy as np
import pytest

from tests.support.loss_cases import LOSS_CASES
from xentexp.errors import InputError
from xentexp.losses import LOSSES, Loss
from xentexp.metrics._registry import get_loss

PEERS = [(peer, name) for name, loss in LOSSES.items() for peer in loss.properties.peers]


def last_part(peer):
    return peer.rpartition(".")[2]


def test_every_loss_has_a_case_for_the_tests():
    assert set(LOSSES) == set(LOSS_CASES), "add it to tests/support/loss_cases.py"
    assert [loss.name for loss in LOSSES.values()] == list(LOSSES)


def test_the_table_of_losses_is_ordered_by_family():
    modules = [type(loss).__module__.removeprefix("xentexp.losses._") for loss in LOSSES.values()]
    assert list(dict.fromkeys(modules)) == [
        "crossentropy", "proper", "focal", "robust", "ordinal", "margin", "regression",
        "divergence", "multilabel",
    ]  # fmt: skip
    assert modules == sorted(modules, key=list(dict.fromkeys(modules)).index)


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


@pytest.mark.parametrize("name", ["logloss2", "loglos", "roc_au", "gin"])
def test_an_unknown_loss_gets_names_of_losses_only(name):
    with pytest.raises(InputError, match=f"unknown loss '{name}'") as error:
        get_loss(name)
    words = set(re.findall(r"\w+", str(error.value)))
    assert not words & {"roc_auc", "auc", "gini", "calibration_slope", "average_precision"}


@pytest.mark.parametrize(
    ("name", "parameters", "parts"),
    [
        ("brier_los", {}, ["unknown loss 'brier_los'", "did you mean 'brier_loss'"]),
        (
            "roc_auc",
            {},
            [
                "a loss is required; got 'roc_auc', which is a metric of the whole data "
                "set; get_metric and evaluate accept it"
            ],
        ),
        ("d2_nll", {}, ["a loss is required; got 'd2_nll', which is a metric"]),
        ("accuracy", {}, ["unknown loss 'accuracy'; use zero_one_loss, which is 1 - accuracy. "]),
        ("neg_brier_loss", {}, ["have no prefix neg_; got 'neg_brier_loss'; write 'brier_loss'"]),
        ("neg_brier_los", {}, ["unknown loss 'neg_brier_los'", "did you mean 'brier_loss'"]),
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


def test_parameters_outside_their_domain_raise(loss):
    cases = LOSS_CASES[loss.name].bad_parameters
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
