"""`ReliabilityDisplay`: isotonic curve, band of calibrated predictions and histogram."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from xentexp._inputs.read import read
from xentexp.displays._predictions import NamedPredictions, by_name, of_estimators
from xentexp.displays._style import (
    AXIS,
    INK,
    RULE,
    SMALL,
    SOFT,
    check_axes,
    colours_of,
    own_grid,
    shortened,
    style,
)
from xentexp.errors import InputError
from xentexp.inference import ReliabilityBand, reliability_band
from xentexp.metrics._metric_input import MetricInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 40
_DEPTH = 0.2  # of the histogram below the curve, in units of the axis
_PANEL = 222  # pixels


@dataclass(frozen=True, eq=False)
class ReliabilityPanel:
    """Reliability of the probability of one class: the data of one panel.

    Parameters
    ----------
    name : str
        Name of the model.
    label : object
        The class whose probability is shown.
    band : ReliabilityBand
        Curve and band.
    counts : ndarray of shape (m,)
        Weight of the rows in bins of the predicted probability, of equal width from 0 to 1.

    Examples
    --------
    >>> from xentexp.displays import ReliabilityPanel
    >>> from xentexp.inference import reliability_band
    >>> band = reliability_band([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> ReliabilityPanel("tree", 1, band, counts=[1, 2, 0, 1]).label
    1
    """

    name: str
    label: object
    band: ReliabilityBand
    counts: ArrayLike


class ReliabilityDisplay:
    """Reliability curves of models with the band of calibrated predictions.

    Each panel shows the frequency of a class against its predicted probability (isotonic
    regression), in grey the band in which the curve would lie if the predictions were calibrated,
    and below 0 a histogram of the predictions. The text is the share of rows at whose prediction
    the curve is outside of the band.

    Parameters
    ----------
    panels : list of ReliabilityPanel
        The panels; at least one.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        Axes of each panel. Only after `plot`.
    ax_ : matplotlib Axes
        Axes of the first panel. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    See Also
    --------
    xentexp.inference.reliability_band : Curve and band.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import ReliabilityDisplay
    >>> display = ReliabilityDisplay.from_predictions(
    ...     [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], ax=Figure().add_subplot()
    ... )
    >>> display.panels[0].band.observed
    array([0. , 0.5, 0.5, 1. ])
    """

    axes_: list[Axes]
    ax_: Axes
    figure_: Any

    def __init__(self, panels: Sequence[ReliabilityPanel]) -> None:
        if not panels:
            raise InputError("panels must have at least one panel; got none; pass predictions")
        self.panels = list(panels)

    def plot(
        self,
        ax: Axes | Iterable[Axes] | None = None,
        *,
        colours: Mapping[str, str] | None = None,
    ) -> Self:
        """Draw the panels.

        Parameters
        ----------
        ax : matplotlib Axes or iterable of Axes, default=None
            Axes of a single panel, or one for each panel. By default a new pyplot figure has one
            row of panels for each model.
        colours : mapping of str to color, default=None
            Colour of each model. By default the first three models have one, and the rest is grey.

        Returns
        -------
        ReliabilityDisplay
            This display.

        Raises
        ------
        InputError
            If there is not one of the axes for each panel.
        """
        names = list(dict.fromkeys(panel.name for panel in self.panels))
        known = colours_of(names) if colours is None else colours
        axes = self._axes(ax)
        with style("reliability"):
            for place, (panel, own) in enumerate(zip(self.panels, axes, strict=True)):
                self._draw(own, panel, known.get(panel.name, INK))
                if len(self.panels) > 1:
                    one_class = len(names) == len(self.panels)
                    title = panel.name if one_class else f"{panel.name}: {panel.label}"
                    own.set_title(shortened(title, 26), loc="left", color=known.get(panel.name))
                if not place:
                    labels = {str(panel.label) for panel in self.panels}
                    shown = shortened(labels.pop(), 20) if len(labels) == 1 else "the class"
                    own.set_ylabel(f"frequency of {shown}")
        self.axes_, self.ax_, self.figure_ = axes, axes[0], axes[0].figure
        return self

    def _axes(self, ax: Axes | Iterable[Axes] | None) -> list[Axes]:
        n = len(self.panels)
        if ax is None:
            columns = n // len({panel.name for panel in self.panels})
            columns = min(n, 3) if columns == 1 else columns
            grid = own_grid(math.ceil(n / columns), columns, _PANEL, _PANEL)
            for unused in grid[n:]:
                unused.remove()
            return grid[:n]
        axes = list(np.atleast_1d(np.asarray(ax, dtype=object)).ravel())
        if len(axes) != n:
            raise InputError(
                f"ax must have one of the axes for each of the {n} panels; got {len(axes)}; pass "
                f"None for a new figure"
            )
        return [check_axes(own) for own in axes]

    def _draw(self, ax: Axes, panel: ReliabilityPanel, colour: str) -> None:
        band = panel.band
        inside = np.isfinite(band.low)
        ax.fill_between(
            band.points[inside],
            band.low[inside],
            band.high[inside],
            color=AXIS,
            alpha=0.3,
            linewidth=0,
        )
        ax.plot([0.0, 1.0], [0.0, 1.0], color=AXIS, linewidth=0.8)
        ax.plot(
            band.predicted,
            band.observed,
            color=colour,
            linewidth=1.6,
            clip_on=False,
            marker="o" if len(band.predicted) == 1 else None,
        )
        counts = np.asarray(panel.counts, dtype=np.float64)
        heights = (_DEPTH - 0.03) * counts / counts.max()
        edges = np.linspace(0.0, 1.0, len(counts) + 1)
        ax.stairs(-_DEPTH + heights, edges, baseline=-_DEPTH, fill=True, color=colour, alpha=0.5)
        # The upper left corner, or the lower right one if the curve or the band is there.
        left = (band.points < 0.62) & inside
        top = max(np.interp(0.62, band.predicted, band.observed), band.high[left].max(initial=0.0))
        above = top > 0.75
        ax.text(
            0.98 if above else 0.03,
            0.03 if above else 0.98,
            f"{band.outside:.0%} of rows\noutside the band",
            ha="right" if above else "left",
            va="bottom" if above else "top",
            color=INK,
            fontsize=SMALL,
        )
        ax.axhline(0.0, color=RULE, linewidth=0.8, zorder=0)
        ax.set(xlim=(0.0, 1.0), ylim=(-_DEPTH, 1.0), box_aspect=1.0)
        ax.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        ax.set_yticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        ax.spines["left"].set_bounds(0.0, 1.0)
        ax.set_xlabel("predicted probability", color=SOFT)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: NamedPredictions,
        *,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        confidence: float = 0.9,
        n_draws: int = 100,
        max_rows: int = 10_000,
        random_state: int | np.random.Generator | None = 0,
        name: str | None = None,
        ax: Axes | Iterable[Axes] | None = None,
    ) -> Self:
        """Draw the reliability of predictions.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels or one-hot rows.
        y_pred : array-like of shape (n,) or (n, k), or mapping of str to array-like
            Probabilities of one model, or of several by name. Of two classes the second is shown;
            of more, each class against the rest.
        labels : array-like of shape (k,), default=None
            All classes, in the order of the columns of the predictions.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        confidence : float, default=0.9
            Level of the band at each point, between 0 and 1, both excluded.
        n_draws : int, default=100
            Number of sets of labels that are drawn for the band.
        max_rows : int, default=10000
            Curve and band of larger samples are those of a random sample of this many rows. The
            histogram has all rows.
        random_state : int, Generator or None, default=0
            Seed or generator of the draws and of the sample of rows.
        name : str, default=None
            Name of a single model, by default "model".
        ax : matplotlib Axes or iterable of Axes, default=None
            Axes of a single panel, or one for each panel. By default those of a new pyplot figure.

        Returns
        -------
        ReliabilityDisplay
            The drawn display.

        Raises
        ------
        InputError
            If a row has no single true class, or an argument has a wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import ReliabilityDisplay
        >>> display = ReliabilityDisplay.from_predictions(
        ...     ["a", "b", "c"],
        ...     [[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]],
        ...     ax=Figure().subplots(1, 3),
        ... )
        >>> [panel.label for panel in display.panels]
        ['a', 'b', 'c']
        """
        panels = [
            panel
            for label, p in by_name(y_pred, name).items()
            for panel in reliability_panels(
                label,
                y_true,
                p,
                labels=labels,
                sample_weight=sample_weight,
                confidence=confidence,
                n_draws=n_draws,
                max_rows=max_rows,
                random_state=random_state,
            )
        ]
        return cls(panels).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        confidence: float = 0.9,
        n_draws: int = 100,
        max_rows: int = 10_000,
        random_state: int | np.random.Generator | None = 0,
        name: str | None = None,
        ax: Axes | Iterable[Axes] | None = None,
    ) -> Self:
        """Draw the reliability of fitted classifiers on rows that they were not fitted to.

        Parameters
        ----------
        estimator : classifier, or mapping of str to classifier
            Fitted classifier, or several of the same classes by name.
        X : array-like of shape (n, n_features)
            Features of rows that the classifiers were not fitted to.
        y : array-like of shape (n,)
            Labels.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        confidence : float, default=0.9
            Level of the band at each point, between 0 and 1, both excluded.
        n_draws : int, default=100
            Number of sets of labels that are drawn for the band.
        max_rows : int, default=10000
            Number of rows that are used at most for curve and band.
        random_state : int, Generator or None, default=0
            Seed or generator of the draws and of the sample of rows.
        name : str, default=None
            Name of a single classifier, by default that of its class.
        ax : matplotlib Axes or iterable of Axes, default=None
            Axes of a single panel, or one for each panel. By default those of a new pyplot figure.

        Returns
        -------
        ReliabilityDisplay
            The drawn display.

        Raises
        ------
        InputError
            If a classifier has no `predict_proba`, or an argument has a wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.linear_model import LogisticRegression
        >>> from xentexp.displays import ReliabilityDisplay
        >>> X, y = [[0], [1], [2], [3]], [0, 1, 0, 1]
        >>> display = ReliabilityDisplay.from_estimator(
        ...     LogisticRegression().fit(X, y), X, y, ax=Figure().add_subplot()
        ... )
        >>> display.panels[0].name, display.panels[0].label
        ('LogisticRegression', 1)
        """
        models, classes = of_estimators(estimator, X, name)
        return cls.from_predictions(
            y,
            models,
            labels=classes,
            sample_weight=sample_weight,
            confidence=confidence,
            n_draws=n_draws,
            max_rows=max_rows,
            random_state=random_state,
            ax=ax,
        )


def reliability_panels(
    name: str,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None,
    sample_weight: ArrayLike | None,
    columns: Sequence[int] | None = None,
    **options: Any,
) -> list[ReliabilityPanel]:
    """Panel of each class in `columns`: by default the second of two, or each against the rest."""
    checked = read(y_true, y_pred, labels=labels, sample_weight=sample_weight)
    if y_true is None or not checked.one_hot:
        raise InputError(
            "y_true must have one true class in each row; got distributions; pass labels or "
            "one-hot rows"
        )
    data = MetricInput(checked)
    if columns is None:
        columns = [1] if data.n_classes == 2 else range(data.n_classes)
    return [
        ReliabilityPanel(
            name,
            data.classes[column],
            reliability_band(
                data.index == column,
                data.proba_by_class[column],
                labels=[False, True],
                sample_weight=data.weight,
                **options,
            ),
            np.histogram(data.proba_by_class[column], _BINS, (0.0, 1.0), weights=data.weight)[0],
        )
        for column in columns
    ]
