"""Many losses over one prediction matrix: one pass, block by block; states merge exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from xentexp.errors import InputError
from xentexp.inputs.checked import CheckedInput
from xentexp.inputs.read import read
from xentexp.losses import LOSSES, Loss, get_loss, load_plugins
from xentexp.losses.base import row_values
from xentexp.metrics.running_sums import LossState
from xentexp.numerics import FloatArray

if TYPE_CHECKING:
    import pandas as pd


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
    checked = read(
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
    return run(checked, choose(checked, losses, ordered=ordered), per_sample=per_sample)


def choose(
    checked: CheckedInput, losses: Sequence[str | Loss] | None, *, ordered: bool = False
) -> list[Loss]:
    """Losses by name, checked to apply; all that apply where none are named.

    Parameters
    ----------
    problem : CheckedInput
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
        hard = checked.smoothing == 0.0 and checked.one_hot()
        return [
            loss
            for loss in LOSSES.values()
            if why_not(loss, checked) is None
            and (hard or loss.properties.targets != "one-hot")
            and (loss.properties.targets != "positive" or checked.positive())
            and (ordered or not loss.properties.ordered)
        ]
    chosen = [get_loss(loss) for loss in losses]
    if not chosen:
        raise InputError("losses must name one loss at least; got none")
    names = [loss.name for loss in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"each loss can be named once; {', '.join(twice)} stands twice or more")
    for loss in chosen:
        check_applies(loss, checked)
    return chosen


def check_applies(loss: Loss, checked: CheckedInput) -> None:
    """Complain of a loss that does not apply to a problem.

    Parameters
    ----------
    loss : Loss
        Which was named.
    problem : CheckedInput
        The input.

    Raises
    ------
    InputError
        With the reason.
    """
    if checked.smoothing and loss.properties.targets == "one-hot":
        raise InputError(f"{loss.name} needs one true class in each row: no label_smoothing")
    reason = None if checked.of_columns else why_not(loss, checked)
    if reason is not None:
        raise InputError(f"{loss.name} {reason}")


def why_not(loss: Loss, checked: CheckedInput) -> str | None:
    """Why a loss does not apply to a problem, or None."""
    return loss.why_not(
        n_classes=len(checked.classes),
        soft=checked.soft,
        has_proba=checked.probabilities is not None,
        has_decision=checked.decision is not None,
        latent=checked.latent,
        ordered=checked.ordered,
    )


def run(checked: CheckedInput, losses: Sequence[Loss], *, per_sample: bool = False) -> Evaluation:
    """One pass of some losses over a checked problem.

    Parameters
    ----------
    problem : CheckedInput
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
    state = LossState(tuple(losses), checked.classes)
    kept = np.full((len(losses), checked.n_rows), np.nan) if per_sample else None
    hard = next((loss.name for loss in losses if loss.properties.targets == "one-hot"), None)
    values = np.empty((len(losses), 0))
    for part in checked.parts(hard=hard):
        if values.shape[1] != part.block.n_rows:
            values = np.empty((len(losses), part.block.n_rows))
        for row, loss in zip(values, losses, strict=True):
            row[:] = row_values(loss, part.block)
        state.add(values, part)
        if kept is not None:
            part.rows.put(kept, values)
    state.n_ignored = checked.n_rows - state.n_rows
    if state.weight == 0.0:
        raise InputError("sample_weight is zero for every row that is not ignored")
    return Evaluation(state, None if kept is None else dict(zip(state.names, kept, strict=True)))


__all__ = ["Evaluation", "LossState", "evaluate"]
