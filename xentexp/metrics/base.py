"""What a metric of a whole sample is: its properties, its parameters, and its value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeVar

from xentexp.errors import InputError
from xentexp.metrics.sample import Sample

T = TypeVar("T")


class UndefinedError(InputError):
    """The metric has no value on this sample: one class alone, constant predictions, ...

    Functions and scorers raise it; an experiment notes NaN for the fold.
    """


@dataclass(frozen=True)
class MetricProperties:
    """What is true of a metric whatever the data: the source of its docstring and its row.

    Parameters
    ----------
    summary : str
        What it measures, in one line.
    formula : str
        Value of a sample, in one line of ASCII.
    range : str
        Values that it can take, e.g. ``"[0, 1]"``.
    direction : str
        ``"lower"`` or ``"higher"`` is better, or ``"nearest"`` to the optimum.
    optimum : float
        Value of predictions that cannot be better.
    needs : str
        ``"probabilities"``; or ``"either"``: decision scores will do.
    reference : str
        Paper, book or peer that defines it.
    example : str
        Doctest of the function.
    notes : str
        Conventions, and when it is undefined.
    targets : str
        ``"one-hot"``: one true class in each row; ``"soft"``: any distribution as well.
    binary_only : bool
        Whether it is defined for two classes only.
    clip : bool
        Whether it takes a logarithm, so that its function offers the clip.
    prior : bool
        Whether its function takes the class shares of a null model.
    peers : tuple of str
        What other libraries call it, in full; `get_sample_metric` finds it by these names.
    """

    summary: str
    formula: str
    range: str
    direction: Literal["lower", "higher", "nearest"]
    optimum: float
    needs: Literal["probabilities", "either"]
    reference: str
    example: str
    notes: str
    targets: Literal["one-hot", "soft"] = "one-hot"
    binary_only: bool = False
    clip: bool = False
    prior: bool = False
    peers: tuple[str, ...] = ()


def parameter(default: T, kind: str, text: str) -> T:
    """Field of a metric, with what the docstring of its function says of it.

    Parameters
    ----------
    default : object
        Its default.
    kind : str
        Its type, in words.
    text : str
        What it does.

    Returns
    -------
    object
        A field for a dataclass; typed as its value.
    """
    made: T = field(default=default, metadata={"kind": kind, "text": text})
    return made


@dataclass(frozen=True)
class SampleMetric(ABC):
    """A number that belongs to a sample and is no mean over its rows.

    A frozen value whose fields are its parameters, like a loss.
    """

    name: ClassVar[str]
    properties: ClassVar[MetricProperties]

    @property
    def label(self) -> str:
        """What a leaderboard calls it: the name, unless a parameter makes it another thing."""
        return self.name

    @property
    def needs(self) -> str:
        """What it takes of the predictions: see `MetricProperties`."""
        return self.properties.needs

    def measure(self, sample: Sample) -> float:
        """Value of a sample, after a check that it suits.

        Parameters
        ----------
        sample : Sample
            Targets and predictions.

        Returns
        -------
        float
            See the properties for its range.

        Raises
        ------
        InputError
            Where the sample does not suit.
        UndefinedError
            Where the metric has no value.
        """
        reason = self.why_not_for(sample)
        if reason is not None:
            raise InputError(f"{self.label} {reason}")
        return self.value(sample)

    def why_not_for(self, sample: Sample) -> str | None:
        """Why the metric is not defined for a sample, or None where it is."""
        return self.why_not(
            n_classes=sample.n_classes,
            one_hot=sample.one_hot,
            has_proba=sample.has_proba,
            has_decision=sample.has_decision,
        )

    @abstractmethod
    def value(self, sample: Sample) -> float:
        """Value of a sample that is known to suit.

        Parameters
        ----------
        sample : Sample
            Targets and predictions.

        Returns
        -------
        float
            See the properties for its range.
        """

    def why_not(
        self, *, n_classes: int, one_hot: bool, has_proba: bool, has_decision: bool
    ) -> str | None:
        """Why the metric is not defined for such an input, or None where it is.

        Parameters
        ----------
        n_classes : int
            Number of classes.
        one_hot : bool
            Whether every row has one true class.
        has_proba, has_decision : bool
            What the predictions hold.

        Returns
        -------
        str or None
            The reason, as the end of a sentence that starts with the name.
        """
        if self.properties.binary_only and n_classes != 2:
            return f"is for two classes; there are {n_classes}"
        if self.properties.targets == "one-hot" and not one_hot:
            return "needs one true class in each row; give labels or one-hot rows"
        if not has_proba and (self.properties.needs == "probabilities" or not has_decision):
            also = "" if self.properties.needs == "probabilities" else " or decision scores"
            return f"needs probabilities{also}"
        return None


def one_of(what: str, value: object, known: tuple[object, ...]) -> None:
    """Refuse a value that is none of those known.

    Parameters
    ----------
    what : str
        Name of the parameter.
    value : object
        As given.
    known : tuple
        What it may be.
    """
    if value not in known:
        listed = ", ".join(map(repr, known))
        raise InputError(f"{what} must be one of {listed}; got {value!r}")
