"""`GainsDisplay`: share of the events caught over the share of rows that are selected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from xentexp.displays._curve_labels import label_curves
from xentexp.displays._predictions import NamedPredictions, by_name, of_estimators
from xentexp.displays._style import AXIS, OTHER, axes_or_own, colours_of, shortened, style
from xentexp.metrics._two_classes import two_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_N_POINTS = 201


class GainsDisplay:
    """Share of the second class that is among the rows with the highest predictions.

    The curve of a useless model is the diagonal, that of perfect predictions rises to 1 within the
    base rate; both are thin grey lines. Rows of equal prediction count in part. Higher is better.

    Parameters
    ----------
    selected : ndarray of shape (m,)
        Shares of the rows that are selected, the highest predictions first; ascending from 0 to 1.
    caught : mapping of str to array-like of shape (m,)
        Share of the rows of the second class that each model selects.
    base_rate : float
        Share of the second class among all rows.
    event : object, default=1
        Label of the second class.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the drawing. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    See Also
    --------
    xentexp.metrics.credit.gains_table : The same numbers at a few shares, as a table.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import GainsDisplay
    >>> display = GainsDisplay([0.0, 0.5, 1.0], {"tree": [0.0, 0.75, 1.0]}, base_rate=0.4)
    >>> display.plot(Figure().add_subplot()).ax_.get_ylabel()
    'share of 1 caught'
    """

    ax_: Axes
    figure_: Any

    def __init__(
        self,
        selected: ArrayLike,
        caught: Mapping[str, ArrayLike],
        *,
        base_rate: float,
        event: object = 1,
    ) -> None:
        self.selected = np.asarray(selected, dtype=np.float64)
        self.caught = {
            name: np.asarray(values, dtype=np.float64) for name, values in caught.items()
        }
        self.base_rate = base_rate
        self.event = event

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
        GainsDisplay
            This display.
        """
        known = colours_of(list(self.caught)) if colours is None else colours
        ax = axes_or_own(ax, 320, 280)
        with style("gains"):
            ax.plot([0.0, 1.0], [0.0, 1.0], color=AXIS, linewidth=0.8)
            ax.plot([0.0, self.base_rate, 1.0], [0.0, 1.0, 1.0], color=AXIS, linewidth=0.8)
            for name, values in self.caught.items():
                ax.plot(self.selected, values, color=known.get(name, OTHER), linewidth=1.6)
            ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0))
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_ticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "25%", "50%", "75%", "100%"])
            ax.set_xlabel("share of rows, highest predictions first")
            ax.set_ylabel(f"share of {shortened(str(self.event), 16)} caught")
            perfect = np.interp(self.selected, [0.0, self.base_rate], [0.0, 1.0])
            label_curves(ax, self.selected, self.caught, known, unnamed=[self.selected, perfect])
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: NamedPredictions,
        *,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the curves of predictions of two classes.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, 2)
            Labels or one-hot rows of two classes; the second class is the event.
        y_pred : array-like of shape (n,) or (n, 2), or mapping of str to array-like
            Probabilities of one model, or of several by name; shape (n,) is for the second
            class.
        labels : array-like of shape (2,), default=None
            Both classes, in the order of the columns of the predictions.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        name : str, default=None
            Name of a single model, by default "model".
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        GainsDisplay
            The drawn display.

        Raises
        ------
        InputError
            If there are not two classes, both of which occur, or an argument has a wrong shape or
            value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import GainsDisplay
        >>> display = GainsDisplay.from_predictions(
        ...     [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], name="tree", ax=Figure().add_subplot()
        ... )
        >>> display.caught["tree"][display.selected == 0.25].tolist(), display.base_rate
        ([0.5], 0.5)
        """
        selected = np.linspace(0.0, 1.0, _N_POINTS)
        caught, base_rate, event = {}, 0.0, None
        for label, p in by_name(y_pred, name).items():
            rows = two_classes(
                "GainsDisplay", y_true, p, labels=labels, sample_weight=sample_weight
            )
            rows.check_both_occur()
            sums = rows.ranked()
            shares, found = (np.append(0.0, s / s[-1]) for s in (sums.rows, sums.events))
            base_rate = float(sums.events[-1] / sums.rows[-1])
            event = rows.classes[1]
            caught[label] = np.interp(selected, shares, found)
        return cls(selected, caught, base_rate=base_rate, event=event).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the curves of fitted classifiers of two classes.

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
        name : str, default=None
            Name of a single classifier, by default that of its class.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        GainsDisplay
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
        >>> from xentexp.displays import GainsDisplay
        >>> X, y = [[0], [1], [2], [3]], [0, 1, 0, 1]
        >>> model = LogisticRegression().fit(X, y)
        >>> GainsDisplay.from_estimator(model, X, y, ax=Figure().add_subplot()).base_rate
        0.5
        """
        models, classes = of_estimators(estimator, X, name)
        return cls.from_predictions(y, models, labels=classes, sample_weight=sample_weight, ax=ax)
