"""`Loss`, the base class of every loss, and its `Properties`.

A new loss is a frozen dataclass derived from `Loss` or from one of the bases that need less code:

- `TrueClassLoss` (`_differentiable.py`): a function of the probability of the true class;
- `SeparableLoss` (`_differentiable.py`): a sum over the classes of functions of one probability;
- `DistanceLoss` (`_regression.py`): a sum over the columns of a function of prediction and target;
- `CumulativeLoss` (`_ordinal.py`): a sum over the thresholds between ordered classes;
- `MarginLoss` (`_margin.py`): a function of differences of decision scores.

`register_loss` (`_registry.py`) makes it available by name.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Unpack, get_args

import numpy as np
from numpy.typing import ArrayLike

from xentexp._inputs.block import Block
from xentexp._inputs.checked import (
    BLOCK_ELEMENTS,
    LABEL_BLOCK_ELEMENTS,
    SINGLE_BLOCK_ELEMENTS,
    CheckedInput,
    InputTraits,
    Part,
)
from xentexp._inputs.options import LossOptions, check_bool, refuse_unknown
from xentexp._inputs.options import check_number as check_number  # for the modules of losses
from xentexp._inputs.read import read, read_columns
from xentexp._numerics import FloatArray, log_softmax, tempered_log, weigh
from xentexp.errors import InputError, unknown_name
from xentexp.losses._definition import LossType, checked_on_creation
from xentexp.losses._inverse import unsmoothed

Pair = tuple[FloatArray, FloatArray]
Response = Literal["predict_proba", "decision_function", "either", "latent"]


@checked_on_creation
@dataclass(frozen=True, kw_only=True)
class MetricProperties:
    """Properties of a loss or metric that do not depend on the data; its documentation shows them.

    Parameters
    ----------
    summary : str
        What it measures, in one line that ends with a period: first line of the docstring.
    formula : str
        Formula in one line of ASCII: the value of one row for a loss, of the data set for a metric.
    range : str
        Interval of the values with default parameters, e.g. ``"[0, inf)"``.
    response : {"predict_proba", "decision_function", "either", "latent"}
        Predictions that it needs, by the method of an estimator that returns them: probabilities,
        decision scores, one of the two, or (``"latent"``) one decision score per row for any number
        of ordered classes. Raw scores count as probabilities, because the link converts them.
    reference : str
        Paper or book that defines it, and the functions of other libraries that compute it.
    example : str
        Doctest of its function: lines that start with ``>>>`` and the output.
    direction : {"lower", "higher", "nearest", "none"}, default="lower"
        Whether lower or higher values are better, or values near `optimum`; ``"none"`` for a
        description that does not rank models.
    optimum : float, default=None
        Best possible value. Required for a metric of the whole data set, not used for a loss.
    notes : str, default=""
        Conventions, and when it is undefined: more text of the docstring of a metric of the whole
        data set, not used for a loss.
    targets : {"labels", "one-hot", "soft", "positive", "multilabel", "none"}, default="one-hot"
        Targets that it accepts: ``"labels"`` only labels of shape (n,); ``"one-hot"`` one-hot rows
        too; ``"soft"`` any distribution too; ``"positive"`` only distributions without zeros;
        ``"multilabel"`` a column of 0 and 1 (or a probability) for each of several labels;
        ``"none"`` no targets, as for the entropy.
    binary_only : bool, default=False
        Whether it is only defined for two classes.
    clip : bool, default=False
        Whether its function has the option `clip`, for the logarithm of probabilities.
    prior : bool, default=False
        Whether its function has the option `prior`, the class proportions of a null model.
    peers : tuple of str, default=()
        Full names in other libraries, e.g. ``"sklearn.metrics.log_loss"``; `get_loss` and
        `get_metric` find it by these names and by their last part.

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


@checked_on_creation
@dataclass(frozen=True, kw_only=True)
class Properties(MetricProperties):
    """Properties of a loss that do not depend on the data; its documentation shows them.

    They describe the loss with its default parameters. All arguments are keyword arguments.

    Parameters
    ----------
    summary : str
        What the loss measures, in one line that ends with a period: first line of the docstring.
    formula : str
        Value of one row, in one line of ASCII, e.g. ``"-log p_y"``.
    range : str
        Interval of the values, e.g. ``"[0, inf)"``.
    response : {"predict_proba", "decision_function", "either", "latent"}
        Predictions that the loss needs, by the method of an estimator that returns them:
        probabilities, decision scores, one of the two, or (``"latent"``) one decision score per row
        for any number of ordered classes. Raw scores count as probabilities, because the `link`
        converts them.
    reference : str
        Paper or book that defines the loss, and functions of other libraries that compute it.
    example : str
        Doctest of its function: lines that start with ``>>>`` and the output.
    properness : {"strictly proper", "proper", "improper", "-"}
        Whether the true distribution minimizes the expected loss: it is the only minimum
        (``"strictly proper"``), one of several (``"proper"``), or not a minimum (``"improper"``).
        ``"-"`` if the question does not apply, as for the entropy.
    direction : {"lower", "none"}, default="lower"
        ``"none"`` for a description that does not rank models; lower values are better otherwise.
    targets : {"labels", "one-hot", "soft", "positive", "multilabel", "none"}, default="one-hot"
        Targets that the loss accepts: ``"labels"`` only labels of shape (n,); ``"one-hot"`` one-hot
        rows too; ``"soft"`` any distribution too; ``"positive"`` only distributions without zeros;
        ``"multilabel"`` a column of 0 and 1 (or a probability) for each of several labels;
        ``"none"`` no targets, as for the entropy.
    binary_only : bool, default=False
        Whether the loss is only defined for two classes.
    ordered : bool, default=False
        Whether the loss is only defined for ordered classes.
    symmetric : bool, default=True
        Whether the loss stays the same if targets and predictions exchange their classes.
    smoothing : bool, default=False
        Whether its function has the option `label_smoothing`.
    clip : bool, default=False
        Whether its function has the option `clip`, for the logarithm of probabilities.
    numbers : {"real", "counts", "above -1"} or None, default=None
        Plain numbers that its function accepts instead of classes: all finite numbers;
        ``"counts"``, targets at least 0 and predictions above 0; or numbers above -1. None if it
        only accepts classes.
    distributions : bool, default=False
        Whether its function compares two distributions, ``f(p, q)``, instead of ``f(y_true,
        y_pred)``.
    link : {"softmax", "sigmoid", "tempered softmax", "cumulative logit", "identity"}, \
default="softmax"
        How the predictions of the formula follow from raw scores; ``"sigmoid"`` applies to each
        column, ``"identity"`` is for decision scores.
    gradient : {"smooth", "subgradient", "none"}, default="smooth"
        Gradient with respect to the raw scores: continuous, a subgradient at kinks, or not defined.
    convex : bool, default=False
        Whether the loss is a convex function of the raw scores.
    peers : tuple of str, default=()
        Full names in other libraries, e.g. ``"sklearn.metrics.log_loss"``; `get_loss` finds the
        loss by these names and by their last part.
    optimum, notes, prior
        Only used for metrics of the whole data set.

    Raises
    ------
    InputError
        If a required argument is missing, an argument is unknown, or a value is not allowed.

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
class Loss(metaclass=LossType):
    """Base class of losses: a frozen dataclass whose fields are the parameters of the loss.

    Lower values are better, unless ``properties.direction`` is ``"none"``. ``loss(y_true, y_pred)``
    returns the mean over the rows; `per_sample`, `gradient` and `gradient_hessian` return arrays.
    These methods check their input and apply sample weights, class weights, label smoothing and
    ignored labels.

    To define a loss, derive a class with ``@dataclass(frozen=True)``. Set `name` and `properties`,
    and define `block_values` and, unless ``properties.gradient`` is ``"none"``,
    `block_gradient_hessian`. The methods on arrays follow from these two.

    `from_logits` is False by default in ``loss(y_true, y_pred)`` and `per_sample`, which expect
    probabilities, and True in `gradient` and `gradient_hessian`, which expect the raw scores on
    which models are trained.

    Attributes
    ----------
    name : str
        Name of the loss and of its function in `xentexp.metrics`.
    properties : Properties
        Formula, range, properness and other facts that do not depend on the data.

    See Also
    --------
    get_loss : Find a loss by name.
    register_loss : Make a new loss available by name.

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

    # -- on blocks: defined by each loss ---------------------------------------------------

    @abstractmethod
    def block_values(self, block: Block) -> FloatArray:
        """Value of each row of a block; to be defined by every loss.

        Parameters
        ----------
        block : Block
            Targets and predictions of some rows, with shared quantities such as
            ``block.true_proba``, ``block.proba_by_class`` and ``block.cross_entropy``.

        Returns
        -------
        ndarray of shape (n,)
            Values without weights. It may be an array of the block: callers must not modify it.
        """

    def block_gradient_hessian(self, block: Block) -> Pair:
        """Derivatives with respect to the raw scores, of each row of a block.

        Every loss defines it unless its ``properties.gradient`` is ``"none"``.

        Parameters
        ----------
        block : Block
            Targets and raw scores of some rows.

        Returns
        -------
        gradient, hessian : ndarray of shape (k, n)
            First derivatives, and diagonal of the second derivatives: of each row's value with
            respect to each of its raw scores. Shape (1, n) for a loss of one latent score. Callers
            must not modify them.

        Raises
        ------
        InputError
            If the loss does not define it.
        """
        raise InputError(f"{self.name} has no gradient; choose another loss")

    def block_loss_gradient(self, block: Block) -> Pair:
        """Values, and gradient with respect to the raw scores, for training by first derivatives.

        By default computed from `block_values` and `block_gradient_hessian`; a loss may define it
        to skip the computation of the hessian.

        Parameters
        ----------
        block : Block
            Targets and raw scores of some rows.

        Returns
        -------
        values : ndarray of shape (n,)
            As from `block_values`.
        gradient : ndarray of shape (k, n)
            As from `block_gradient_hessian`. Callers must not modify the arrays.

        Raises
        ------
        InputError
            If the loss has no gradient.
        """
        return self.block_values(block), self.block_gradient_hessian(block)[0]

    # -- on arrays: derived from the methods on blocks -------------------------------------

    def __call__(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        from_logits: bool = False,
        n_jobs: int | None = None,
        **options: Unpack[LossOptions],
    ) -> float:
        """Weighted mean of the loss over the rows; lower is better.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels, one-hot rows or target distributions, as ``properties.targets`` says. None for
            a loss without targets, such as the entropy.
        y_pred : array-like of shape (n,) or (n, k)
            Class probabilities, or raw scores with ``from_logits=True``; decision scores for a
            loss of decision scores. Shape (n,) has the prediction for the second of two classes.
        from_logits : bool, default=False
            Whether `y_pred` has raw scores, from which the link of the loss (usually the softmax)
            gives the probabilities. A score of ``-inf`` masks a class: its probability is 0.
        n_jobs : int or None, default=None
            Number of threads that compute blocks of rows; -1 for all cores. The result is equal
            to the last digit for any number. None means 1, or the `n_jobs` of a context
            ``joblib.parallel_config`` with a backend on this machine. In a worker of joblib or
            Dask, it is always 1.
        **options
            `labels`, `sample_weight`, `class_weight`, `pos_weight`, `label_smoothing`,
            `normalize`, `clip`, `ignore_label` and `numbers`: as for the function of the loss in
            `xentexp.metrics`, which documents them.

        Returns
        -------
        float
            ``sum_i w_i l_i / sum_i w_i`` for values ``l_i`` and weights ``w_i`` of the rows.

        Raises
        ------
        InputError
            If the loss is not defined for the input, or the input is invalid.
        TypeError
            If an option is unknown.
        """
        refuse_unknown(self.name, options, LossOptions)
        checked = self.check_input(y_true, y_pred, from_logits=from_logits, **options)
        return float(self.reduce(checked, "mean", n_jobs))

    def per_sample(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        from_logits: bool = False,
        n_jobs: int | None = None,
        **options: Unpack[LossOptions],
    ) -> FloatArray:
        """Weighted value of each row.

        Parameters
        ----------
        y_true, y_pred, from_logits, n_jobs, **options
            As for ``loss(y_true, y_pred, ...)``.

        Returns
        -------
        ndarray of shape (n,)
            ``w_i l_i``: the weight of the row times its value; 0 for ignored rows.

        Raises
        ------
        InputError
            If the loss is not defined for the input, or the input is invalid.
        TypeError
            If an option is unknown.

        Examples
        --------
        >>> from xentexp import get_loss
        >>> get_loss("brier_loss").per_sample([1, 0], [0.9, 0.2])
        array([0.01, 0.04])
        """
        refuse_unknown("per_sample", options, LossOptions)
        checked = self.check_input(y_true, y_pred, from_logits=from_logits, **options)
        return np.asarray(self.reduce(checked, "none", n_jobs))

    def gradient(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        from_logits: bool = True,
        **options: Unpack[LossOptions],
    ) -> FloatArray:
        """First derivative of each row's weighted value with respect to its predictions.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels, one-hot rows or target distributions, as ``properties.targets`` says. None for
            a loss without targets, such as the entropy.
        y_pred : array-like of shape (n,) or (n, k)
            Raw scores, on which models are trained; probabilities with ``from_logits=False``.
        from_logits : bool, default=True
            If True, `y_pred` has raw scores, and the derivative is with respect to them. If False,
            the derivative is with respect to the probabilities, through raw scores whose link
            gives them: each row is divided by its sum, as in Keras, and the derivative is 0 where a
            logarithm is clipped. Must be True for a loss of decision scores.
        **options
            As for ``loss(y_true, y_pred, ...)``.

        Returns
        -------
        ndarray of the shape of `y_pred`
            Derivatives times the weights of the rows, not averaged; a subgradient at kinks.

        Raises
        ------
        InputError
            If the loss has no gradient, is not defined for the input, or the input is invalid.
        TypeError
            If an option is unknown.

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
        """First and second derivatives of each row's value with respect to its predictions.

        The values are multiplied by the weights of the rows.

        Parameters
        ----------
        y_true, y_pred, from_logits, **options
            As for `gradient`.

        Returns
        -------
        gradient : ndarray of the shape of `y_pred`
            As from `gradient`.
        hessian : ndarray of the shape of `y_pred`
            Diagonal of the second derivatives of each row times its weight, not averaged. It is
            exact: not multiplied by a factor, as boosting libraries do.

        Raises
        ------
        InputError
            If the loss has no gradient, is not defined for the input, or the input is invalid.
        TypeError
            If an option is unknown.

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
        """Check the shapes, names and options of input; `reduce` then checks the values.

        Parameters
        ----------
        y_true, y_pred, from_logits, numbers, pos_weight, **options
            As for ``loss(y_true, y_pred, ...)``.

        Returns
        -------
        CheckedInput
            Input for `reduce`, divided into blocks of rows.

        Raises
        ------
        InputError
            If the loss is not defined for the input, or the input is invalid.
        """
        properties = self.properties
        if y_true is None and properties.targets != "none":
            raise InputError("y_true must be given; got None")
        if pos_weight is not None:
            if options.get("class_weight") is not None:
                raise InputError(
                    f"pos_weight and class_weight must not be given together; got pos_weight="
                    f"{pos_weight!r}, which is short for class_weight=[1, {pos_weight!r}]"
                )
            check_number("pos_weight", pos_weight, 0.0, np.inf)
            options["class_weight"] = [1.0, pos_weight]
        check_bool("from_logits", from_logits)
        check_bool("numbers", numbers)
        if not (properties.clip or properties.distributions or numbers):
            _refuse_options(("clip",), options, f"with {self.name}")
        if properties.response in ("decision_function", "latent"):
            _refuse_options(("normalize",), options, f"with {self.name}")
        if y_true is None:
            needs_targets = ("class_weight", "ignore_label", "label_smoothing")
            _refuse_options(needs_targets, options, "without y_true")
        if numbers:
            if not properties.numbers:
                kind = "labels" if properties.targets == "multilabel" else "classes"
                raise InputError(f"{self.name} is for {kind} and does not accept numbers=True")
            weight = options.pop("sample_weight", None)
            options["from_logits"] = from_logits
            _refuse_options(sorted(options), options, "with numbers=True")
            return read_columns(y_true, y_pred, properties.numbers, sample_weight=weight)
        if properties.targets == "multilabel":
            _refuse_options(_CLASS_OPTIONS, options, f"with {self.name}")
            for name in _CLASS_OPTIONS:
                options.pop(name, None)
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
        """Raise an error if the loss is not defined for checked input.

        Parameters
        ----------
        checked : CheckedInput
            Input, as from `check_input`.

        Raises
        ------
        InputError
            With the reason: that of `why_not`, or label smoothing for a loss that does not allow
            it.
        """
        if checked.smoothing and self.properties.targets == "one-hot":
            raise InputError(
                f"label_smoothing must be 0 for {self.name}, which needs one true class in each "
                f"row; got {checked.smoothing:g}"
            )
        reason = None if checked.of_columns else self.why_not(checked)
        if reason is not None:
            raise InputError(f"{self.name} {reason}")

    def reduce(
        self, checked: CheckedInput, reduction: Reduction, n_jobs: int | None = None
    ) -> float | FloatArray:
        """Weighted mean, weighted sum, or weighted values of the rows of checked input.

        Parameters
        ----------
        checked : CheckedInput
            Input, as from `check_input`.
        reduction : {"mean", "sum", "none"}
            ``"mean"`` returns the weighted mean, ``"sum"`` the weighted sum, and ``"none"`` the
            weighted value of each row, 0 for ignored rows.
        n_jobs : int or None, default=None
            Number of threads, as for ``loss(y_true, y_pred, ...)``.

        Returns
        -------
        float or ndarray of shape (n,)
            An array for ``"none"``.

        Raises
        ------
        InputError
            If a value is invalid, all weights are 0, or `reduction` or `n_jobs` is invalid.
        """
        if not (isinstance(reduction, str) and reduction in _REDUCTIONS):
            raise unknown_name("reduction", reduction, _REDUCTIONS)
        rows = np.zeros(checked.n_rows) if reduction == "none" else None

        def sums(part: Part) -> tuple[float, float]:
            with np.errstate(over="ignore", under="ignore"):
                values = checked_values(self, part.block)
                if part.weight is not None:
                    values = weigh(values, part.weight)
                if rows is not None:
                    part.rows.put(rows, values)
                    return 0.0, 0.0
                total = float(values.sum())
            return total, len(values) if part.weight is None else float(part.weight.sum())

        total = denominator = 0.0
        elements = block_elements(checked, [self])
        for part_total, weight in checked.map_parts(
            sums, hard=self._hard, elements=elements, n_jobs=n_jobs
        ):
            total += part_total
            denominator += weight
        if rows is not None:
            return rows
        if denominator == 0.0:
            raise InputError(
                "weights (sample_weight times class_weight) must be positive for at least one row "
                "that is not ignored; got only zeros"
            )
        return total if reduction == "sum" else total / denominator

    @property
    def _hard(self) -> str | None:
        """Name for the error about rows without a single true class; None if they are allowed."""
        return self.name if self.properties.targets == "one-hot" else None

    def _derivatives(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        from_logits: bool,
        options: LossOptions,
    ) -> Pair:
        refuse_unknown("gradient", options, LossOptions)
        check_bool("from_logits", from_logits)
        numbers = options.get("numbers", False)
        check_bool("numbers", numbers)
        if not (from_logits or numbers) and options.get("normalize", False) is not False:
            raise InputError(
                f"normalize must be False for derivatives with respect to probabilities; got "
                f"{options['normalize']}; divide the rows by their sums first"
            )
        if not (from_logits or numbers) and self.properties.response in (
            "decision_function",
            "latent",
        ):
            raise InputError(
                f"from_logits must be True for {self.name}, a loss of decision scores; got False"
            )
        checked = self.check_input(
            y_true, y_pred, from_logits=from_logits and not numbers, **options
        )
        predictions = checked.probabilities or checked.decision
        assert predictions is not None
        out = np.zeros((2, *predictions.values.shape[::-1]))  # gradient and hessian, each (k, n)
        order = predictions.order
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
        column = getattr(y_pred, "shape", ())[1:] == (1,)
        shape = (-1, 1) if column else predictions.values.shape
        gradient, hessian = (np.ascontiguousarray(by_class.T).reshape(shape) for by_class in out)
        return gradient, hessian

    def _in_probabilities(self, block: Block) -> Pair:
        """Derivatives in the probabilities of a block, by the chain rule through raw scores."""
        assert block.proba is not None
        proba = block.proba.astype(np.float64)
        # The raw scores of 0 and 1 are infinite: use those of a probability next to it.
        single = proba.ndim == 1 or self.properties.link == "sigmoid"
        least = 1e-150 if not single else _EPS if self.properties.clip else 1e-9
        clip: FloatArray | float = max(block.clip, least) if self.properties.clip else 0.0
        if proba.ndim == 1 and block.index is not None:  # the loss only clips the true class
            clip = np.where(block.true_proba >= clip, 0.0, clip)
        scores, first, second = self.scores_of(proba, clip, least)
        on_scores = Block(
            n_classes=block.n_classes, index=block.index, soft=block.soft, logits=scores
        )
        gradient, hessian = row_gradient_hessian(self, on_scores)
        if scores.ndim == 2:
            first, second = first.T, second.T
        # The second derivative of a logarithm at 0 is infinite.
        with np.errstate(over="ignore", invalid="ignore"):
            curve = hessian * first * first + gradient * second
            return gradient * first, np.where(np.isnan(curve), np.inf, curve)

    def scores_of(
        self, proba: FloatArray, clip: FloatArray | float, least: float = 0.0
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Raw scores whose link gives probabilities, with their derivatives.

        The derivatives are with respect to the probabilities.

        Parameters
        ----------
        proba : ndarray of shape (n,) or (n, k)
            Probabilities; shape (n,) is for the second of two classes.
        clip : float or ndarray
            Lower limit of the probabilities; below it, the derivatives are 0.
        least : float, default=0.0
            Lower limit that keeps the scores finite; below it, the derivatives are those at the
            limit.

        Returns
        -------
        scores, first, second : ndarray of the shape of `proba`
            Raw scores, and their first and second derivatives, each with respect to its own
            probability.
        """
        single = proba.ndim == 1 or self.properties.link == "sigmoid"
        tempered = self.properties.link == "tempered softmax"
        t = float(getattr(self, "t2", 1.0)) if tempered else 1.0
        low: FloatArray | float = np.maximum(clip, least)
        clipped = np.clip(proba, low, 1.0 - low) if single else np.maximum(proba, low)
        unclipped = (proba >= clip) & (proba <= 1.0 - clip) if single else proba >= clip
        scores = np.log(clipped) if t == 1.0 else tempered_log(np.log(clipped), t)
        with np.errstate(over="ignore"):
            first, second = clipped**-t, -t * clipped ** (-t - 1.0)
            if single:
                rest = np.log1p(-clipped)
                scores = scores - (rest if t == 1.0 else tempered_log(rest, t))
                first = first + (1.0 - clipped) ** -t
                second = second + t * (1.0 - clipped) ** (-t - 1.0)
        return scores, np.where(unclipped, first, 0.0), np.where(unclipped, second, 0.0)

    # -- for training and reports ----------------------------------------------------------

    @property
    def response(self) -> Response:
        """Predictions that the loss needs: ``properties.response``."""
        return self.properties.response

    @property
    def higher_is_better(self) -> bool | None:
        """False; None for a description that does not rank models, such as the entropy."""
        return False if self.properties.direction == "lower" else None

    def probabilities(self, scores: FloatArray, n_classes: int) -> FloatArray:
        """Class probabilities from raw scores, by the link of the loss.

        Parameters
        ----------
        scores : ndarray of shape (k, n)
            Raw scores, one row per class; shape (1, n) for a loss of one latent score.
        n_classes : int
            Number of classes k.

        Returns
        -------
        ndarray of shape (k, n)
            The softmax of the scores, unless the loss has another link. For a loss of decision
            scores, too, it is the softmax.
        """
        return log_softmax(scores)[1]

    def invertible(self, n_classes: int, label_smoothing: float = 0.0) -> bool:
        """Whether the scores that minimize the expected loss determine the class probabilities.

        Parameters
        ----------
        n_classes : int
            Number of classes.
        label_smoothing : float, default=0.0
            Proportion of each target that is spread evenly over the classes in training.

        Returns
        -------
        bool
            If True, `true_distribution` computes the probabilities. By default, True for a
            strictly proper loss with a `label_smoothing` below 1.
        """
        return self.properties.properness == "strictly proper" and label_smoothing < 1.0

    def true_distribution(
        self, scores: FloatArray, n_classes: int, label_smoothing: float = 0.0
    ) -> FloatArray:
        """Class probabilities under which raw scores minimize the expected loss.

        It corrects the probabilities of a model that was trained on this loss: by default it
        returns `probabilities` without the effect of label smoothing; losses that are not proper
        define it in closed form.

        Parameters
        ----------
        scores : ndarray of shape (k, n)
            Raw scores, one row per class; shape (1, n) for a loss of one latent score.
        n_classes : int
            Number of classes k.
        label_smoothing : float, default=0.0
            Label smoothing that was used in training.

        Returns
        -------
        ndarray of shape (k, n)
            Distribution of the labels; the nearest one if the scores are not a minimum under any
            distribution.

        Raises
        ------
        InputError
            If the loss is not `invertible`.
        """
        self._check_invertible(n_classes, label_smoothing)
        return unsmoothed(self.probabilities(scores, n_classes), label_smoothing)

    def _check_invertible(self, n_classes: int, label_smoothing: float) -> None:
        if not self.invertible(n_classes, label_smoothing):
            smoothed = f" with label_smoothing={label_smoothing:g}" if label_smoothing else ""
            raise InputError(
                f"scores that minimize {self.name}{smoothed} do not determine the probabilities of "
                f"{n_classes} classes; calibrate them with "
                f"sklearn.calibration.CalibratedClassifierCV, or train on another loss"
            )

    def why_not(self, traits: InputTraits) -> str | None:
        """Reason why the loss is not defined for input, or None if it is.

        Parameters
        ----------
        traits : CheckedInput or PlannedInput
            Number of classes, form of the targets, and kinds of predictions.

        Returns
        -------
        str or None
            Rest of a sentence that starts with the name of the loss, e.g. ``"needs
            probabilities"``.
        """
        properties = self.properties
        if properties.targets == "multilabel":
            return "is for several labels in a row, one column of 0 and 1 for each, not for classes"
        if properties.binary_only and traits.n_classes != 2:
            return f"is for two classes; there are {traits.n_classes}"
        if properties.ordered and not traits.ordered:
            return "is for ordered classes; pass labels= with the classes in their order"
        if properties.response == "predict_proba" and not traits.has_proba:
            return "needs probabilities"
        if properties.response == "decision_function" and not traits.has_decision:
            return "needs decision scores"
        if properties.response == "latent" and not traits.latent:
            return "needs one decision score for each row, of shape (n,)"
        if properties.response == "either" and not (traits.has_proba or traits.has_decision):
            return "needs probabilities or decision scores"
        if properties.targets == "labels" and traits.soft:
            return "takes labels of shape (n,), not a column per class"
        if properties.targets == "positive" and not traits.soft:
            return "is infinite for labels; it needs target distributions without zeros"
        return None


_CLASS_OPTIONS = ("labels", "class_weight", "ignore_label", "normalize")


def _refuse_options(names: Iterable[str], options: Mapping[str, object], case: str) -> None:
    """Raise an InputError if options are used that have no effect in some case."""
    used = [name for name in names if name in options and not _is_default(name, options[name])]
    if used:
        raise InputError(f"{', '.join(used)} cannot be used {case}")


def _is_default(option: str, value: object) -> bool:
    if option == "label_smoothing":
        return value == 0.0
    return value is None or value is False or (option == "clip" and value == "auto")


# -- checks of what losses from other packages return -----------------------------------------
# A number above the range of float64 is infinite, one below it is 0, both without a warning.


def row_values(loss: Loss, block: Block) -> FloatArray:
    """`block_values` of a loss, with a check of the shape."""
    with np.errstate(over="ignore", under="ignore"):
        return checked_values(loss, block)


def checked_values(loss: Loss, block: Block) -> FloatArray:
    """As `row_values`, for callers that set ``np.errstate`` for many losses."""
    values = loss.block_values(block)
    if np.shape(values) != (block.n_rows,):
        raise _wrong_shape(loss, block, values)
    return values


def row_gradient_hessian(loss: Loss, block: Block) -> Pair:
    """`block_gradient_hessian` of a loss, with a check of the shapes."""
    with np.errstate(over="ignore", under="ignore"):
        gradient, hessian = loss.block_gradient_hessian(block)
    _check_gradient(loss, block, gradient)
    _check_gradient(loss, block, hessian)
    return gradient, hessian


def _check_gradient(loss: Loss, block: Block, by_class: FloatArray) -> None:
    shape = np.shape(by_class)
    if shape not in ((block.n_classes, block.n_rows), (1, block.n_rows)):
        raise InputError(
            f"derivatives of {loss.name} must have one row for each of {block.n_classes} classes "
            f"and one column for each of {block.n_rows} samples; got shape {shape}"
        )


def row_loss_gradient(loss: Loss, block: Block) -> Pair:
    """`block_loss_gradient` of a loss, with a check of the shapes."""
    with np.errstate(over="ignore", under="ignore"):
        values, gradient = loss.block_loss_gradient(block)
    if np.shape(values) != (block.n_rows,):
        raise _wrong_shape(loss, block, values)
    _check_gradient(loss, block, gradient)
    return values, gradient


def _wrong_shape(loss: Loss, block: Block, values: FloatArray) -> InputError:
    return InputError(
        f"block_values of {loss.name} must return one value for each of {block.n_rows} rows; "
        f"got shape {np.shape(values)}"
    )


def block_elements(checked: CheckedInput, losses: Sequence[Loss]) -> int:
    """Numbers per block that are fastest: more for a single loss, whose arrays are few."""
    if len(losses) != 1:
        return BLOCK_ELEMENTS
    # The losses with label smoothing are cross-entropies, which need little memory for labels.
    small = checked.plain_labels and losses[0].properties.smoothing
    return LABEL_BLOCK_ELEMENTS if small else SINGLE_BLOCK_ELEMENTS


def determines_proba(loss: Loss, n_classes: int) -> bool:
    """Whether raw scores determine probabilities; scores of a hinge loss do not."""
    return loss.properties.response != "decision_function" or loss.invertible(n_classes)


# Largest factors and exponents: beyond them, values lose their digits, overflow or become NaN.
LARGEST, HIGHEST_POWER = 1e100, 1e6
SMALLEST = 1e-100
"""Replaces smaller parameters whose limit at 0 is the same number to the last digit."""
