"""`LossDistributionDisplay`: distribution of the losses of rows, and the share of the worst."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from xentexp._inputs.columns import to_weight
from xentexp._inputs.options import check_integer
from xentexp._numerics import FloatArray
from xentexp.displays._predictions import NamedPredictions, by_name, of_estimators
from xentexp.displays._style import (
    INK,
    SMALL,
    SOFT,
    axes_or_own,
    colours_of,
    in_words,
    shortened,
    style,
)
from xentexp.losses import Loss
from xentexp.metrics._registry import get_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DECADES = 6
"""Losses below 10^-6 of the largest count as the smallest shown."""

WORST = 0.01
"""Proportion of the rows, by weight, that are the worst."""


@dataclass(frozen=True, eq=False)
class LossDistribution:
    """Distribution of the losses of the rows of one model.

    Parameters
    ----------
    edges : ndarray of shape (m + 1,)
        Edges of the bins, in equal steps of the logarithm. Smaller losses, e.g. 0, are in the first
        bin.
    shares : ndarray of shape (m,)
        Proportion of the rows, by weight, in each bin. Infinite losses are in none.
    mean : float
        Weighted mean of the losses.
    worst_share : float
        Proportion of the sum of all losses that is due to the 1% of the rows, by weight, with the
        largest losses. NaN if the sum is 0 or infinite.
    n_rows : int
        Number of rows with a positive weight.
    n_infinite : int
        Number of rows whose loss is infinite.

    Examples
    --------
    >>> from xentexp.displays import LossDistributionDisplay
    >>> from matplotlib.figure import Figure
    >>> display = LossDistributionDisplay.from_predictions(
    ...     [0, 1, 1], [0.1, 0.8, 0.0], clip=0.0, ax=Figure().add_subplot()
    ... )
    >>> display.distributions["model"].n_infinite
    1
    """

    edges: FloatArray
    shares: FloatArray
    mean: float
    worst_share: float
    n_rows: int
    n_infinite: int


class LossDistributionDisplay:
    """Histogram of the losses of rows on a logarithmic axis.

    Beside each model stands the share of its total loss that is due to the worst 1% of its rows,
    and the number of rows with an infinite loss, if there are any.

    Parameters
    ----------
    distributions : mapping of str to LossDistribution
        Distribution of the losses of each model.
    loss : str
        Name of the loss.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the drawing. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import LossDistributionDisplay
    >>> display = LossDistributionDisplay.from_predictions(
    ...     [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.3], name="tree", ax=Figure().add_subplot()
    ... )
    >>> display.ax_.texts[0].get_text()
    'tree: 2%'
    """

    ax_: Axes
    figure_: Any

    def __init__(self, distributions: Mapping[str, LossDistribution], *, loss: str) -> None:
        self.distributions = distributions
        self.loss = loss

    def plot(self, ax: Axes | None = None, *, colours: Mapping[str, str] | None = None) -> Self:
        """Draw the histograms.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.
        colours : mapping of str to color, default=None
            Colour of each model. By default the first three models have one, and the rest is grey.

        Returns
        -------
        LossDistributionDisplay
            This display.
        """
        names = list(self.distributions)
        known = colours_of(names) if colours is None else colours
        ax = axes_or_own(ax, 340, 200 + 15 * len(names))
        with style("losses"):
            ax.set_xscale("log")
            for place, (name, found) in enumerate(self.distributions.items()):
                colour = known.get(name, INK)
                ax.stairs(found.shares, found.edges, color=colour, linewidth=1.4)
                self._say(ax, len(names) - 1 - place, _words(shortened(name), found), colour)
            self._say(ax, len(names), f"share of the loss in the worst {WORST:.0%} of rows", SOFT)
            ax.set_ylim(bottom=0.0)
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            ax.locator_params(axis="y", nbins=4)
            ax.minorticks_off()
            ax.set_ylabel("share of rows")
            ax.set_xlabel(f"{self.loss} of a row")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @staticmethod
    def _say(ax: Axes, line: int, words: str, colour: str) -> None:
        """One line of text above the axes, counted from below."""
        ax.annotate(
            words,
            (0.0, 1.0),
            xycoords="axes fraction",
            xytext=(0, 4 + 11 * line),
            textcoords="offset points",
            va="bottom",
            color=colour,
            fontsize=SMALL,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: NamedPredictions,
        *,
        loss: str | Loss = "categorical_crossentropy",
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        clip: float | Literal["auto"] = "auto",
        n_bins: int = 40,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the losses of the rows of predictions.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels, or one row of probabilities for each row.
        y_pred : array-like of shape (n,) or (n, k), or mapping of str to array-like
            Probabilities of one model, or of several by name.
        loss : str or Loss, default="categorical_crossentropy"
            Loss by name or as an object.
        labels : array-like of shape (k,), default=None
            All classes, in the order of the columns of the predictions.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        clip : float or "auto", default="auto"
            Lower limit of the probabilities inside logarithms. 0 means no limit: the log loss of
            a row whose true class has the probability 0 is then infinite.
        n_bins : int, default=40
            Number of bins, the same for all models.
        name : str, default=None
            Name of a single model, by default "model".
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        LossDistributionDisplay
            The drawn display.

        Raises
        ------
        InputError
            If an argument has a wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import LossDistributionDisplay
        >>> display = LossDistributionDisplay.from_predictions(
        ...     [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.3], ax=Figure().add_subplot()
        ... )
        >>> round(display.distributions["model"].mean, 4)
        0.4004
        """
        check_integer("n_bins", n_bins, 1)
        found = get_loss(loss)
        options: dict[str, Any] = {} if clip == "auto" else {"clip": clip}
        rows = {
            label: found.per_sample(y_true, p, labels=labels, **options)
            for label, p in by_name(y_pred, name).items()
        }
        n = len(next(iter(rows.values())))
        weight = np.ones(n) if sample_weight is None else to_weight(sample_weight, n)
        return cls(distributions_of(rows, weight, n_bins), loss=found.name).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        loss: str | Loss = "categorical_crossentropy",
        sample_weight: ArrayLike | None = None,
        clip: float | Literal["auto"] = "auto",
        n_bins: int = 40,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the losses of fitted classifiers on rows that they were not fitted to.

        Parameters
        ----------
        estimator : classifier, or mapping of str to classifier
            Fitted classifier, or several of the same classes by name.
        X : array-like of shape (n, n_features)
            Features of rows that the classifiers were not fitted to.
        y : array-like of shape (n,)
            Labels.
        loss : str or Loss, default="categorical_crossentropy"
            Loss by name or as an object.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        clip : float or "auto", default="auto"
            Lower limit of the probabilities inside logarithms, see `from_predictions`.
        n_bins : int, default=40
            Number of bins, the same for all models.
        name : str, default=None
            Name of a single classifier, by default that of its class.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        LossDistributionDisplay
            The drawn display.

        Raises
        ------
        InputError
            If a classifier has no `predict_proba`, or an argument has a wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.dummy import DummyClassifier
        >>> from xentexp.displays import LossDistributionDisplay
        >>> X, y = [[0], [1], [2], [3]], [0, 1, 0, 1]
        >>> display = LossDistributionDisplay.from_estimator(
        ...     DummyClassifier().fit(X, y), X, y, ax=Figure().add_subplot()
        ... )
        >>> round(display.distributions["DummyClassifier"].mean, 4)
        0.6931
        """
        models, classes = of_estimators(estimator, X, name)
        return cls.from_predictions(
            y,
            models,
            loss=loss,
            labels=classes,
            sample_weight=sample_weight,
            clip=clip,
            n_bins=n_bins,
            ax=ax,
        )


def distributions_of(
    rows: Mapping[str, FloatArray], weight: FloatArray, n_bins: int
) -> dict[str, LossDistribution]:
    """Distributions of the losses of several models on the same rows, in the same bins."""
    kept = weight > 0.0
    weight = weight[kept] / weight[kept].sum()
    losses = {name: values[kept] for name, values in rows.items()}
    known = np.concatenate([values[np.isfinite(values)] for values in losses.values()])
    high = known.max(initial=0.0)
    high = high if high > 0.0 else 1.0
    low = max(known[known > 0.0].min(initial=high), high * 10.0**-_DECADES)
    edges = np.geomspace(low if low < high else high / 10.0, high, n_bins + 1)
    return {name: _distribution(values, weight, edges) for name, values in losses.items()}


def _distribution(losses: FloatArray, weight: FloatArray, edges: FloatArray) -> LossDistribution:
    finite = np.isfinite(losses)
    within = np.clip(losses[finite], edges[0], edges[-1])
    order = np.argsort(-losses, kind="stable")
    # The weights of the worst rows; the last of them can count in part.
    before = np.cumsum(weight[order]) - weight[order]
    worst = np.clip(WORST - before, 0.0, weight[order])
    total = float(weight @ losses)
    defined = total > 0.0 and math.isfinite(total)
    return LossDistribution(
        edges=edges,
        shares=np.histogram(within, edges, weights=weight[finite])[0],
        mean=total,
        worst_share=float(worst @ losses[order]) / total if defined else math.nan,
        n_rows=len(losses),
        n_infinite=int(np.isposinf(losses).sum()),
    )


def _words(name: str, found: LossDistribution) -> str:
    """Name of a model, its infinite losses or the share of the worst rows."""
    if found.n_infinite:
        return f"{name}: infinite in {found.n_infinite:,} of {found.n_rows:,} rows"
    if math.isnan(found.worst_share):
        return f"{name}: the loss is {in_words(found.mean, 4)}"
    return f"{name}: {found.worst_share:.0%}"
