"""`DecompositionDisplay`: miscalibration and discrimination of models on one scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike

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
from xentexp.errors import InputError
from xentexp.inference import Decomposition, decompose
from xentexp.losses import Loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class DecompositionDisplay:
    """Miscalibration and discrimination of models, in units of the loss.

    The mean loss is the uncertainty, which all models share, minus discrimination plus
    miscalibration. Each model has one bar for its discrimination, from 0 to the right, and one in a
    lighter colour for its miscalibration, from 0 to the left. A good model has a long bar at the
    right and a short one at the left.

    Parameters
    ----------
    decompositions : mapping of str to Decomposition
        Decomposition of each model, all of the same loss.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the drawing. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    Raises
    ------
    InputError
        If there is no decomposition, or they are of different losses.

    See Also
    --------
    xentexp.inference.decompose : The decomposition and its test.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import DecompositionDisplay
    >>> from xentexp.inference import decompose
    >>> result = decompose([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], "brier_loss")
    >>> display = DecompositionDisplay({"model": result}).plot(Figure().add_subplot())
    >>> [text.get_text() for text in display.ax_.texts]
    ['0.0331', '0.1250']
    """

    ax_: Axes
    figure_: Any

    def __init__(self, decompositions: Mapping[str, Decomposition]) -> None:
        losses = {result.loss for result in decompositions.values()}
        if len(losses) != 1:
            raise InputError(
                f"decompositions must be of one loss, at least one; got "
                f"{sorted(losses) or 'none'}; draw each loss in its own figure"
            )
        self.decompositions = decompositions

    def plot(self, ax: Axes | None = None, *, colours: Mapping[str, str] | None = None) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.
        colours : mapping of str to color, default=None
            Colour of each model. By default the first three models have one, and the rest is grey.

        Returns
        -------
        DecompositionDisplay
            This display.
        """
        names = list(self.decompositions)
        known = colours_of(names) if colours is None else colours
        ax = axes_or_own(ax, 440, 66 + 28 * len(names))
        with style("decomposition"):
            for place, (name, result) in enumerate(self.decompositions.items()):
                for side, value in ((-1, result.miscalibration), (1, result.discrimination)):
                    self._draw_bar(ax, place, side, value, known.get(name, INK))
            ax.axvline(0.0, color=INK, linewidth=0.8)
            ax.margins(x=0.3)  # space for the numbers
            ax.set_ylim(len(names) - 0.4, -0.6)
            ax.set_yticks(range(len(names)), [shortened(name) for name in names])
            for label, name in zip(ax.get_yticklabels(), names, strict=True):
                label.set_color(known.get(name, INK))
            ax.tick_params(axis="y", length=0)
            ax.spines[["left", "bottom"]].set_visible(False)
            ax.set_xticks([])
            loss = next(iter(self.decompositions.values())).loss
            ax.set_xlabel(
                f"miscalibration (left) and discrimination (right)\nof {shortened(loss, 48)}",
                loc="right",
            )
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_bar(self, ax: Axes, place: int, side: int, value: float, colour: str) -> None:
        length = side * value if math.isfinite(value) else 0.0
        ax.barh([place], [length], 0.56, color=colour, alpha=1.0 if side > 0 else 0.45, linewidth=0)
        ax.annotate(
            in_words(value, 4),
            (length if length * side > 0 else 0.0, place),
            xytext=(3 * side, 0),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="center",
            color=SOFT,
            fontsize=SMALL,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: NamedPredictions,
        *,
        loss: str | Loss = "categorical_crossentropy",
        family: str = "auto",
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Decompose the loss of predictions.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels or one-hot rows.
        y_pred : array-like of shape (n,) or (n, k), or mapping of str to array-like
            Probabilities of one model, or of several by name, out of fold.
        loss : str or Loss, default="categorical_crossentropy"
            A proper loss, by name or as an object.
        family : str, default="auto"
            Family of recalibration maps, see `xentexp.inference.decompose`.
        labels : array-like of shape (k,), default=None
            All classes, in the order of the columns of the predictions.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        groups : array-like of shape (n,), default=None
            Group of each row, e.g. a person, if rows of a group depend on each other.
        name : str, default=None
            Name of a single model, by default "model".
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        DecompositionDisplay
            The drawn display.

        Raises
        ------
        InputError
            If the loss is not proper, or an argument has a wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import DecompositionDisplay
        >>> display = DecompositionDisplay.from_predictions(
        ...     [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], loss="brier_loss", ax=Figure().add_subplot()
        ... )
        >>> round(display.decompositions["model"].discrimination, 4)
        0.125
        """
        models = by_name(y_pred, name)
        results = {
            label: decompose(
                y_true,
                p,
                loss,
                family=family,
                labels=labels,
                sample_weight=sample_weight,
                groups=groups,
            )
            for label, p in models.items()
        }
        return cls(results).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        loss: str | Loss = "categorical_crossentropy",
        family: str = "auto",
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Decompose the loss of fitted classifiers on rows that they were not fitted to.

        Parameters
        ----------
        estimator : classifier, or mapping of str to classifier
            Fitted classifier, or several of the same classes by name.
        X : array-like of shape (n, n_features)
            Features of rows that the classifiers were not fitted to.
        y : array-like of shape (n,)
            Labels.
        loss : str or Loss, default="categorical_crossentropy"
            A proper loss, by name or as an object.
        family : str, default="auto"
            Family of recalibration maps, see `xentexp.inference.decompose`.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        groups : array-like of shape (n,), default=None
            Group of each row, e.g. a person, if rows of a group depend on each other.
        name : str, default=None
            Name of a single classifier, by default that of its class.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        DecompositionDisplay
            The drawn display.

        Raises
        ------
        InputError
            If the loss is not proper, a classifier has no `predict_proba`, or an argument has a
            wrong shape or value.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.linear_model import LogisticRegression
        >>> from xentexp.displays import DecompositionDisplay
        >>> X, y = [[0], [1], [2], [3]], [0, 1, 0, 1]
        >>> model = LogisticRegression().fit(X, y)
        >>> display = DecompositionDisplay.from_estimator(model, X, y, ax=Figure().add_subplot())
        >>> list(display.decompositions)
        ['LogisticRegression']
        """
        models, classes = of_estimators(estimator, X, name)
        return cls.from_predictions(
            y,
            models,
            loss=loss,
            family=family,
            labels=classes,
            sample_weight=sample_weight,
            groups=groups,
            ax=ax,
        )
