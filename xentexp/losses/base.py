"""What a loss is: its properties, its parameters, its value and its derivatives on a block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import ClassVar, Literal, get_args, get_type_hints

import numpy as np

from xentexp.errors import InputError, unknown_name
from xentexp.inputs.block import Block
from xentexp.losses.inverse import unsmoothed
from xentexp.numerics import FloatArray, log_softmax

Pair = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class Properties:
    """What is true of a loss whatever the data: the source of its docstring and its row.

    They hold for the default parameters; what other parameters change, its docstring says.

    Parameters
    ----------
    summary : str
        What it measures, in one line.
    formula : str
        Value of one row, in one line of ASCII.
    range : str
        Values that a row can take, e.g. ``"[0, inf)"``; the lower end is the minimum, and one
        that no prediction reaches where it is open.
    properness : str
        Whether the true distribution minimizes the expected loss: alone (``"strictly
        proper"``), among others (``"proper"``), or not (``"improper"``); ``"-"`` for what is
        no loss of an outcome.
    needs : str
        ``"probabilities"``, ``"scores"`` (margins), ``"either"``, or ``"latent"``: one score
        for a row, whatever the number of classes.
    reference : str
        Paper, book or peer that defines it.
    example : str
        Doctest of the metric function.
    direction : str
        ``"lower"`` is better, or ``"none"`` for a description that ranks nothing.
    targets : str
        ``"labels"``; ``"one-hot"`` as well; ``"soft"``: any distribution as well;
        ``"positive"``: distributions without a zero; ``"multilabel"``: a yes or no in each
        column; or ``"none"``: the predictions alone.
    binary_only : bool
        Whether it is defined for two classes only.
    distributions : bool
        Whether its function compares two distributions instead of labels and predictions.
    smoothing : bool
        Whether its function offers label smoothing.
    clip : bool
        Whether its function offers the clip of the logarithm.
    link : str
        From raw scores to what the formula speaks of: ``"softmax"``, ``"sigmoid"`` (of each
        column), ``"tempered softmax"``, ``"cumulative logit"``, or ``"identity"``.
    gradient : str
        ``"smooth"``; ``"subgradient"`` where the value has kinks; ``"none"``.
    convex : bool
        Whether it is convex in the raw scores.
    symmetric : bool
        Whether classes are alike: renaming them in target and prediction changes nothing.
    ordered : bool
        Whether it is for ordered classes only.
    numbers : str or None
        Which plain numbers its function takes too: ``"real"``, ``"counts"`` (predictions
        positive, targets not negative) or ``"above -1"``.
    peers : tuple of str
        What other libraries call it, in full; `get_loss` finds it by these names.
    """

    summary: str
    formula: str
    range: str
    properness: Literal["strictly proper", "proper", "improper", "-"]
    needs: Literal["probabilities", "scores", "either", "latent"]
    reference: str
    example: str
    direction: Literal["lower", "none"] = "lower"
    targets: Literal["labels", "one-hot", "soft", "positive", "multilabel", "none"] = "one-hot"
    binary_only: bool = False
    distributions: bool = False
    smoothing: bool = False
    clip: bool = False
    link: Literal["softmax", "sigmoid", "tempered softmax", "cumulative logit", "identity"] = (
        "softmax"
    )
    gradient: Literal["smooth", "subgradient", "none"] = "smooth"
    convex: bool = False
    symmetric: bool = True
    ordered: bool = False
    numbers: Literal["real", "counts", "above -1"] | None = None
    peers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in _allowed().items():
            value = getattr(self, name)
            if value not in allowed:
                raise unknown_name(f"{name} of a loss", value, map(str, allowed))


@dataclass(frozen=True)
class Loss(ABC):
    """A loss: a frozen value whose fields are its parameters.

    Reduction, weights, label smoothing and ignored labels are not its business: they are
    applied once, around it.
    """

    name: ClassVar[str]
    properties: ClassVar[Properties]

    @abstractmethod
    def per_sample(self, block: Block) -> FloatArray:
        """Value of each row.

        Parameters
        ----------
        block : Block
            Targets and predictions of some rows.

        Returns
        -------
        ndarray of shape (n,)
            Not to be written to: several losses may share it.
        """

    def gradient_hessian(self, block: Block) -> Pair:
        """First and second derivative of each row's value with respect to its raw scores.

        Parameters
        ----------
        block : Block
            Of raw scores.

        Returns
        -------
        gradient, hessian : ndarray of shape (k, n)
            One row per class; the hessian is the diagonal of each sample's.

        Raises
        ------
        InputError
            For a loss that has none.
        """
        raise InputError(f"{self.name} has no gradient")

    def probabilities(self, scores: FloatArray, n_classes: int) -> FloatArray:
        """Class probabilities by the link of the loss.

        Parameters
        ----------
        scores : ndarray of shape (k, n)
            Raw scores by class; ``(1, n)`` for a loss of one latent score.
        n_classes : int
            Number of classes.

        Returns
        -------
        ndarray of shape (k, n)
            The softmax unless the loss has another link; scores of margins are read as logits.
        """
        return log_softmax(scores)[1]

    def invertible(self, n_classes: int, label_smoothing: float = 0.0) -> bool:
        """Whether scores that minimize its expectation tell the distribution of the labels.

        Parameters
        ----------
        n_classes : int
            Number of classes.
        label_smoothing : float
            Share of the target that is spread evenly over the classes.

        Returns
        -------
        bool
            By default for what is strictly proper.
        """
        return self.properties.properness == "strictly proper" and label_smoothing < 1.0

    def true_distribution(
        self, scores: FloatArray, n_classes: int, label_smoothing: float = 0.0
    ) -> FloatArray:
        """Distribution of the labels for which raw scores minimize the expected value.

        Parameters
        ----------
        scores : ndarray of shape (k, n)
            Raw scores by class; ``(1, n)`` for a loss of one latent score.
        n_classes : int
            Number of classes.
        label_smoothing : float
            What the labels were smoothed by before the loss saw them.

        Returns
        -------
        ndarray of shape (k, n)
            In closed form; the nearest distribution where the scores minimize it for none. By
            default what the link gives, without the smoothing.

        Raises
        ------
        InputError
            For a loss that is not `invertible`.
        """
        self._check_invertible(n_classes, label_smoothing)
        return unsmoothed(self.probabilities(scores, n_classes), label_smoothing)

    def _check_invertible(self, n_classes: int, label_smoothing: float) -> None:
        if not self.invertible(n_classes, label_smoothing):
            smoothed = f" with label_smoothing={label_smoothing:g}" if label_smoothing else ""
            raise InputError(
                f"scores that minimize {self.name}{smoothed} do not tell the distribution of "
                f"{n_classes} classes; calibrate them (sklearn.calibration.CalibratedClassifierCV) "
                f"or train on another loss"
            )

    def why_not(
        self,
        *,
        n_classes: int,
        soft: bool,
        has_proba: bool,
        has_decision: bool,
        latent: bool = False,
        ordered: bool = True,
    ) -> str | None:
        """Why the loss is not defined for such an input, or None where it is.

        Parameters
        ----------
        n_classes : int
            Number of classes.
        soft : bool
            Whether targets are given as a column per class.
        has_proba, has_decision : bool
            What the predictions hold.
        latent : bool
            Whether the decision scores are one for a row.
        ordered : bool
            Whether the classes are known to have an order.

        Returns
        -------
        str or None
            The reason, as the end of a sentence that starts with the name.
        """
        properties = self.properties
        if properties.targets == "multilabel":
            return "is for several labels in a row, a yes or no in each column, not for classes"
        if properties.binary_only and n_classes != 2:
            return f"is for two classes; there are {n_classes}"
        if properties.ordered and not ordered:
            return "is for ordered classes; name them in their order with labels="
        if properties.needs == "probabilities" and not has_proba:
            return "needs probabilities"
        if properties.needs == "scores" and not has_decision:
            return "needs decision scores"
        if properties.needs == "latent" and not latent:
            return "needs one decision score for each row, of shape (n,)"
        if properties.needs == "either" and not (has_proba or has_decision):
            return "needs probabilities or decision scores"
        if properties.targets == "labels" and soft:
            return "takes labels of shape (n,), not a column per class"
        if properties.targets == "positive" and not soft:
            return "is infinite for labels: it takes distributions without a zero"
        return None


@cache
def _allowed() -> dict[str, tuple[object, ...]]:
    """Values that a fact may have, by name: what its annotation lists."""
    hints = get_type_hints(Properties)
    return {name: get_args(hints[name]) for name in _CHOSEN}


_CHOSEN = ("properness", "needs", "direction", "targets", "link", "gradient")


def row_values(loss: Loss, block: Block) -> FloatArray:
    """Value of each row of a block, from a loss that may be anyone's.

    Parameters
    ----------
    loss : Loss
        Of the table, or registered from outside.
    block : Block
        Some rows.

    Returns
    -------
    ndarray of shape (n,)
        Not to be written to.

    Raises
    ------
    InputError
        For a loss that gives something else.
    """
    values = loss.per_sample(block)
    if np.shape(values) != (block.n_rows,):
        raise InputError(
            f"per_sample of {loss.name} must return one value for each of {block.n_rows} rows; its "
            f"shape is {np.shape(values)}"
        )
    return values


def check_number(
    name: str, value: object, low: float, high: float, *, low_open: bool = False
) -> None:
    """Refuse a parameter that is no number of an interval.

    Parameters
    ----------
    name : str
        Of the parameter.
    value : object
        As the user gave it.
    low, high : float
        Ends of the interval; an infinite one is never included.
    low_open : bool
        Whether `low` itself is refused.

    Raises
    ------
    InputError
        With the interval and the value.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        above = number > low if low_open or low == -np.inf else number >= low
        if above and number <= high and number < np.inf:
            return
    sign = ">" if low_open else ">="
    rule = f"{sign} {low:g}" if high == float("inf") else f"{sign} {low:g} and <= {high:g}"
    if low == -float("inf"):
        rule = "a finite number" if high == float("inf") else f"a finite number <= {high:g}"
    elif high == float("inf"):
        rule += " and finite"
    raise InputError(f"{name} must be {rule}; got {value!r}")
