"""`StabilityDisplay`: losses of models in each fold or period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from xentexp._inputs.asarray import as_array
from xentexp._inputs.columns import to_weight
from xentexp.displays._predictions import NamedPredictions, by_name, of_estimators
from xentexp.displays._style import (
    AXIS,
    INK,
    OTHER,
    RULE,
    SMALL,
    SOFT,
    apart,
    axes_or_own,
    colours_of,
    shortened,
    style,
)
from xentexp.errors import InputError
from xentexp.inference._checks import codes_of
from xentexp.losses import Loss
from xentexp.metrics._registry import get_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_NAMED = 12
"""Largest number of folds whose names fit above the dots."""


class StabilityDisplay:
    """Value of each model in each fold or period, with lines that join the same fold.

    Each model has one row with a dot for each fold. Lines that do not cross mean that the order of
    the models is the same in all folds, even where their ranges overlap.

    Parameters
    ----------
    values : mapping of str to array-like of shape (n_folds,)
        Value of each model in each fold; drawn from top to bottom. Values that are not finite are
        left out.
    metric : str
        Name of the loss or metric.
    folds : sequence of str, default=None
        Names of the folds or periods. By default their numbers, from 1.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the drawing. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    See Also
    --------
    xentexp.inference.order_stability : Whether other splits would keep the order of the models.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import StabilityDisplay
    >>> values = {"tree": [0.44, 0.42, 0.47], "linear": [0.42, 0.41, 0.44]}
    >>> StabilityDisplay(values, metric="brier_loss").plot(Figure().add_subplot()).folds
    ('1', '2', '3')
    """

    ax_: Axes
    figure_: Any

    def __init__(
        self,
        values: Mapping[str, ArrayLike],
        *,
        metric: str,
        folds: Sequence[str] | None = None,
    ) -> None:
        self.values = {name: np.asarray(v, dtype=np.float64) for name, v in values.items()}
        self.metric = metric
        n_folds = max((len(v) for v in self.values.values()), default=0)
        self.folds = tuple(str(i + 1) for i in range(n_folds)) if folds is None else tuple(folds)
        for name, found in self.values.items():
            if found.shape != (len(self.folds),):
                raise InputError(
                    f"values must have one number for each of the {len(self.folds)} folds; got "
                    f"shape {found.shape} for {name!r}"
                )

    def plot(self, ax: Axes | None = None, *, colours: Mapping[str, str] | None = None) -> Self:
        """Draw the values.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.
        colours : mapping of str to color, default=None
            Colour of each model. By default the first three models have one, and the rest is grey.

        Returns
        -------
        StabilityDisplay
            This display.
        """
        names = list(self.values)
        known = colours_of(names) if colours is None else colours
        ax = axes_or_own(ax, 340, 62 + 28 * max(1, len(names)))
        table = np.array([self.values[name] for name in names]).reshape(len(names), len(self.folds))
        table[~np.isfinite(table)] = np.nan
        places = np.arange(len(names))
        with style("stability"):
            if len(names) > 1:
                ax.plot(table, places, color=AXIS, linewidth=0.8, alpha=0.7, zorder=1)
            for place, name in enumerate(names):
                ax.axhline(place, color=RULE, linewidth=0.8, zorder=0)
                colour = known.get(name, OTHER)
                dots = np.full(len(self.folds), place)
                ax.plot(table[place], dots, "o", markersize=4.5, color=colour, zorder=3)
            ax.set_ylim(max(1, len(names)) - 0.5, -0.75)
            ax.set_yticks(places, [shortened(name) for name in names])
            for label, name in zip(ax.get_yticklabels(), names, strict=True):
                label.set_color(known.get(name, INK))
            ax.tick_params(axis="y", length=0)
            ax.spines["left"].set_visible(False)
            ax.locator_params(axis="x", nbins=4)
            ax.set_xlabel(self.metric)
            if names and len(self.folds) <= _MOST_NAMED:
                self._name_folds(ax, table[0])
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _name_folds(self, ax: Axes, values: Any) -> None:
        """Names of the folds above the dots of the first model."""
        known = np.flatnonzero(np.isfinite(values))
        low, high = ax.get_xlim()
        width = ax.get_window_extent().width / ax.figure.dpi * 96.0
        longest = max((len(self.folds[i]) for i in known), default=1)
        gap = (high - low) * (7.0 * longest + 8.0) / width
        places = np.array(apart(values[known], gap, low, high))
        if (np.abs(places - values[known]) > gap).any():
            return  # the names would stand beside other dots
        for i, place in zip(known, places, strict=True):
            ax.text(place, -0.45, self.folds[i], ha="center", color=SOFT, fontsize=SMALL)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: NamedPredictions,
        *,
        folds: ArrayLike,
        loss: str | Loss = "categorical_crossentropy",
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the mean loss of predictions in each fold or period.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels, or one row of probabilities for each row.
        y_pred : array-like of shape (n,) or (n, k), or mapping of str to array-like
            Probabilities of one model, or of several by name.
        folds : array-like of shape (n,)
            Fold or period of each row; drawn in the order of their labels.
        loss : str or Loss, default="categorical_crossentropy"
            Loss by name or as an object.
        labels : array-like of shape (k,), default=None
            All classes, in the order of the columns of the predictions.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        name : str, default=None
            Name of a single model, by default "model".
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        StabilityDisplay
            The drawn display.

        Raises
        ------
        InputError
            If an argument has a wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import StabilityDisplay
        >>> display = StabilityDisplay.from_predictions(
        ...     [0, 1, 1, 0],
        ...     {"tree": [0.4, 0.6, 0.8, 0.2]},
        ...     folds=["May", "May", "June", "June"],
        ...     loss="brier_loss",
        ...     ax=Figure().add_subplot(),
        ... )
        >>> display.folds, display.values["tree"].round(2).tolist()
        (('June', 'May'), [0.04, 0.16])
        """
        found = get_loss(loss)
        values = {}
        names: tuple[str, ...] = ()
        for label, p in by_name(y_pred, name).items():
            rows = found.per_sample(y_true, p, labels=labels)
            codes = codes_of("folds", folds, len(rows))
            names = tuple(map(str, np.unique(as_array(folds, "folds"))))
            weight = (
                np.ones(len(rows))
                if sample_weight is None
                else to_weight(sample_weight, len(rows)).astype(np.float64)
            )
            with np.errstate(invalid="ignore"):
                values[label] = np.bincount(codes, rows * weight) / np.bincount(codes, weight)
        return cls(values, metric=found.name, folds=names).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        folds: ArrayLike,
        loss: str | Loss = "categorical_crossentropy",
        sample_weight: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the mean loss of fitted classifiers in each period or part of the rows.

        Parameters
        ----------
        estimator : classifier, or mapping of str to classifier
            Fitted classifier, or several of the same classes by name.
        X : array-like of shape (n, n_features)
            Features of rows that the classifiers were not fitted to.
        y : array-like of shape (n,)
            Labels.
        folds : array-like of shape (n,)
            Period or part of each row; drawn in the order of their labels.
        loss : str or Loss, default="categorical_crossentropy"
            Loss by name or as an object.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        name : str, default=None
            Name of a single classifier, by default that of its class.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        StabilityDisplay
            The drawn display.

        Raises
        ------
        InputError
            If a classifier has no `predict_proba`, or an argument has a wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.linear_model import LogisticRegression
        >>> from xentexp.displays import StabilityDisplay
        >>> X, y = [[0], [1], [2], [3]], [0, 1, 0, 1]
        >>> model = LogisticRegression().fit(X, y)
        >>> display = StabilityDisplay.from_estimator(
        ...     model, X, y, folds=[2023, 2023, 2024, 2024], ax=Figure().add_subplot()
        ... )
        >>> display.folds
        ('2023', '2024')
        """
        models, classes = of_estimators(estimator, X, name)
        return cls.from_predictions(
            y,
            models,
            folds=folds,
            loss=loss,
            labels=classes,
            sample_weight=sample_weight,
            ax=ax,
        )
