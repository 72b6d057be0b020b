"""Custom metrics: registration, refused names, evaluation, scorers and merged states."""

from dataclasses import dataclass, make_dataclass, replace

import numpy as np
import pytest

from xentexp import metrics
from xentexp.errors import InputError, UndefinedError
from xentexp.metrics import (
    DatasetMetric,
    Evaluation,
    LossState,
    MetricInput,
    MetricProperties,
    evaluate,
    get_metric,
    register_metric,
)
from xentexp.metrics._registry import DATASET_METRICS
from xentexp.scorers import get_scorer

pytestmark = pytest.mark.usefixtures("restored_tables")

PROPERTIES = MetricProperties(
    summary="Lowest predicted probability of a true class.",
    formula="min_i p_iy",
    range="[0, 1]",
    direction="higher",
    optimum=1.0,
    response="predict_proba",
    reference="an example",
    example=">>> lowest_probability([0, 1], [0.1, 0.8])\n0.8",
    notes="The value is undefined for the scale 0.",
)


def metric_class(name="lowest_probability", properties=PROPERTIES):
    @dataclass(frozen=True)
    class LowestProbability(DatasetMetric):
        """A metric with a parameter."""

        scale: float = 1.0

        def value(self, data: MetricInput) -> float:
            if self.scale == 0.0:
                raise UndefinedError("lowest_probability is undefined: scale is 0")
            true = data.proba_by_class[data.index, np.arange(len(data.index))]
            return self.scale * float(true.min())

    LowestProbability.function, LowestProbability.properties = name, properties
    return LowestProbability


def test_a_registered_metric_has_a_function_a_name_and_a_scorer():
    registered = register_metric(metric_class())
    assert get_metric("lowest_probability", scale=2.0) == registered(2.0)
    assert metrics.lowest_probability([0, 1], [0.1, 0.8]) == 0.8
    assert metrics.lowest_probability([0, 1], [0.1, 0.8], scale=2.0) == 1.6
    doc = metrics.lowest_probability.__doc__
    assert "UndefinedError\n    If the metric is undefined" in doc
    assert "scale : object, default=1.0" in doc
    assert "lowest_probability" in dir(metrics)
    assert evaluate([0, 1], [0.1, 0.8], ["lowest_probability"])["lowest_probability"] == 0.8
    assert get_scorer("lowest_probability").metric == registered()
    with pytest.raises(UndefinedError, match="scale is 0"):
        metrics.lowest_probability([0, 1], [0.1, 0.8], scale=0.0)


def test_the_same_class_can_be_registered_again():
    for _ in range(2):  # as when a cell of a notebook is run twice
        register_metric(metric_class())


@pytest.mark.parametrize(
    "name", ["brier_loss", "nll", "roc_auc", "auc", "evaluate", "LossState", "register_metric"]
)
def test_a_name_that_exists_is_refused(name):
    with pytest.raises(InputError, match=f"must be a new name; '{name}' is already the name"):
        register_metric(metric_class(name))
    assert isinstance(get_metric("auc"), type(DATASET_METRICS["roc_auc"]))


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        (3, "a metric must be a class derived from DatasetMetric .*; got 3"),
        (type("Plain", (DatasetMetric,), {}), "a metric must be a class derived from"),
        (metric_class("two words"), "must be a valid Python name, .*; got 'two words'"),
        (
            metric_class(properties=None),
            r"be MetricProperties\(...\) with an optimum; got None",
        ),
        (metric_class(properties=replace(PROPERTIES, optimum=None)), "with an optimum"),
        (
            metric_class(properties=replace(PROPERTIES, example=">>> other([0], [0.1])")),
            r"the example of LowestProbability must call its function lowest_probability\(...\)",
        ),
        (  # "lower" is the default
            metric_class(properties=replace(PROPERTIES, direction="lower")),
            r"must be 0, the best value in its range \[0, 1\] with direction='lower'; got 1; set",
        ),
        (
            metric_class(properties=replace(PROPERTIES, optimum=0.0)),
            "optimum of LowestProbability must be 1, .* with direction='higher'; got 0",
        ),
        (
            metric_class(properties=replace(PROPERTIES, peers=("sklearn.metrics.roc_auc_score",))),
            "peers of LowestProbability .*'sklearn.metrics.roc_auc_score' is a name of roc_auc",
        ),
        (
            metric_class(properties=replace(PROPERTIES, peers=("mine.log_loss",))),
            "'mine.log_loss' is a name of categorical_crossentropy",
        ),
        (
            dataclass(frozen=True)(
                type("Empty", (DatasetMetric,), {"function": "empty", "properties": PROPERTIES})
            ),
            "Empty must define value",
        ),
    ],
)
def test_a_class_that_is_not_a_metric_is_refused(candidate, message):
    with pytest.raises(InputError, match=message):
        register_metric(candidate)


def test_a_metric_that_is_not_frozen_is_an_input_error():
    with pytest.raises(InputError, match=r"Mine must be frozen; write @dataclass\(frozen=True\)"):
        dataclass(type("Mine", (DatasetMetric,), {}))


@pytest.mark.parametrize(
    ("direction", "optimum", "interval"),
    [("nearest", 0.5, "[0, 1]"), ("lower", 0.0, "[0, log k]"), ("higher", 3.0, "[0, log k]")],
)
def test_an_optimum_without_a_number_to_compare_is_accepted(direction, optimum, interval):
    changes = {"direction": direction, "optimum": optimum, "range": interval}
    register_metric(metric_class(properties=replace(PROPERTIES, **changes)))


def test_a_metric_object_needs_no_registration():
    result = evaluate([0, 1], [0.1, 0.8], [metric_class()(scale=0.5)])
    assert result.values == {"lowest_probability": 0.4}


def test_the_states_of_two_evaluations_merge():
    labels, losses = [0, 1], ["brier_loss", "nll"]
    first = evaluate([0, 1], [0.1, 0.8], losses, labels=labels)
    second = evaluate([1], [0.4], losses, labels=labels)
    whole = evaluate([0, 1, 1], [0.1, 0.8, 0.4], losses, labels=labels)
    assert isinstance(first.state, LossState)
    merged = Evaluation(first.state + second.state)
    assert merged.values == pytest.approx(whole.values, rel=1e-14)
    assert merged.standard_error == pytest.approx(whole.standard_error, rel=1e-14)


@pytest.mark.parametrize(
    ("fields", "name", "message"),
    [
        ({"labels": (int, 3)}, "mine", "Mine must not have a parameter labels, because"),
        ({"power": (int,)}, "mine", "parameters of Mine must have defaults; missing for power"),
        ({"function": (str, "mine")}, "mine", "function of Mine must not be a parameter"),
        ({}, "class", "function of Mine must be a valid Python name"),
    ],
)
def test_a_metric_with_a_wrong_parameter_or_name_is_refused(fields, name, message):
    mine = make_dataclass(
        "Mine",
        [(field, *spec) for field, spec in fields.items()],
        bases=(DatasetMetric,),
        namespace={"value": lambda self, data: 1.0, "properties": PROPERTIES, "function": name},
        frozen=True,
    )
    with pytest.raises(InputError, match=message):
        register_metric(mine)
