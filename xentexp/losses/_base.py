"""What a loss is: its properties, its values and derivatives on blocks, and both on arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import Any, ClassVar, Literal, Unpack, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import ArrayLike

from xentexp._inputs.block import Block
from xentexp._inputs.checked import (
    LABEL_BLOCK_ELEMENTS,
    SINGLE_BLOCK_ELEMENTS,
    CheckedInput,
    InputTraits,
)
from xentexp._inputs.options import LossOptions, refuse_unknown
from xentexp._inputs.read import read, read_columns
from xentexp._numerics import FloatArray, log_softmax, tempered_log, weigh
from xentexp.errors import InputError, unknown_name
from xentexp.losses._inverse import unsmoothed

Pair = tuple[FloatArray, FloatArray]


Response = Literal["predict_proba", "decision_function", "either", "latent"]


@dataclass(frozen=True, kw_only=True)
class MetricProperties:
    """What holds for a loss or metric whatever the data: the source of its documentation.

    Parameters
    ----------
    summary : str
        What it measures, in one line.
    formula : str
        Its value, in one line of ASCII: that of one row for a loss, of the data set else.
    range : str
        Values that it can take, e.g. ``"[0, inf)"``.
    response : str
        Predictions that it takes: ``"predict_proba"``, ``"decision_function"`` (margins),
        ``"either"``, or ``"latent"`` (one decision score per row for any number of classes).
    reference : str
        Paper, book or peer that defines it.
    example : str
        Doctest of its function.
    direction : str
        ``"lower"`` or ``"higher"`` is better, ``"nearest"`` to the optimum is, or ``"none"``
        for a description that ranks nothing.
    optimum : float, optional
        Value of predictions that cannot be better, for a metric of the whole data set.
    notes : str
        Conventions, and when it is undefined.
    targets : str
        ``"labels"``; ``"one-hot"`` as well; ``"soft"``: any distribution as well;
        ``"positive"``: distributions without a zero; ``"multilabel"``: a yes or no in each
        column; or ``"none"``: the predictions alone.
    binary_only : bool
        Whether it is defined for two classes only.
    clip : bool
        Whether its function offers the clip of the logarithm.
    prior : bool
        Whether its function takes the class shares of a null model.
    peers : tuple of str
        What other libraries call it, in full; it is found by these names.

    Examples
    --------
    >>> from xentexp.metrics import get_metric
    >>> properties = get_metric("roc_auc").properties
    >>> properties.direction, properties.range, properties.optimum
    ('higher', '[0, 1]', 1.0)
    """

    summary: str
    formula: str
    range: str
    response: Response
    reference: str
    example: str
    direction: Literal["lower", "higher", "nearest", "none"] = "lower"
    optimum: float | None = None
    notes: str = ""
    targets: Literal["labels", "one-hot", "soft", "positive", "multilabel", "none"] = "one-hot"
    binary_only: bool = False
    clip: bool = False
    prior: bool = False
    peers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        kind: Any = type(self)
        for name, allowed in _allowed(kind).items():
            value = getattr(self, name)
            if value not in allowed:
                raise unknown_name(f"{name} of a loss", value, map(str, allowed))


@dataclass(frozen=True, kw_only=True)
class Properties(MetricProperties):
    """What holds for a loss whatever the data, for its default parameters.

    Parameters
    ----------
    properness : str
        Whether the true distribution minimizes the expected loss: alone (``"strictly
        proper"``), among others (``"proper"``), or not (``"improper"``); ``"-"`` for a
        description.
    distributions : bool
        Whether its function compares two distributions instead of labels and predictions.
    smoothing : bool
        Whether its function offers label smoothing.
    link : str
        From raw scores to the predictions in the formula: ``"softmax"``, ``"sigmoid"`` (of each
        column), ``"tempered softmax"``, ``"cumulative logit"``, or ``"identity"``.
    gradient : str
        ``"smooth"``; ``"subgradient"`` where the value has kinks; ``"none"``.
    convex : bool
        Whether it is convex in the raw scores.
    symmetric : bool
        Whether renaming the classes in target and prediction changes nothing.
    ordered : bool
        Whether it is for ordered classes only.
    numbers : str or None
        Which plain numbers its function takes too: ``"real"``, ``"counts"`` (predictions
        positive, targets not negative) or ``"above -1"``.

    Notes
    -----
    The other parameters are those of `MetricProperties`.

    Examples
    --------
    >>> from xentexp import get_loss
    >>> properties = get_loss("brier_loss").properties
    >>> properties.formula, properties.properness
    ('sum_j (p_j - t_j)^2, half if k = 2', 'strictly proper')
    """

    properness: Literal["strictly proper", "proper", "improper", "-"]
    distributions: bool = False
    smoothing: bool = False
    link: Literal["softmax", "sigmoid", "tempered softmax", "cumulative logit", "identity"] = (
        "softmax"
    )
    gradient: Literal["smooth", "subgradient", "none"] = "smooth"
    convex: bool = False
    symmetric: bool = True
    ordered: bool = False
    numbers: Literal["real", "counts", "above -1"] | None = None


_EPS = float(np.finfo(np.float64).eps)
Reduction = Literal["mean", "sum", "none"]
_REDUCTIONS = get_args(Reduction)


@dataclass(frozen=True)
class Loss(ABC):
    """A loss: a frozen value whose fields are its parameters.

    A loss of your own derives from it, as ``@dataclass(frozen=True)``, with `name`, `properties`
    and two methods on blocks: `block_values` and, where it has a gradient,
    `block_gradient_hessian`. The methods on arrays follow from them: ``loss(y_true, y_pred)``,
    `per_sample`, `gradient`, `gradient_hessian`, which check their input and apply weights, label
    smoothing and ignored labels.

    Attributes
    ----------
    name : str
        Name of the loss; that of its function in `xentexp.metrics`.
    properties : Properties
        What holds for the loss whatever the data.

    See Also
    --------
    get_loss : Find a loss by name.
    register_loss : Add a loss to those that are found by name.

    Examples
    --------
    >>> from xentexp import get_loss
    >>> brier = get_loss("brier_loss")
    >>> brier([1, 0], [0.9, 0.2])
    0.025...
    >>> brier.gradient([1, 0], [0.0, 0.0])
    array([-0.25,  0.25])
    """

    name: ClassVar[str]
    properties: ClassVar[Properties]

    # -- on blocks: what a loss defines ----------------------------------------------------

    @abstractmethod
    def block_values(self, block: Block) -> FloatArray:
        """Value of each row of a block, of shape (n,); callers must not write to it."""

    def block_gradient_hessian(self, block: Block) -> Pair:
        """Gradient and diagonal of the hessian in the raw scores, each of shape (k, n)."""
        raise InputError(f"{self.name} has no gradient")

    def block_loss_gradient(self, block: Block) -> Pair:
        """Values, (n,), and gradient in the raw scores, (k, n); callers must not write to them.

        Define it where it is cheaper than both together, e.g. as the hessian is not needed.
        """
        return self.block_values(block), self.block_gradient_hessian(block)[0]

    # -- on arrays: derived ----------------------------------------------------------------

    def __call__(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        from_logits: bool = False,
        **options: Unpack[LossOptions],
    ) -> float:
        """Weighted mean of the loss over the rows.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels, one-hot or soft targets. None for a loss of the predictions alone.
        y_pred : array-like of shape (n,) or (n, k)
            Class probabilities; raw scores with `from_logits`. Losses of decision scores take
            raw scores in any case. Shape (n,) is that of the second of two classes.
        from_logits : bool, default=False
            Whether `y_pred` holds raw scores, whose link gives the probabilities.
        **options
            `labels`, `sample_weight`, `class_weight`, `pos_weight`, `label_smoothing`,
            `normalize`, `clip`, `ignore_label` and `numbers`, as for the function of the same
            name in `xentexp.metrics`.

        Returns
        -------
        float
            ``sum_i w_i l_i / sum_i w_i``.

        Raises
        ------
        InputError
            For input that does not fit the loss.
        """
        refuse_unknown(self.name, options, LossOptions)
        checked = self.check_input(y_true, y_pred, from_logits=from_logits, **options)
        return float(self.reduce(checked, "mean"))

    def per_sample(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        from_logits: bool = False,
        **options: Unpack[LossOptions],
    ) -> FloatArray:
        """Weighted value of each row.

        Parameters
        ----------
        y_true, y_pred, from_logits, **options
            As for the call of the loss.

        Returns
        -------
        ndarray of shape (n,)
            ``w_i l_i``; 0 for ignored rows.

        Raises
        ------
        InputError
            For input that does not fit the loss.
        """
        refuse_unknown("per_sample", options, LossOptions)
        checked = self.check_input(y_true, y_pred, from_logits=from_logits, **options)
        return np.asarray(self.reduce(checked, "none"))

    def gradient(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        from_logits: bool = True,
        **options: Unpack[LossOptions],
    ) -> FloatArray:
        """First derivative of each row's weighted value in its predictions.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels, one-hot or soft targets. None for a loss of the predictions alone.
        y_pred : array-like of shape (n,) or (n, k)
            Raw scores, as models are trained on; probabilities with ``from_logits=False``.
        from_logits : bool, default=True
            Whether `y_pred` holds raw scores. The derivative is in whatever `y_pred` holds;
            that in probabilities is taken through raw scores whose link gives them (so that
            they are divided by their sum, as in Keras), and is 0 where a logarithm is clipped.
            Losses of decision scores take True alone.
        **options
            As for the call of the loss.

        Returns
        -------
        ndarray of the shape of `y_pred`
            Not averaged; a subgradient where the loss has kinks.

        Raises
        ------
        InputError
            For a loss without a gradient, and for input that does not fit the loss.

        Examples
        --------
        >>> from xentexp import get_loss
        >>> get_loss("BCEWithLogitsLoss").gradient([1, 0], [0.0, 2.0])
        array([-0.5       ,  0.8807...])
        """
        return self._derivatives(y_true, y_pred, from_logits, options)[0]

    def gradient_hessian(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        from_logits: bool = True,
        **options: Unpack[LossOptions],
    ) -> Pair:
        """First and second derivatives of each row's weighted value in its predictions.

        Parameters
        ----------
        y_true, y_pred, from_logits, **options
            As for `gradient`.

        Returns
        -------
        gradient, hessian : ndarray of the shape of `y_pred`
            Not averaged; the hessian is the diagonal of each row's, without any factor.

        Raises
        ------
        InputError
            For a loss without a gradient, and for input that does not fit the loss.

        Examples
        --------
        >>> from xentexp import get_loss
        >>> get_loss("brier_loss").gradient_hessian([1, 0], [0.0, 0.0])
        (array([-0.25,  0.25]), array([0.125, 0.125]))
        """
        return self._derivatives(y_true, y_pred, from_logits, options)

    def check_input(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        from_logits: bool = False,
        numbers: bool = False,
        pos_weight: float | None = None,
        **options: Any,
    ) -> CheckedInput:
        """Validate the inputs that the loss needs; the values are checked block by block."""
        properties = self.properties
        if y_true is None and properties.targets != "none":
            raise InputError("y_true must be given; got None")
        if pos_weight is not None:
            if options.get("class_weight") is not None:
                raise InputError("pos_weight is class_weight in short; give one of them")
            check_number("pos_weight", pos_weight, 0.0, np.inf)
            options["class_weight"] = [1.0, pos_weight]
        if y_true is None:  # a description of the predictions alone: there are no classes of rows
            of_classes = ("class_weight", "ignore_label", "label_smoothing")
            if left := [n for n in of_classes if n in options and not _unused(n, options[n])]:
                raise InputError(f"{', '.join(left)} cannot go without y_true")
        if numbers:
            if not properties.numbers:
                kind = "labels" if properties.targets == "multilabel" else "classes"
                raise InputError(f"{self.name} is for {kind}: it takes no plain numbers")
            weight = options.pop("sample_weight", None)
            options["from_logits"] = from_logits
            if left := sorted(name for name, value in options.items() if not _unused(name, value)):
                raise InputError(f"{', '.join(left)} cannot go with numbers=True")
            return read_columns(y_true, y_pred, properties.numbers, sample_weight=weight)
        if properties.targets == "multilabel":
            left = [name for name in _CLASS_OPTIONS if not _unused(name, options.pop(name, None))]
            if left:
                raise InputError(f"{', '.join(left)} cannot go with {self.name}")
            return read_columns(y_true, y_pred, "multilabel", from_logits=from_logits, **options)
        if properties.response == "latent":
            thresholds = getattr(self, "thresholds", None)
            known = 0 if thresholds is None else len(thresholds) + 1
            checked = read(y_true, None, decision=y_pred, latent=known, **options)
        elif properties.response == "decision_function":
            checked = read(y_true, None, decision=y_pred, **options)
        else:
            checked = read(y_true, y_pred, from_logits=from_logits, **options)
        self.check_applies(checked)
        return checked

    def check_applies(self, checked: CheckedInput) -> None:
        """Raise an InputError where the loss is not defined for checked input."""
        if checked.smoothing and self.properties.targets == "one-hot":
            raise InputError(f"{self.name} needs one true class in each row: no label_smoothing")
        reason = None if checked.of_columns else self.why_not(checked)
        if reason is not None:
            raise InputError(f"{self.name} {reason}")

    def reduce(self, checked: CheckedInput, reduction: Reduction) -> float | FloatArray:
        """Weighted mean, weighted sum, or weighted values of the rows of checked input."""
        if reduction not in _REDUCTIONS:
            raise unknown_name("reduction", reduction, _REDUCTIONS)
        rows = np.zeros(checked.n_rows) if reduction == "none" else None
        total = denominator = 0.0
        lean = checked.plain_labels and self.properties.smoothing  # that is: a cross-entropy
        elements = LABEL_BLOCK_ELEMENTS if lean else SINGLE_BLOCK_ELEMENTS
        for part in checked.parts(hard=self._hard, elements=elements):
            values = row_values(self, part.block)
            if part.weight is not None:
                values = weigh(values, part.weight)
            if rows is None:
                total += float(values.sum())
                denominator += len(values) if part.weight is None else float(part.weight.sum())
            else:
                part.rows.put(rows, values)
        if rows is not None:
            return rows
        if denominator == 0.0:
            raise InputError("sample_weight is zero for every row that is not ignored")
        return total if reduction == "sum" else total / denominator

    @property
    def _hard(self) -> str | None:
        """Name to complain with of rows without one true class, for a loss that needs one."""
        return self.name if self.properties.targets == "one-hot" else None

    def _derivatives(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        from_logits: bool,
        options: LossOptions,
    ) -> Pair:
        refuse_unknown("gradient", options, LossOptions)
        numbers = options.get("numbers", False)
        if not (from_logits or numbers) and options.get("normalize", False) is not False:
            raise InputError(
                f"derivatives in probabilities are of rows that sum to 1; divide the rows by their "
                f"sums instead of passing normalize={options['normalize']}"
            )
        if not (from_logits or numbers) and self.properties.response in (
            "decision_function",
            "latent",
        ):
            raise InputError(f"{self.name} is of decision scores; leave from_logits at True")
        checked = self.check_input(
            y_true, y_pred, from_logits=from_logits and not numbers, **options
        )
        given = checked.probabilities or checked.decision
        assert given is not None
        out = np.zeros((2, *given.values.shape[::-1]))  # one row per class, as losses have it
        order = given.order
        for part in checked.parts(hard=self._hard):
            if part.block.proba is None or numbers:
                both = np.stack(row_gradient_hessian(self, part.block))
            else:
                both = np.stack(self._in_probabilities(part.block))
            if part.weight is not None:
                both = weigh(both, part.weight)
            if out.ndim == 2:
                both = both[:, -1]
            elif order is not None:
                both = both[:, np.argsort(order)]
            part.rows.put(out, both)
        shape = (-1, 1) if getattr(y_pred, "shape", ())[1:] == (1,) else given.values.shape
        gradient, hessian = (np.ascontiguousarray(part.T).reshape(shape) for part in out)
        return gradient, hessian

    def _in_probabilities(self, block: Block) -> Pair:
        """Derivatives in the probabilities of a block, through scores whose link gives them."""
        assert block.proba is not None
        proba = block.proba.astype(np.float64)
        # At 0 and 1 the scores are infinite: derivatives are those of a probability beside it.
        least = 1e-150 if proba.ndim == 2 else _EPS if self.properties.clip else 1e-9
        clip: FloatArray | float = max(block.clip, least) if self.properties.clip else 0.0
        if proba.ndim == 1 and block.index is not None:  # only the true class is clipped
            clip = np.where(block.true_proba >= clip, 0.0, clip)
        scores, first, second = self.scores_of(proba, clip, least)
        on_scores = Block(
            n_classes=block.n_classes, index=block.index, soft=block.soft, logits=scores
        )
        gradient, hessian = row_gradient_hessian(self, on_scores)
        if scores.ndim == 2:
            first, second = first.T, second.T
        with np.errstate(over="ignore"):  # the second derivative of a logarithm at 0 is infinite
            return gradient * first, hessian * first * first + gradient * second

    def scores_of(
        self, proba: FloatArray, clip: FloatArray | float, least: float = 0.0
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Raw scores whose link gives probabilities, and the scores' two derivatives in them.

        Probabilities below the clip count as the clip, with derivatives of 0; those below
        `least` count as that.
        """
        alone = proba.ndim == 1 or self.properties.link == "sigmoid"
        tempered = self.properties.link == "tempered softmax"
        t = float(getattr(self, "t2", 1.0)) if tempered else 1.0
        low: FloatArray | float = np.maximum(clip, least)
        clipped = np.clip(proba, low, 1.0 - low) if alone else np.maximum(proba, low)
        kept = (proba >= clip) & (proba <= 1.0 - clip) if alone else proba >= clip
        scores = np.log(clipped) if t == 1.0 else tempered_log(np.log(clipped), t)
        with np.errstate(over="ignore"):
            first, second = clipped**-t, -t * clipped ** (-t - 1.0)
            if alone:
                rest = np.log1p(-clipped)
                scores = scores - (rest if t == 1.0 else tempered_log(rest, t))
                first = first + (1.0 - clipped) ** -t
                second = second + t * (1.0 - clipped) ** (-t - 1.0)
        return scores, np.where(kept, first, 0.0), np.where(kept, second, 0.0)

    # -- what training and reports ask of a loss -------------------------------------------

    @property
    def response(self) -> Response:
        """Kind of predictions that the loss takes."""
        return self.properties.response

    @property
    def higher_is_better(self) -> bool | None:
        """False; None for a description that ranks nothing, such as entropy."""
        return False if self.properties.direction == "lower" else None

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

    def why_not(self, given: InputTraits) -> str | None:
        """Reason why the loss is not defined for such input, which ends a sentence, or None."""
        properties = self.properties
        if properties.targets == "multilabel":
            return "is for several labels in a row, a yes or no in each column, not for classes"
        if properties.binary_only and given.n_classes != 2:
            return f"is for two classes; there are {given.n_classes}"
        if properties.ordered and not given.ordered:
            return "is for ordered classes; name them in their order with labels="
        if properties.response == "predict_proba" and not given.has_proba:
            return "needs probabilities"
        if properties.response == "decision_function" and not given.has_decision:
            return "needs decision scores"
        if properties.response == "latent" and not given.latent:
            return "needs one decision score for each row, of shape (n,)"
        if properties.response == "either" and not (given.has_proba or given.has_decision):
            return "needs probabilities or decision scores"
        if properties.targets == "labels" and given.soft:
            return "takes labels of shape (n,), not a column per class"
        if properties.targets == "positive" and not given.soft:
            return "is infinite for labels: it takes distributions without a zero"
        return None


_CLASS_OPTIONS = ("labels", "class_weight", "ignore_label", "normalize")


def _unused(option: str, value: object) -> bool:
    """Whether an option has the value that it has where nobody gives it."""
    if option == "label_smoothing":
        return value == 0.0
    return value is None or value is False or (option == "clip" and value == "auto")


@cache
def _allowed(properties: Any) -> dict[str, tuple[object, ...]]:
    """Values that a property may have, by name: those that its annotation lists."""
    hints = get_type_hints(properties)
    return {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Literal}


def row_values(loss: Loss, block: Block) -> FloatArray:
    """`block_values` of a loss that may be anyone's: their shape is checked."""
    values = loss.block_values(block)
    if np.shape(values) != (block.n_rows,):
        raise _wrong_shape(loss, block, values)
    return values


def row_gradient_hessian(loss: Loss, block: Block) -> Pair:
    """`block_gradient_hessian` of a loss that may be anyone's: the shapes are checked."""
    gradient, hessian = loss.block_gradient_hessian(block)
    _check_gradient(loss, block, gradient)
    _check_gradient(loss, block, hessian)
    return gradient, hessian


def _check_gradient(loss: Loss, block: Block, by_class: FloatArray) -> None:
    shape = np.shape(by_class)
    if shape not in ((block.n_classes, block.n_rows), (1, block.n_rows)):
        raise InputError(
            f"derivatives of {loss.name} must have one row for each of {block.n_classes} classes "
            f"and one column for each of {block.n_rows} rows; their shape is {shape}"
        )


def row_loss_gradient(loss: Loss, block: Block) -> Pair:
    """`block_loss_gradient` of a loss that may be anyone's: the shape of the values is checked."""
    values, gradient = loss.block_loss_gradient(block)
    if np.shape(values) != (block.n_rows,):
        raise _wrong_shape(loss, block, values)
    _check_gradient(loss, block, gradient)
    return values, gradient


def _wrong_shape(loss: Loss, block: Block, values: FloatArray) -> InputError:
    return InputError(
        f"block_values of {loss.name} must return one value for each of {block.n_rows} rows; "
        f"its shape is {np.shape(values)}"
    )


def check_number(
    name: str, value: object, low: float, high: float, *, low_open: bool = False
) -> None:
    """Refuse a parameter that is no number of an interval."""
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
