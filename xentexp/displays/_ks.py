"""`KsDisplay`: distribution functions of the scores of two classes and their largest gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from xentexp._numerics import FloatArray
from xentexp.displays._predictions import check_name, of_estimators
from xentexp.displays._style import INK, MODELS, SMALL, axes_or_own, shortened, style
from xentexp.errors import InputError
from xentexp.metrics._two_classes import two_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class KsDisplay:
    """Distribution functions of the predictions of two classes, and their largest gap.

    The gap is the Kolmogorov-Smirnov statistic, the metric `ks_statistic`: the largest difference
    of the shares of rows of both classes whose prediction is at most a threshold. Larger values
    mean that the classes are better separated.

    Parameters
    ----------
    threshold : array-like of shape (m,)
        Predictions that occur, ascending.
    first, second : array-like of shape (m,)
        Share of the rows of the first and the second class with a prediction of at most
        `threshold`.
    classes : list of length 2
        Labels of both classes.
    name : str, default=None
        Name of the model, for the title. By default there is no title.

    Attributes
    ----------
    statistic : float
        The largest gap.
    at : float
        Prediction at which the gap is largest, the smallest if several are.
    ax_ : matplotlib Axes
        Axes of the drawing. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    See Also
    --------
    sklearn.metrics.RocCurveDisplay : The same gap is the largest distance of the ROC curve from its
        diagonal.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import KsDisplay
    >>> display = KsDisplay.from_predictions(
    ...     [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], ax=Figure().add_subplot()
    ... )
    >>> display.statistic, display.at
    (0.5, 0.1)
    """

    ax_: Axes
    figure_: Any

    def __init__(
        self,
        threshold: ArrayLike,
        first: ArrayLike,
        second: ArrayLike,
        *,
        classes: Sequence[object],
        name: str | None = None,
    ) -> None:
        self.threshold = np.asarray(threshold, dtype=np.float64)
        self.first = np.asarray(first, dtype=np.float64)
        self.second = np.asarray(second, dtype=np.float64)
        self.classes = list(classes)
        self.name = name
        gaps = np.abs(self.first - self.second)
        # Sums of weights differ by rounding where the gaps are equal.
        self._place = int((gaps >= gaps.max() - 1e-12).argmax())
        self.statistic, self.at = float(gaps[self._place]), float(self.threshold[self._place])

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw both distribution functions and the gap.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        KsDisplay
            This display.
        """
        ax = axes_or_own(ax, 300, 240)
        x = np.concatenate([[0.0], self.threshold, [1.0]])
        with style("ks"):
            for values, label, colour in (
                (self.first, self.classes[0], MODELS[0]),
                (self.second, self.classes[1], MODELS[1]),
            ):
                y = np.concatenate([[0.0], values, [1.0]])
                ax.step(x, y, where="post", color=colour, linewidth=1.6)
                self._label(ax, x, y, shortened(str(label), 16), colour)
            low, high = sorted((self.first[self._place], self.second[self._place]))
            ax.vlines([self.at], low, high, color=INK, linewidth=1.0)
            words = f"largest gap {self.statistic:.3f}\nat {self.at:.3g}"
            ax.text(0.98, 0.04, words, ha="right", va="bottom", fontsize=SMALL)
            ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.02))
            ax.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
            ax.set_yticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
            ax.set_xlabel(f"predicted probability of {shortened(str(self.classes[1]), 20)}")
            ax.set_ylabel("share of the class at or below")
            if self.name is not None:
                ax.set_title(shortened(self.name, 40), loc="left")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @staticmethod
    def _label(ax: Axes, x: FloatArray, y: FloatArray, label: str, colour: str) -> None:
        """Name a curve at its left where there is space, else at its right."""
        place = int((y >= 0.8).argmax())
        left = x[place] > 0.3
        ax.annotate(
            label,
            (x[place], 0.8),
            xytext=(-5 if left else 5, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center" if left else "top",
            color=colour,
            fontsize=SMALL,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the distribution functions of predictions.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, 2)
            Labels or one-hot rows of two classes, both of which occur.
        y_pred : array-like of shape (n,) or (n, 2)
            Probabilities; shape (n,) is for the second class.
        labels : array-like of shape (2,), default=None
            Both classes, in the order of the columns of `y_pred`.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        name : str, default=None
            Name of the model, for the title. By default there is no title.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        KsDisplay
            The drawn display.

        Raises
        ------
        InputError
            If there are not two classes, one has no rows, or an argument has a wrong shape or
            value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import KsDisplay
        >>> display = KsDisplay.from_predictions(
        ...     [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], ax=Figure().add_subplot()
        ... )
        >>> display.first
        array([0.5, 0.5, 1. , 1. ])
        """
        rows = two_classes("KsDisplay", y_true, y_pred, labels=labels, sample_weight=sample_weight)
        threshold, code = np.unique(rows.score, return_inverse=True)
        shares = []
        rows.check_both_occur()
        for own in (~rows.event, rows.event):
            weight = np.where(own, rows.weights, 0.0)
            shares.append(np.cumsum(np.bincount(code, weights=weight)) / weight.sum())
        name = None if name is None else check_name(name)
        return cls(threshold, *shares, classes=rows.classes, name=name).plot(ax)

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
        """Draw the distribution functions of a fitted classifier.

        Parameters
        ----------
        estimator : classifier
            Fitted classifier of two classes.
        X : array-like of shape (n, n_features)
            Features of rows that the classifier was not fitted to.
        y : array-like of shape (n,)
            Labels.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        name : str, default=None
            Name of the classifier, by default that of its class.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        KsDisplay
            The drawn display.

        Raises
        ------
        InputError
            If the classifier has no `predict_proba` or more than two classes, or an argument has a
            wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.linear_model import LogisticRegression
        >>> from xentexp.displays import KsDisplay
        >>> X, y = [[0], [1], [2], [3]], [0, 1, 0, 1]
        >>> model = LogisticRegression().fit(X, y)
        >>> KsDisplay.from_estimator(model, X, y, ax=Figure().add_subplot()).statistic
        0.5
        """
        if isinstance(estimator, Mapping):
            raise InputError(
                "estimator must be one classifier; got a mapping; draw each model in its own axes"
            )
        models, classes = of_estimators(estimator, X, name)
        ((label, y_pred),) = models.items()
        return cls.from_predictions(
            y, y_pred, labels=classes, sample_weight=sample_weight, name=label, ax=ax
        )
