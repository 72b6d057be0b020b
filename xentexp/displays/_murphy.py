"""`MurphyDisplay` and `MurphyDifferenceDisplay`: cost of the decisions at every threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from xentexp._numerics import FloatArray
from xentexp.displays._curve_labels import label_curves
from xentexp.displays._predictions import NamedPredictions, by_name, compared, of_estimators
from xentexp.displays._style import INK, OTHER, SOFT, axes_or_own, colours_of, style
from xentexp.inference import MurphyCurve, MurphyDifference, murphy_curve, murphy_difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PER = 1000.0


class MurphyDisplay:
    """Cost of the decisions of models at every threshold (Murphy diagram).

    A false alarm costs t and a miss 1 - t at threshold t. A model whose curve is lower at all
    thresholds has a lower mean of every proper loss of two classes. Differences of models are small
    compared with the curves; `MurphyDifferenceDisplay` draws them.

    Parameters
    ----------
    curves : mapping of str to MurphyCurve
        Curve of each model, at the same thresholds.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the drawing. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    See Also
    --------
    MurphyDifferenceDisplay : Differences to one model, with intervals.
    xentexp.inference.murphy_curve : The curve.

    References
    ----------
    Ehm, W., Gneiting, T., Jordan, A. & Krueger, F. (2016). Of quantiles and expectiles: consistent
    scoring functions, Choquet representations and forecast rankings. JRSS B 78.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import MurphyDisplay
    >>> from xentexp.inference import murphy_curve
    >>> curves = {"tree": murphy_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])}
    >>> MurphyDisplay(curves).plot(Figure().add_subplot()).ax_.get_ylabel()
    'cost per 1,000 rows'
    """

    ax_: Axes
    figure_: Any

    def __init__(self, curves: Mapping[str, MurphyCurve]) -> None:
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
        MurphyDisplay
            This display.
        """
        known = colours_of(list(self.curves)) if colours is None else colours
        ax = axes_or_own(ax, 400, 240)
        costs = {name: curve.costs * _PER for name, curve in self.curves.items()}
        with style("murphy"):
            for name, curve in self.curves.items():
                colour = known.get(name, OTHER)
                ax.plot(curve.thresholds, costs[name], color=colour, linewidth=1.6)
            highest = max(values.max() for values in costs.values())
            _finish(ax, 0.0, 1.1 * highest if highest > 0.0 else 1.0)
            ax.set_ylabel("cost per 1,000 rows")
            label_curves(ax, next(iter(self.curves.values())).thresholds, costs, known)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: NamedPredictions,
        *,
        thresholds: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the curves of predictions of two classes.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, 2)
            Labels or one-hot rows of two classes.
        y_pred : array-like of shape (n,) or (n, 2), or mapping of str to array-like
            Probabilities of one model, or of several by name; shape (n,) is for the second
            class.
        thresholds : array-like of shape (m,), default=None
            Numbers from 0 to 1. By default 0.005, 0.01, ..., 0.995.
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
        MurphyDisplay
            The drawn display.

        Raises
        ------
        InputError
            If there are not two classes, or an argument has a wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import MurphyDisplay
        >>> display = MurphyDisplay.from_predictions(
        ...     [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], name="tree", ax=Figure().add_subplot()
        ... )
        >>> float(display.curves["tree"].costs.max())
        0.25
        """
        curves = {
            label: murphy_curve(
                y_true, p, thresholds=thresholds, labels=labels, sample_weight=sample_weight
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
        thresholds: ArrayLike | None = None,
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
        thresholds : array-like of shape (m,), default=None
            Numbers from 0 to 1. By default 0.005, 0.01, ..., 0.995.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        name : str, default=None
            Name of a single classifier, by default that of its class.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        MurphyDisplay
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
        >>> from xentexp.displays import MurphyDisplay
        >>> X, y = [[0], [1], [2], [3]], [0, 1, 0, 1]
        >>> model = LogisticRegression().fit(X, y)
        >>> list(MurphyDisplay.from_estimator(model, X, y, ax=Figure().add_subplot()).curves)
        ['LogisticRegression']
        """
        models, classes = of_estimators(estimator, X, name)
        return cls.from_predictions(
            y, models, thresholds=thresholds, labels=classes, sample_weight=sample_weight, ax=ax
        )


class MurphyDifferenceDisplay:
    """Extra cost of the decisions of models compared with a reference, at every threshold.

    A line above 0 means that the reference is cheaper at this threshold, where a false alarm costs
    t and a miss 1 - t. Bands are intervals at each threshold; models without a colour of their own
    have none.

    Parameters
    ----------
    differences : mapping of str to MurphyDifference
        Difference of each model to the reference, at the same thresholds.
    reference : str
        Name of the reference.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the drawing. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    See Also
    --------
    MurphyDisplay : The curves themselves.
    xentexp.inference.murphy_difference : The differences and their intervals.

    References
    ----------
    Ehm, W., Gneiting, T., Jordan, A. & Krueger, F. (2016). Of quantiles and expectiles: consistent
    scoring functions, Choquet representations and forecast rankings. JRSS B 78.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import MurphyDifferenceDisplay
    >>> from xentexp.inference import murphy_difference
    >>> y, p, q = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.2, 0.3, 0.6, 0.7]
    >>> display = MurphyDifferenceDisplay({"tree": murphy_difference(y, p, q)}, reference="line")
    >>> display.plot(Figure().add_subplot()).ax_.get_ylabel()
    'extra cost per 1,000 rows'
    """

    ax_: Axes
    figure_: Any

    def __init__(self, differences: Mapping[str, MurphyDifference], *, reference: str) -> None:
        self.differences = differences
        self.reference = reference

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
        MurphyDifferenceDisplay
            This display.
        """
        names = [self.reference, *self.differences]
        known = colours_of(names) if colours is None else colours
        ax = axes_or_own(ax, 400, 240)
        shown: list[FloatArray] = [np.zeros(1)]
        with style("murphy difference"):
            for name, difference in self.differences.items():
                colour = known.get(name, OTHER)
                at, line = difference.thresholds, difference.difference * _PER
                ax.plot(at, line, color=colour, linewidth=1.6 if colour != OTHER else 1.2)
                shown.append(line)
                if colour != OTHER and difference.reason is None:
                    low, high = difference.low * _PER, difference.high * _PER
                    ax.fill_between(at, low, high, color=colour, alpha=0.19, linewidth=0.0)
                    shown += [low, high]
            ax.axhline(0.0, color=INK, linewidth=0.8, zorder=3)
            values = np.concatenate(shown)
            least, most = float(values.min()), float(values.max())
            space = 0.16 * (most - least) or 1.0  # for names above and below the lines
            _finish(ax, least - space, most + space)
            ax.set_ylabel("extra cost per 1,000 rows")
            at = next((d.thresholds for d in self.differences.values()), np.array([0.0, 1.0]))
            lines = {name: d.difference * _PER for name, d in self.differences.items()}
            label_curves(ax, at, {**lines, self.reference: np.zeros(len(at))}, known)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: Mapping[str, ArrayLike],
        *,
        reference: str | None = None,
        thresholds: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        folds: ArrayLike | None = None,
        confidence: float = 0.95,
        ax: Axes | None = None,
    ) -> Self:
        """Compare the predictions of models for the same rows of two classes.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, 2)
            Labels or one-hot rows of two classes.
        y_pred : mapping of str to array-like of shape (n,) or (n, 2)
            Probabilities of each model by its name, at least two models.
        reference : str, default=None
            Model that the others are compared with. By default the one with the lowest mean of
            the curve, which is the lowest Brier score.
        thresholds : array-like of shape (m,), default=None
            Numbers from 0 to 1. By default 0.005, 0.01, ..., 0.995.
        labels : array-like of shape (2,), default=None
            Both classes, in the order of the columns of the predictions.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        groups : array-like of shape (n,), default=None
            Group of each row, e.g. a person, if rows of a group depend on each other.
        folds : array-like of shape (n,), default=None
            Fold in which the row was a test row.
        confidence : float, default=0.95
            Confidence level at each threshold.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        MurphyDifferenceDisplay
            The drawn display.

        Raises
        ------
        InputError
            If there are not two classes or two models, `reference` is not one of them, or an
            argument has a wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import MurphyDifferenceDisplay
        >>> display = MurphyDifferenceDisplay.from_predictions(
        ...     [0, 0, 1, 1],
        ...     {"tree": [0.1, 0.4, 0.35, 0.8], "line": [0.2, 0.3, 0.6, 0.7]},
        ...     ax=Figure().add_subplot(),
        ... )
        >>> display.reference
        'line'
        """
        options: dict[str, Any] = {
            "thresholds": thresholds,
            "labels": labels,
            "sample_weight": sample_weight,
        }
        models, reference = compared(
            y_pred, reference, lambda p: float(murphy_curve(y_true, p, **options).costs.mean())
        )
        differences = {
            name: murphy_difference(
                y_true,
                p,
                models[reference],
                groups=groups,
                folds=folds,
                confidence=confidence,
                **options,
            )
            for name, p in models.items()
            if name != reference
        }
        return cls(differences, reference=reference).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Mapping[str, Any],
        X: Any,
        y: ArrayLike,
        *,
        reference: str | None = None,
        thresholds: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        confidence: float = 0.95,
        ax: Axes | None = None,
    ) -> Self:
        """Compare fitted classifiers of two classes on rows that they were not fitted to.

        Parameters
        ----------
        estimator : mapping of str to classifier
            Fitted classifiers by name, at least two.
        X : array-like of shape (n, n_features)
            Features of rows that the classifiers were not fitted to.
        y : array-like of shape (n,)
            Labels.
        reference : str, default=None
            Model that the others are compared with. By default the one with the lowest mean of
            the curve, which is the lowest Brier score.
        thresholds : array-like of shape (m,), default=None
            Numbers from 0 to 1. By default 0.005, 0.01, ..., 0.995.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        groups : array-like of shape (n,), default=None
            Group of each row, e.g. a person, if rows of a group depend on each other.
        confidence : float, default=0.95
            Confidence level at each threshold.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        MurphyDifferenceDisplay
            The drawn display.

        Raises
        ------
        InputError
            If there are not two classifiers of the same two classes, or an argument has a wrong
            shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.dummy import DummyClassifier
        >>> from sklearn.linear_model import LogisticRegression
        >>> from xentexp.displays import MurphyDifferenceDisplay
        >>> X, y = [[0], [1], [2], [3]], [0, 1, 0, 1]
        >>> models = {"prior": DummyClassifier().fit(X, y), "line": LogisticRegression().fit(X, y)}
        >>> axes = Figure().add_subplot()
        >>> MurphyDifferenceDisplay.from_estimator(models, X, y, ax=axes).reference
        'line'
        """
        models, classes = of_estimators(estimator, X, None)
        return cls.from_predictions(
            y,
            models,
            reference=reference,
            thresholds=thresholds,
            labels=classes,
            sample_weight=sample_weight,
            groups=groups,
            confidence=confidence,
            ax=ax,
        )


def _finish(ax: Axes, low: float, high: float) -> None:
    """Limits, ticks and the label of the thresholds."""
    ax.set(xlim=(0.0, 1.0), ylim=(low, high))
    ax.set_xticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
    ax.locator_params(axis="y", nbins=4)
    ax.set_xlabel("threshold = cost of a false alarm", color=SOFT)
