"""Pass sample weights and groups to the `fit` of any estimator."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn import get_config
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRouter, get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from xentexp.errors import InputError


def fit_weights(estimator: Any, weight: NDArray[Any] | None) -> dict[str, Any]:
    """Keyword arguments of `fit` for the weights; an InputError if they would be ignored."""
    if weight is None:
        return {}
    routing = get_config()["enable_metadata_routing"] and get_routing_for_object(estimator)
    if not isinstance(routing, MetadataRouter):
        return {_keyword(estimator): weight}
    if not routing.consumes("fit", ["sample_weight"]):
        raise InputError(
            f"{_name(estimator)} does not request sample_weight; call "
            f"set_fit_request(sample_weight=True) on the estimators that use weights"
        )
    return {"sample_weight": weight}


def fit_arguments(
    estimator: Any, weight: NDArray[Any] | None, groups: NDArray[Any] | None
) -> dict[str, Any]:
    """Keyword arguments of `fit`: the weights, and the groups if the estimator splits its rows."""
    arguments = fit_weights(estimator, weight)
    if groups is None:
        return arguments
    routing = get_config()["enable_metadata_routing"] and get_routing_for_object(estimator)
    if isinstance(routing, MetadataRouter):
        return {**arguments, "groups": groups} if routing.consumes("fit", ["groups"]) else arguments
    keyword, last = "groups", estimator
    while isinstance(last, Pipeline):
        name, last = last.steps[-1]
        keyword = keyword.removesuffix("groups") + f"{name}__groups"
    return {**arguments, keyword: groups} if has_fit_parameter(last, "groups") else arguments


def _keyword(estimator: Any) -> str:
    """Name of the argument of `fit` that brings the weights to every part that is fitted."""
    # Imported here, because most runs have no weights and these modules import many others.
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import StackingClassifier, VotingClassifier
    from sklearn.feature_selection import RFE

    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return f"{name}__{_keyword(last)}"
    if isinstance(estimator, FrozenEstimator):  # it is fitted already and ignores all arguments
        return "sample_weight"
    if isinstance(estimator, (VotingClassifier, StackingClassifier)):
        for _, member in estimator.estimators:
            if hasattr(member, "fit"):  # else it is the word "drop"
                _require(member, estimator)
        return "sample_weight"
    if isinstance(estimator, (BaseSearchCV, RFE, CalibratedClassifierCV)):
        # A search would weigh the fits of a pipeline, but not their scores.
        if hasattr(estimator.estimator, "fit"):
            _require(estimator.estimator, estimator)
        return "sample_weight"
    if not hasattr(estimator, "fit") or not has_fit_parameter(estimator, "sample_weight"):
        raise InputError(
            f"{_name(estimator)} does not accept sample weights: its fit must have the parameter "
            f"sample_weight; leave out the model or the weights"
        )
    return "sample_weight"


def _require(inner: Any, outer: Any) -> None:
    """Raise an InputError unless `fit` of `inner` itself has the parameter sample_weight."""
    if _keyword(inner) != "sample_weight":
        raise InputError(
            f"{_name(outer)} cannot pass sample weights through the {_name(inner)} inside it; put "
            f"the {_name(outer)} into the last step of the {_name(inner)}"
        )


def _name(estimator: Any) -> str:
    return estimator if isinstance(estimator, str) else type(estimator).__name__
