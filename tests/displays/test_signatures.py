"""All displays have the methods and parameters of scikit-learn's, in one order."""

from __future__ import annotations

import inspect
from itertools import pairwise
from typing import Any

import pytest

from xentexp import displays

ORDER = (
    *("loss", "family", "reference", "thresholds", "columns", "amount"),  # what is drawn
    *("labels", "sample_weight", "groups", "folds"),  # the rows
    *("clip", "n_bins", "confidence", "n_draws", "max_rows", "random_state", "most"),  # how
    *("name", "ax"),
)
DISPLAYS = [getattr(displays, name) for name in displays.__all__ if name.endswith("Display")]


def optional(method: Any) -> list[str]:
    parameters = inspect.signature(method).parameters.values()
    return [p.name for p in parameters if p.default is not p.empty]


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("method", ["from_predictions", "from_estimator"])
def test_optional_parameters_are_keywords_in_one_order(display: Any, method: str) -> None:
    bound = getattr(display, method)
    places = [ORDER.index(name) for name in optional(bound)]
    assert all(first < second for first, second in pairwise(places))
    parameters = inspect.signature(bound).parameters
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in optional(bound))


@pytest.mark.parametrize("display", DISPLAYS)
def test_estimators_have_the_options_of_predictions(display: Any) -> None:
    """Classifiers know their labels, and their rows are of no fold of theirs."""
    of_predictions, of_estimator = (
        list(inspect.signature(getattr(display, name)).parameters)
        for name in ("from_predictions", "from_estimator")
    )
    assert of_estimator[:3] == ["estimator", "X", "y"]
    assert of_predictions[:2] == ["y_true", "y_pred"]
    known = {"labels", "folds"} if "folds" in optional(display.from_predictions) else {"labels"}
    shared = [name for name in of_predictions[2:] if name not in known | {"X"}]
    assert of_estimator[3:] == shared


@pytest.mark.parametrize("display", DISPLAYS)
def test_plot_takes_the_axes_first(display: Any) -> None:
    assert list(inspect.signature(display.plot).parameters)[:2] == ["self", "ax"]
