"""The protocol of losses and metrics, and the base class of metrics of the whole data set."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

from xentexp._inputs.checked import InputTraits
from xentexp._inputs.options import check_choice as check_choice  # for the modules of metrics
from xentexp.losses._base import MetricProperties, Response
from xentexp.losses._definition import LossType
from xentexp.metrics._metric_input import MetricInput

T = TypeVar("T")


class Metric(Protocol):
    """A loss (an average over rows) or a metric of the whole data set."""

    @property
    def name(self) -> str:
        """Name by which `get_metric` finds it."""

    @property
    def properties(self) -> MetricProperties:
        """Formula, range, direction and other properties that do not depend on the data."""

    @property
    def response(self) -> Response:
        """Kind of predictions that it needs."""

    @property
    def higher_is_better(self) -> bool | None:
        """None if neither higher nor lower values are better."""

    def why_not(self, traits: InputTraits, /) -> str | None:
        """Why it is not defined for such input, as the end of a sentence; None if it is."""


def parameter(default: T, kind: str, text: str) -> T:
    """Dataclass field with the type and description for the docstring of the function."""
    documented: T = field(default=default, metadata={"kind": kind, "text": text})
    return documented


@dataclass(frozen=True)
class DatasetMetric(metaclass=LossType):
    """Base class of metrics of the whole data set that are not averages over rows, such as AUC.

    A metric of your own derives from this class. It is decorated with
    ``@dataclass(frozen=True)``: its fields are its parameters, and each has a default value. It
    defines `function`, `properties` and `value`.

    Attributes
    ----------
    function : str
        Name of the function of the metric in `xentexp.metrics`.
    prefix : str or None
        Only for a metric that has a loss as a parameter: the part of the name before the name
        of the loss, e.g. ``"balanced_"``. None, the default, for other metrics.
    properties : MetricProperties
        Formula, range, direction and other properties that do not depend on the data.

    See Also
    --------
    register_metric : Make the metric available by name, with a function in `xentexp.metrics`.
    xentexp.losses.Loss : Base class of losses, which are averages over rows.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from xentexp.metrics import DatasetMetric, MetricProperties, evaluate
    >>> @dataclass(frozen=True)
    ... class TrueProbabilityQuantile(DatasetMetric):
    ...     function = "true_probability_quantile"
    ...     properties = MetricProperties(
    ...         summary="Quantile of the predicted probabilities of the true classes.",
    ...         formula="quantile_i p_iy", range="[0, 1]", direction="higher", optimum=1.0,
    ...         response="predict_proba", reference="an example", example="")
    ...     level: float = 0.5
    ...     def value(self, data):
    ...         true = data.proba_by_class[data.index, range(len(data.index))]
    ...         return float(np.quantile(true, self.level))
    >>> metric = TrueProbabilityQuantile(level=0.0)
    >>> evaluate([0, 1, 1], [0.1, 0.8, 0.6], [metric])["true_probability_quantile"]
    0.6
    """

    function: ClassVar[str]
    prefix: ClassVar[str | None] = None
    properties: ClassVar[MetricProperties]

    @property
    def name(self) -> str:
        """Name by which `get_metric` finds the metric: `function`, or `prefix` and a loss."""
        return self.function

    @property
    def response(self) -> Response:
        """Kind of predictions that the metric needs, e.g. ``"predict_proba"``."""
        return self.properties.response

    @property
    def higher_is_better(self) -> bool | None:
        """True or False by `direction`; None if values near the optimum are best."""
        return {"lower": False, "higher": True}.get(self.properties.direction)

    @abstractmethod
    def value(self, data: MetricInput) -> float:
        """Value of the metric.

        Parameters
        ----------
        data : MetricInput
            Checked targets and predictions of all rows, for which `why_not` returned None.

        Returns
        -------
        float
            The value over all rows, with their weights.

        Raises
        ------
        UndefinedError
            If the metric has no value for these rows, e.g. if all belong to one class.
        """

    def why_not(self, traits: InputTraits) -> str | None:
        """Why the metric is not defined for an input.

        Parameters
        ----------
        traits : InputTraits
            Properties of the input: `n_classes`, `one_hot`, `has_proba` and `has_decision`.

        Returns
        -------
        str or None
            The end of a sentence that starts with the name of the metric, e.g. ``"is for two
            classes; there are 3"``. None if the metric is defined for such input.
        """
        if self.properties.binary_only and traits.n_classes != 2:
            return f"is for two classes; there are {traits.n_classes}"
        if self.properties.targets == "one-hot" and not traits.one_hot:
            return "needs one true class in each row; pass labels or one-hot rows as y_true"
        if not traits.has_proba and (self.response == "predict_proba" or not traits.has_decision):
            scores = "" if self.response == "predict_proba" else " or decision scores"
            return f"needs probabilities{scores}"
        return None
