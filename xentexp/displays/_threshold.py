"""`ThresholdDisplay`: cost of decisions over the cutoff, with the best cutoff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from xentexp.displays._curve_labels import label_curves
from xentexp.displays._predictions import NamedPredictions, by_name, of_estimators
from xentexp.displays._style import AXIS, OTHER, SMALL, SOFT, axes_or_own, colours_of, style
from xentexp.inference import CostCurve, cost_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PER = 1000.0
_CONSTANT = "best constant"


class ThresholdDisplay:
    """Cost of the decisions of models over the cutoff, for given costs of errors.

    A dot marks the cutoff of the lowest cost, and the thick part of the line the cutoffs whose cost
    is within 1% of it. The vertical line is the best cutoff of calibrated probabilities, the
    horizontal one the cost of the better constant decision. Lower is better.

    Parameters
    ----------
    curves : mapping of str to CostCurve
        Curve of each model, for the same costs of errors.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the drawing. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    See Also
    --------
    xentexp.inference.cost_curve : The curve, and the interval of what it saves.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import ThresholdDisplay
    >>> from xentexp.inference import cost_curve
    >>> curve = cost_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], miss=5, false_alarm=1)
    >>> ThresholdDisplay({"tree": curve}).plot(Figure().add_subplot()).ax_.get_ylabel()
    'cost per 1,000 rows'
    """

    ax_: Axes
    figure_: Any

    def __init__(self, curves: Mapping[str, CostCurve]) -> None:
        self.curves = curves

    def plot(self, ax: Axes | None = None, *, colours: Mapping[str, str] | None = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.
        colours : mapping of str to color, default=None
            Colour of each model. By default the first three models have one, and the rest is grey.

        Returns
        -------
        ThresholdDisplay
            This display.
        """
        known = colours_of(list(self.curves)) if colours is None else colours
        ax = axes_or_own(ax, 400, 240)
        constant = max((c.constant_cost for c in self.curves.values()), default=1.0) * _PER
        at = np.linspace(0.0, 1.0, 401)
        lines = {}
        with style("threshold"):
            for name, curve in self.curves.items():
                colour, costs = known.get(name, OTHER), curve.costs * _PER
                ax.plot(curve.thresholds, costs, color=colour, linewidth=1.6)
                near = (curve.thresholds >= curve.tolerance_low) & (
                    curve.thresholds <= curve.tolerance_high
                )
                ax.plot(
                    curve.thresholds[near],
                    costs[near],
                    color=colour,
                    linewidth=6.0,
                    alpha=0.3,
                    solid_capstyle="butt",
                )
                best = min(curve.best_threshold, 1.0), curve.best_cost * _PER
                ax.plot(*best, "o", markersize=5.0, color=colour, zorder=4)
                lines[name] = np.interp(at, curve.thresholds, costs)
            ax.axhline(constant, color=AXIS, linewidth=0.8, zorder=1)
            first = next(iter(self.curves.values()), None)
            if first is not None:
                ax.axvline(first.theoretical_threshold, color=AXIS, linewidth=0.8, zorder=1)
                ax.text(
                    first.theoretical_threshold,
                    1.01,
                    f"{first.theoretical_threshold:.3g}",
                    transform=ax.get_xaxis_transform(),
                    ha="center",
                    color=SOFT,
                    fontsize=SMALL,
                )
            ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.35 * constant if constant > 0.0 else 1.0))
            ax.set_xticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
            ax.locator_params(axis="y", nbins=4)
            ax.set_xlabel("cutoff of the predicted probability")
            ax.set_ylabel("cost per 1,000 rows")
            names = {**lines, _CONSTANT: np.full(len(at), constant)}
            label_curves(ax, at, names, {_CONSTANT: SOFT, **known})
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: NamedPredictions,
        *,
        miss: float,
        false_alarm: float,
        amount: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        confidence: float = 0.95,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the costs of predictions of two classes.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, 2)
            Labels or one-hot rows of two classes; the second class is the event.
        y_pred : array-like of shape (n,) or (n, 2), or mapping of str to array-like
            Probabilities of one model, or of several by name; shape (n,) is for the event.
        miss, false_alarm : float
            Cost of an event that is not flagged, and of another row that is flagged, above 0.
        amount : array-like of shape (n,), default=None
            Amount of each row, at least 0, that multiplies both costs.
        labels : array-like of shape (2,), default=None
            Both classes, in the order of the columns of the predictions.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        groups : array-like of shape (n,), default=None
            Group of each row, e.g. a person, if rows of a group depend on each other.
        confidence : float, default=0.95
            Confidence level of what the best cutoff saves.
        name : str, default=None
            Name of a single model, by default "model".
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        ThresholdDisplay
            The drawn display.

        Raises
        ------
        InputError
            If there are not two classes, a cost is not above 0, or an argument has a wrong shape
            or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import ThresholdDisplay
        >>> display = ThresholdDisplay.from_predictions(
        ...     [0, 0, 1, 1],
        ...     {"tree": [0.1, 0.4, 0.35, 0.8]},
        ...     miss=5,
        ...     false_alarm=1,
        ...     ax=Figure().add_subplot(),
        ... )
        >>> display.curves["tree"].best_threshold
        0.35
        """
        curves = {
            label: cost_curve(
                y_true,
                p,
                miss=miss,
                false_alarm=false_alarm,
                amount=amount,
                labels=labels,
                sample_weight=sample_weight,
                groups=groups,
                confidence=confidence,
            )
            for label, p in by_name(y_pred, name).items()
        }
        return cls(curves).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        miss: float,
        false_alarm: float,
        amount: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        confidence: float = 0.95,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the costs of fitted classifiers of two classes.

        Parameters
        ----------
        estimator : classifier, or mapping of str to classifier
            Fitted classifier, or several of the same classes by name.
        X : array-like of shape (n, n_features)
            Features of rows that the classifiers were not fitted to.
        y : array-like of shape (n,)
            Labels.
        miss, false_alarm : float
            Cost of an event that is not flagged, and of another row that is flagged, above 0.
        amount : array-like of shape (n,), default=None
            Amount of each row, at least 0, that multiplies both costs.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        groups : array-like of shape (n,), default=None
            Group of each row, e.g. a person, if rows of a group depend on each other.
        confidence : float, default=0.95
            Confidence level of what the best cutoff saves.
        name : str, default=None
            Name of a single classifier, by default that of its class.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        ThresholdDisplay
            The drawn display.

        Raises
        ------
        InputError
            If a classifier has no `predict_proba` or more than two classes, or an argument has a
            wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.linear_model import LogisticRegression
        >>> from xentexp.displays import ThresholdDisplay
        >>> X, y = [[0], [1], [2], [3]], [0, 1, 0, 1]
        >>> model = LogisticRegression().fit(X, y)
        >>> display = ThresholdDisplay.from_estimator(
        ...     model, X, y, miss=1, false_alarm=1, ax=Figure().add_subplot()
        ... )
        >>> display.curves["LogisticRegression"].constant_cost
        0.5
        """
        models, classes = of_estimators(estimator, X, name)
        return cls.from_predictions(
            y,
            models,
            miss=miss,
            false_alarm=false_alarm,
            amount=amount,
            labels=classes,
            sample_weight=sample_weight,
            groups=groups,
            confidence=confidence,
            ax=ax,
        )
