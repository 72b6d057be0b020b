"""Many losses over one prediction matrix: one pass, block by block; states merge exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from xentexp.errors import InputError
from xentexp.losses import LOSSES, Loss, get_loss, load_plugins
from xentexp.losses.links import FloatArray
from xentexp.validation import Part, Problem, read

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class LossState:
    """Sums over the rows seen so far, for some losses; the states of two parts add up.

    Merging the states of any partition of a data set (folds, files, workers) gives the state
    of the whole, up to rounding.

    Parameters
    ----------
    losses : tuple of Loss
        In the order of the rows of the sums.
    classes : tuple
        Classes, in the order of the columns of the sums per class.

    Attributes
    ----------
    n_rows, n_ignored, n_clipped : int
        Rows counted, left out because of their label, touched by the clip.
    n_infinite : ndarray of shape (L,)
        Rows of positive weight and infinite value, for each loss.
    weight, weight_squared : float
        Sums of the weights and of their squares.
    total : ndarray of shape (L,)
        ``sum w l``.
    spread, tilt : ndarray of shape (L,)
        ``sum w^2 (l - m)^2`` and ``sum w^2 (l - m)`` about the mean ``m`` so far, for the
        standard error: about zero they would lose the digits of a large mean.
    class_weight : ndarray of shape (k,)
        Weight of each true class.
    class_total : ndarray of shape (L, k)
        ``sum w l`` over each true class.
    """

    losses: tuple[Loss, ...]
    classes: tuple[Any, ...]
    n_rows: int = 0
    n_ignored: int = 0
    n_clipped: int = 0
    n_infinite: FloatArray = field(init=False)
    weight: float = 0.0
    weight_squared: float = 0.0
    total: FloatArray = field(init=False)
    spread: FloatArray = field(init=False)
    tilt: FloatArray = field(init=False)
    class_weight: FloatArray = field(init=False)
    class_total: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        n_losses, n_classes = len(self.losses), len(self.classes)
        self.n_infinite = np.zeros(n_losses)
        self.total = np.zeros(n_losses)
        self.spread = np.zeros(n_losses)
        self.tilt = np.zeros(n_losses)
        self.class_weight = np.zeros(n_classes)
        self.class_total = np.zeros((n_losses, n_classes))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the losses."""
        return tuple(loss.name for loss in self.losses)

    def add(self, values: FloatArray, part: Part) -> None:
        """Take in the per-sample values, of shape (L, n), of one part.

        Parameters
        ----------
        values : ndarray of shape (L, n)
            Value of each loss on each row that is not ignored.
        part : Part
            The rows.
        """
        state = LossState(self.losses, self.classes)
        state.n_rows = values.shape[1]
        state.n_clipped = part.block.clipped_rows
        weight = part.weight
        weighted = values if weight is None else weigh(values, weight)
        state.weight = float(state.n_rows if weight is None else weight.sum())
        state.weight_squared = float(state.n_rows if weight is None else weight @ weight)
        state.total = weighted.sum(axis=1)
        finite = bool(np.isfinite(state.total).all())
        if not finite:
            state.n_infinite = np.isinf(weighted).sum(axis=1).astype(np.float64)
        if state.weight:
            with np.errstate(invalid="ignore", over="ignore"):
                if weight is None:
                    state.spread = _spread(values, state.mean())
                    state.tilt = 0.0 * state.total  # deviations from a mean cancel
                else:
                    off = values - state.mean()[:, np.newaxis]
                    state.tilt = weigh(off, weight**2).sum(axis=1)
                    state.spread = weigh(off * off, weight**2).sum(axis=1)
        if part.block.index is not None or part.block.soft is not None:
            target = part.unsmoothed.target_by_class
            state.class_weight = target @ (np.ones(state.n_rows) if weight is None else weight)
            if finite:
                state.class_total = _products(weighted, target)
            else:
                with np.errstate(invalid="ignore"):
                    products = weighted[:, np.newaxis, :] * target
                state.class_total = np.where(target > 0, products, 0.0).sum(axis=2)
        self._take(state)

    def _take(self, other: LossState) -> None:
        """Add another state to this one."""
        if other.weight and not self.weight:
            self.spread, self.tilt = other.spread, other.tilt
        elif other.weight:
            mean = (self.total + other.total) / (self.weight + other.weight)
            (spread, tilt), (more, further) = self._about(mean), other._about(mean)
            self.spread, self.tilt = spread + more, tilt + further
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def _about(self, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`spread` and `tilt` about another mean."""
        with np.errstate(invalid="ignore"):
            shift = self.mean() - mean
            move = shift * self.weight_squared
            return self.spread + shift * (2.0 * self.tilt + move), self.tilt + move

    def __add__(self, other: LossState) -> LossState:
        """State of both parts together."""
        if self.losses != other.losses or self.classes != other.classes:
            raise InputError(
                f"states of the same losses and classes add up; these differ: "
                f"{list(self.losses)} of {self.classes}, {list(other.losses)} of {other.classes}"
            )
        both = LossState(self.losses, self.classes)
        both._take(self)
        both._take(other)
        return both

    def mean(self) -> FloatArray:
        """Weighted mean of each loss, of shape (L,)."""
        return self.total / self.weight if self.weight else np.full(len(self.losses), np.nan)

    def standard_error(self) -> FloatArray:
        """Standard error of each mean, of shape (L,); NaN for one row or an infinite mean.

        ``sqrt(n / (n - 1) * sum w^2 (l - mean)^2) / sum w``: rows are independent, weights
        are importances.
        """
        if self.n_rows < 2 or not self.weight:
            return np.full(len(self.losses), np.nan)
        correction = self.n_rows / (self.n_rows - 1)
        with np.errstate(invalid="ignore"):
            error = np.sqrt(correction * np.maximum(self.spread, 0.0)) / self.weight
        return np.where(np.isfinite(self.total), error, np.nan)

    def class_mean(self) -> FloatArray:
        """Mean of each loss over the rows of each true class, (L, k); NaN for no row."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.class_total / self.class_weight)


_SUMS = (
    "n_rows",
    "n_ignored",
    "n_clipped",
    "n_infinite",
    "weight",
    "weight_squared",
    "total",
    "class_weight",
    "class_total",
)


def _spread(values: FloatArray, mean: FloatArray) -> FloatArray:
    """``sum (l - mean)^2`` of each row of values; `mean` is their mean."""
    squares: FloatArray = np.vecdot(values, values)
    spread: FloatArray = squares - values.shape[1] * mean * mean
    # A difference of large numbers loses digits: those rows are centred, which takes longer.
    lost = ~(squares < 1024.0 * spread)
    if lost.any():
        off = values[lost] - mean[lost, np.newaxis]
        spread[lost] = np.vecdot(off, off)
    return spread


def _products(values: FloatArray, target: FloatArray) -> FloatArray:
    """``values @ target.T``, in slices that BLAS has a quicker way for."""
    n_losses, n_classes = len(values), len(target)
    step = max(256, 900_000 // (n_losses * n_classes))
    if values.shape[1] <= step:
        return np.asarray(values @ target.T)
    total = np.zeros((n_losses, n_classes))
    for start in range(0, values.shape[1], step):
        some = slice(start, start + step)
        total += values[:, some] @ target[:, some].T
    return total


def weigh(values: FloatArray, weight: FloatArray) -> FloatArray:
    """``w * l``, where an infinite value of weight zero counts nothing.

    Parameters
    ----------
    values : ndarray of shape (..., n)
        Values of the rows.
    weight : ndarray of shape (n,)
        Their weights.

    Returns
    -------
    ndarray of shape (..., n)
        The products.
    """
    with np.errstate(invalid="ignore"):
        product = values * weight
    return np.where(weight > 0, product, 0.0) if np.isnan(product).any() else product


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What many losses say of one set of predictions.

    Parameters
    ----------
    state : LossState
        The sums that everything else follows from; states of several evaluations add up.
    samples : dict or None
        Unweighted value of each row by loss, where asked for; NaN for ignored rows.

    Examples
    --------
    >>> result = evaluate([0, 1, 1], [0.1, 0.8, 0.4], ["brier_loss", "zero_one_loss"])
    >>> {name: round(value, 4) for name, value in result.mean.items()}
    {'brier_loss': 0.1367, 'zero_one_loss': 0.3333}
    """

    state: LossState
    samples: dict[str, FloatArray] | None = None

    def __repr__(self) -> str:
        means = ", ".join(f"{name}={value:.6g}" for name, value in self.mean.items())
        return f"Evaluation({self.state.n_rows} rows: {means})"

    def _by_name(self, values: FloatArray) -> dict[str, float]:
        return dict(zip(self.state.names, values.tolist(), strict=True))

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each loss; lower is better, save for entropy, which describes."""
        return self._by_name(self.state.mean())

    @property
    def standard_error(self) -> dict[str, float]:
        """Standard error of each mean."""
        return self._by_name(self.state.standard_error())

    @property
    def infinite(self) -> dict[str, int]:
        """Number of rows of infinite value, by loss."""
        return {name: int(n) for name, n in self._by_name(self.state.n_infinite).items()}

    @property
    def clipped(self) -> int:
        """Number of rows whose cross-entropy the clip touched."""
        return self.state.n_clipped

    @property
    def class_mean(self) -> dict[str, dict[Any, float]]:
        """Mean of each loss over the rows of each true class."""
        table = self.state.class_mean().tolist()
        return {
            name: dict(zip(self.state.classes, row, strict=True))
            for name, row in zip(self.state.names, table, strict=True)
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per loss: mean, standard_error, infinite, and the mean of each class."""
        import pandas as pd

        table = pd.DataFrame(
            {
                "mean": self.mean,
                "standard_error": self.standard_error,
                "infinite": self.infinite,
                **{f"class {c}": self._by_name(column) for c, column in self._class_columns()},
            }
        )
        return table.rename_axis("loss").loc[list(self.state.names)]

    def _class_columns(self) -> Iterable[tuple[Any, FloatArray]]:
        return zip(self.state.classes, self.state.class_mean().T, strict=True)


def evaluate(
    y_true: ArrayLike,
    y_pred: ArrayLike | None,
    losses: Sequence[str | Loss] | None = None,
    *,
    decision: ArrayLike | None = None,
    from_logits: bool = False,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: Mapping[Any, float] | ArrayLike | Literal["balanced"] | None = None,
    label_smoothing: float = 0.0,
    normalize: bool | None = False,
    clip: float | Literal["auto"] = "auto",
    ignore_label: object = None,
    ordered: bool = False,
    per_sample: bool = False,
) -> Evaluation:
    """Compute many losses in one pass over the predictions.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        Labels, one-hot or soft targets.
    y_pred : array-like of shape (n,) or (n, k), or None
        Probabilities (of the second class, or a column per class); raw scores with
        `from_logits`; None where only decision scores exist.
    losses : sequence of str or Loss, optional
        Which losses; all that apply to the input by default.
    decision : array-like of shape (n,) or (n, k), optional
        Decision scores for the hinge losses; with `from_logits`, `y_pred` serves.
    from_logits : bool, default=False
        Whether `y_pred` holds raw scores.
    labels : array-like of shape (k,), optional
        Every class, in the order of the columns.
    sample_weight : array-like of shape (n,), optional
        Weights of the rows; means divide by their sum.
    class_weight : dict, array-like of shape (k,), "balanced", or None
        Weight of each class, by which that of its rows is multiplied.
    label_smoothing : float, default=0
        Share of the target that is spread evenly over the classes, for all losses alike.
    normalize : bool or None, default=False
        What to do with rows that do not sum to 1: refuse (False), divide by the sum (True),
        take as they are (None).
    clip : float or "auto", default="auto"
        Smallest probability that a logarithm sees; "auto" is the precision of the dtype, 0
        leaves infinite values as they are. Raw scores are never clipped.
    ignore_label : object, optional
        Rows of this label leave numerator and denominator.
    ordered : bool, default=False
        Whether the classes are ordered: then the losses of ordered classes are among those
        that apply by default.
    per_sample : bool, default=False
        Whether to keep the value of each row.

    Returns
    -------
    Evaluation
        Means, standard errors, means per class, counts, and a state that merges.

    Notes
    -----
    The clip holds for `cross_entropy` and `kl_divergence` too; the functions of those names in
    `xentexp.metrics`, for two distributions, have none.

    Raises
    ------
    InputError
        For input that does not fit, and for a named loss that the input does not allow.

    Examples
    --------
    >>> result = evaluate([0, 2], [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    >>> sorted(result.mean)[:3]
    ['absolute_error', 'alpha_divergence', 'bi_tempered_logistic_loss']
    """
    if y_true is None:
        raise InputError("y_true must be given; got None")
    problem = read(
        y_true,
        y_pred,
        decision=decision,
        from_logits=from_logits,
        labels=labels,
        sample_weight=sample_weight,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
        normalize=normalize,
        clip=clip,
        ignore_label=ignore_label,
        ordered=True if ordered else None,
    )
    return run(problem, choose(problem, losses, ordered=ordered), per_sample=per_sample)


def choose(
    problem: Problem, losses: Sequence[str | Loss] | None, *, ordered: bool = False
) -> list[Loss]:
    """Losses by name, checked to apply; all that apply where none are named.

    Parameters
    ----------
    problem : Problem
        The input.
    losses : sequence of str or Loss, or None
        The choice.
    ordered : bool
        Whether the losses of ordered classes are among those that apply by default.

    Returns
    -------
    list of Loss
        At least one.
    """
    if isinstance(losses, (str, Loss)) or hasattr(losses, "definition"):
        losses = [losses]  # type: ignore[list-item]
    if losses is None:
        load_plugins()
        hard = problem.smoothing == 0.0 and problem.one_hot()
        return [
            loss
            for loss in LOSSES.values()
            if unsuited(loss, problem) is None
            and (hard or loss.facts.targets != "one-hot")
            and (loss.facts.targets != "positive" or problem.positive())
            and (ordered or not loss.facts.ordered)
        ]
    chosen = [get_loss(loss) for loss in losses]
    if not chosen:
        raise InputError("losses must name one loss at least; got none")
    names = [loss.name for loss in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"each loss can be named once; {', '.join(twice)} stands twice or more")
    for loss in chosen:
        if problem.smoothing and loss.facts.targets == "one-hot":
            raise InputError(f"{loss.name} needs one true class in each row: no label_smoothing")
        reason = unsuited(loss, problem)
        if reason is not None:
            raise InputError(f"{loss.name} {reason}")
    return chosen


def unsuited(loss: Loss, problem: Problem) -> str | None:
    """Why a loss does not apply to a problem, or None."""
    return loss.unsuited(
        n_classes=len(problem.classes),
        soft=problem.soft,
        has_proba=problem.probabilities is not None,
        has_decision=problem.decision is not None,
        latent=problem.latent,
        ordered=problem.ordered,
    )


def run(problem: Problem, losses: Sequence[Loss], *, per_sample: bool = False) -> Evaluation:
    """One pass of some losses over a checked problem.

    Parameters
    ----------
    problem : Problem
        Targets and predictions.
    losses : sequence of Loss
        Which are known to apply.
    per_sample : bool
        Whether to keep the value of each row.

    Returns
    -------
    Evaluation
        Of all rows.
    """
    state = LossState(tuple(losses), problem.classes)
    kept = np.full((len(losses), problem.n_rows), np.nan) if per_sample else None
    hard = next((loss.name for loss in losses if loss.facts.targets == "one-hot"), None)
    room = np.empty((len(losses), 0))
    for part in problem.parts(hard=hard):
        if room.shape[1] < part.block.n_rows:
            room = np.empty((len(losses), part.block.n_rows))
        values = room[:, : part.block.n_rows]
        for row, loss in zip(values, losses, strict=True):
            row[:] = loss.per_sample(part.block)
        state.add(values, part)
        if kept is not None:
            if part.rows.keep is None:
                kept[:, part.rows.span] = values
            else:
                kept[:, part.rows.span][:, part.rows.keep] = values
    state.n_ignored = problem.n_rows - state.n_rows
    if state.weight == 0.0:
        raise InputError("sample_weight is zero for every row that is not ignored")
    return Evaluation(state, None if kept is None else dict(zip(state.names, kept, strict=True)))


__all__ = ["Evaluation", "LossState", "evaluate"]
