"""`DifferenceDisplay`: paired differences of models to a reference, with intervals and folds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from xentexp._numerics import FloatArray, IntArray
from xentexp.displays._predictions import compared, of_estimators
from xentexp.displays._style import (
    AXIS,
    INK,
    SMALL,
    SOFT,
    axes_or_own,
    colours_of,
    in_words,
    shortened,
    style,
)
from xentexp.inference import Difference, paired_difference
from xentexp.inference._checks import codes_of
from xentexp.losses import Loss
from xentexp.metrics._registry import get_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class DifferenceDisplay:
    """Differences of the mean losses of models to a reference model, on the same rows.

    Each model has one row: a dot at the difference, a line for its confidence interval, and grey
    ticks below for the differences in the folds. The reference is the line at 0; values at its
    right are worse if the loss is better when it is lower.

    Parameters
    ----------
    differences : mapping of str to Difference
        Difference of each model, its mean loss minus that of the reference.
    reference : str
        Name of the reference model.
    loss : str
        Name of the loss, or of the metric.
    fold_differences : mapping of str to array-like of shape (n_folds,), default=None
        Differences of each model in the folds. By default there are no ticks.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the drawing. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    See Also
    --------
    xentexp.inference.paired_difference : The differences and their intervals.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import DifferenceDisplay
    >>> from xentexp.inference import paired_difference
    >>> display = DifferenceDisplay(
    ...     {"tree": paired_difference([0.2, 0.5, 0.1, 0.9], [0.1, 0.3, 0.1, 0.6])},
    ...     reference="linear",
    ...     loss="brier_loss",
    ... ).plot(Figure().add_subplot())
    >>> print(display.ax_.get_xlabel())
    brier_loss
    minus that of linear
    """

    ax_: Axes
    figure_: Any

    def __init__(
        self,
        differences: Mapping[str, Difference],
        *,
        reference: str,
        loss: str,
        fold_differences: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        self.differences = differences
        self.reference = reference
        self.loss = loss
        self.fold_differences = fold_differences or {}

    def plot(self, ax: Axes | None = None, *, colours: Mapping[str, str] | None = None) -> Self:
        """Draw the differences.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.
        colours : mapping of str to color, default=None
            Colour of each model. By default the reference and the first two other models have one,
            and the rest is grey.

        Returns
        -------
        DifferenceDisplay
            This display.
        """
        names = list(self.differences)
        known = colours_of([self.reference, *names]) if colours is None else colours
        ax = axes_or_own(ax, 340, 66 + 28 * max(1, len(names)))
        with style("difference"):
            for place, (name, difference) in enumerate(self.differences.items()):
                self._draw_row(ax, place, name, difference, known.get(name, INK))
            ax.axvline(0.0, color=INK, linewidth=0.8, zorder=1)
            ax.set_ylim(max(1, len(names)) - 0.4, -0.5)
            ax.set_yticks(range(len(names)), [shortened(name) for name in names])
            ax.tick_params(axis="y", length=0)
            for label, name in zip(ax.get_yticklabels(), names, strict=True):
                label.set_color(known.get(name, INK))
            ax.spines["left"].set_visible(False)
            ax.locator_params(axis="x", nbins=4)
            ax.set_xlabel(
                f"{shortened(self.loss, 48)}\nminus that of {shortened(self.reference)}",
                loc="right",
            )
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_row(
        self, ax: Axes, place: int, name: str, difference: Difference, colour: str
    ) -> None:
        if not math.isfinite(difference.difference):
            self._say(ax, place, f"difference {in_words(difference.difference, 4)}")
            return
        ax.plot([difference.difference], [place], "o", markersize=4.5, color=colour, zorder=3)
        if difference.reason is None:
            ax.plot([difference.low, difference.high], [place] * 2, color=colour, linewidth=1.5)
        else:
            self._say(ax, place, "no interval")
        folds = np.asarray(self.fold_differences.get(name, ()), dtype=np.float64)
        folds = folds[np.isfinite(folds)]
        ax.vlines(folds, place + 0.2, place + 0.38, color=AXIS, linewidth=1.0)

    def _say(self, ax: Axes, place: int, words: str) -> None:
        """Words at the right end of a row."""
        ax.annotate(
            words,
            (1.0, place - 0.28),
            xycoords=ax.get_yaxis_transform(),
            ha="right",
            va="center",
            color=SOFT,
            fontsize=SMALL,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: Mapping[str, ArrayLike],
        *,
        loss: str | Loss = "categorical_crossentropy",
        reference: str | None = None,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        folds: ArrayLike | None = None,
        confidence: float = 0.95,
        ax: Axes | None = None,
    ) -> Self:
        """Compare the predictions of models for the same rows.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels, or one row of probabilities for each row.
        y_pred : mapping of str to array-like of shape (n,) or (n, k)
            Probabilities of each model, out of fold, by its name; at least two models.
        loss : str or Loss, default="categorical_crossentropy"
            Loss by name or as an object.
        reference : str, default=None
            Model that the others are compared with. By default the one with the lowest mean loss.
        labels : array-like of shape (k,), default=None
            All classes, in the order of the columns of the predictions.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        groups : array-like of shape (n,), default=None
            Group of each row, e.g. a person, if rows of a group depend on each other.
        folds : array-like of shape (n,), default=None
            Fold in which the row was a test row. By default there are no ticks, and the interval
            is that of the rows.
        confidence : float, default=0.95
            Confidence level of the intervals.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        DifferenceDisplay
            The drawn display; the other models are in the order of their losses.

        Raises
        ------
        InputError
            If there are not two models, `reference` is not one of them, or an argument has a wrong
            shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import DifferenceDisplay
        >>> display = DifferenceDisplay.from_predictions(
        ...     [0, 1, 1, 0],
        ...     {"tree": [0.4, 0.6, 0.8, 0.1], "linear": [0.2, 0.6, 0.9, 0.1]},
        ...     loss="brier_loss",
        ...     ax=Figure().add_subplot(),
        ... )
        >>> display.reference, round(display.differences["tree"].difference, 4)
        ('linear', 0.0375)
        """
        found = get_loss(loss)
        options: dict[str, Any] = {"labels": labels, "sample_weight": sample_weight}
        models, reference = compared(y_pred, reference, lambda p: found(y_true, p, **options))
        rows = {name: found.per_sample(y_true, p, labels=labels) for name, p in models.items()}
        means = {name: found(y_true, p, **options) for name, p in models.items()}
        differences, in_folds = {}, {}
        for name in sorted((name for name in models if name != reference), key=means.__getitem__):
            differences[name] = paired_difference(
                rows[name],
                rows[reference],
                groups=groups,
                sample_weight=sample_weight,
                folds=folds,
                confidence=confidence,
            )
            if folds is not None:
                codes = codes_of("folds", folds, len(rows[name]))
                in_folds[name] = _fold_means(rows[name] - rows[reference], codes, sample_weight)
        display = cls(differences, reference=reference, loss=found.name, fold_differences=in_folds)
        return display.plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Mapping[str, Any],
        X: Any,
        y: ArrayLike,
        *,
        loss: str | Loss = "categorical_crossentropy",
        reference: str | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        confidence: float = 0.95,
        ax: Axes | None = None,
    ) -> Self:
        """Compare fitted classifiers on rows that they were not fitted to.

        Parameters
        ----------
        estimator : mapping of str to classifier
            Fitted classifiers of the same classes by name, at least two.
        X : array-like of shape (n, n_features)
            Features of rows that the classifiers were not fitted to.
        y : array-like of shape (n,)
            Labels.
        loss : str or Loss, default="categorical_crossentropy"
            Loss by name or as an object.
        reference : str, default=None
            Model that the others are compared with. By default the one with the lowest mean loss.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        groups : array-like of shape (n,), default=None
            Group of each row, e.g. a person, if rows of a group depend on each other.
        confidence : float, default=0.95
            Confidence level of the intervals.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        DifferenceDisplay
            The drawn display; the other models are in the order of their losses.

        Raises
        ------
        InputError
            If there are not two classifiers of the same classes, or an argument has a wrong shape
            or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.dummy import DummyClassifier
        >>> from sklearn.linear_model import LogisticRegression
        >>> from xentexp.displays import DifferenceDisplay
        >>> X, y = [[0], [1], [2], [3]], [0, 1, 0, 1]
        >>> models = {"prior": DummyClassifier().fit(X, y), "line": LogisticRegression().fit(X, y)}
        >>> DifferenceDisplay.from_estimator(models, X, y, ax=Figure().add_subplot()).reference
        'line'
        """
        models, classes = of_estimators(estimator, X, None)
        return cls.from_predictions(
            y,
            models,
            loss=loss,
            reference=reference,
            labels=classes,
            sample_weight=sample_weight,
            groups=groups,
            confidence=confidence,
            ax=ax,
        )


def _fold_means(values: FloatArray, codes: IntArray, weight: ArrayLike | None) -> FloatArray:
    """Weighted mean of the values of each fold."""
    weights = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=np.float64)
    return np.bincount(codes, weights=weights * values) / np.bincount(codes, weights=weights)
