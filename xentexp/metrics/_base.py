"""What a metric is, and the base of those of the whole data set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

from xentexp._inputs.checked import InputTraits
from xentexp.errors import InputError
from xentexp.losses._base import MetricProperties, Response
from xentexp.metrics._metric_input import MetricInput

T = TypeVar("T")


class Metric(Protocol):
    """What losses and metrics of the whole data set have in common."""

    @property
    def name(self) -> str:
        """Name that `get_metric` finds it by."""

    @property
    def properties(self) -> MetricProperties:
        """What holds for it whatever the data."""

    @property
    def response(self) -> Response:
        """Kind of predictions that it takes."""

    @property
    def higher_is_better(self) -> bool | None:
        """None where neither higher nor lower values are better."""

    def why_not(self, given: InputTraits) -> str | None:
        """Reason why it is not defined for such input, which ends a sentence, or None."""


def parameter(default: T, kind: str, text: str) -> T:
    """Field of a metric, with its type and meaning for the docstring of its function."""
    made: T = field(default=default, metadata={"kind": kind, "text": text})
    return made


@dataclass(frozen=True)
class DatasetMetric(ABC):
    """A metric of the whole data set that is not an average over rows, such as AUC.

    A frozen value whose fields are its parameters, like a loss. A metric of your own derives
    from it, with `function`, `properties` and `value`.

    Attributes
    ----------
    function : str
        Name of its function in `xentexp.metrics`.
    prefix : str or None
        For a metric made of a loss: what precedes the loss in its name.
    properties : MetricProperties
        What holds for it whatever the data.
    """

    function: ClassVar[str]
    prefix: ClassVar[str | None] = None
    properties: ClassVar[MetricProperties]

    @property
    def name(self) -> str:
        """Name that `get_metric` finds it by: that of its function, or prefix and loss."""
        return self.function

    @property
    def response(self) -> Response:
        """Kind of predictions that it takes."""
        return self.properties.response

    @property
    def higher_is_better(self) -> bool | None:
        """None where values are best near the optimum."""
        return {"lower": False, "higher": True}.get(self.properties.direction)

    @abstractmethod
    def value(self, data: MetricInput) -> float:
        """Value of a data set that it is defined for."""

    def why_not(self, given: InputTraits) -> str | None:
        """Reason why it is not defined for such input, which ends a sentence, or None."""
        if self.properties.binary_only and given.n_classes != 2:
            return f"is for two classes; there are {given.n_classes}"
        if self.properties.targets == "one-hot" and not given.one_hot:
            return "needs one true class in each row; give labels or one-hot rows"
        if not given.has_proba and (self.response == "predict_proba" or not given.has_decision):
            also = "" if self.response == "predict_proba" else " or decision scores"
            return f"needs probabilities{also}"
        return None


def one_of(what: str, value: object, known: tuple[object, ...]) -> None:
    """Raise an InputError where the value of a parameter is not among those known."""
    if value not in known:
        listed = ", ".join(map(repr, known))
        raise InputError(f"{what} must be one of {listed}; got {value!r}")
