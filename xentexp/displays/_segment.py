"""`SegmentDisplay`: mean prediction minus observed rate in groups of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike

from xentexp.displays._predictions import NamedPredictions, by_name, of_estimators
from xentexp.displays._style import (
    INK,
    OTHER,
    SMALL,
    SOFT,
    axes_or_own,
    colours_of,
    shortened,
    style,
)
from xentexp.errors import InputError
from xentexp.inference import Segment, segment_bias

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_LETTERS = 30
"""Largest number of letters of a label at the left."""

_HEAD = "predicted / observed, n"
_LARGEST = 60.0
"""Area in square points of the dot of the segment with the most rows."""


class SegmentDisplay:
    """Mean prediction minus observed rate of segments, with simultaneous intervals.

    Each segment has one row: a dot whose area is proportional to its number of rows, a line for its
    interval, and at the right the mean prediction, the rate and the number of rows. A dot at the
    right of 0 means that the model predicts too much.

    Parameters
    ----------
    segments : sequence of Segment
        Segments, drawn from top to bottom.
    models : sequence of str, default=None
        Name of the model of each segment, for its colour, and for its label if there are several
        models. By default there is one model without a name.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the drawing. Only after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes. Only after `plot`.

    See Also
    --------
    xentexp.inference.segment_bias : The segments and their intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> from xentexp.displays import SegmentDisplay
    >>> from xentexp.inference import segment_bias
    >>> X = pd.DataFrame({"delay": [0, 2] * 60})
    >>> segments = segment_bias([0, 1] * 60, [0.4] * 120, X)
    >>> display = SegmentDisplay(segments).plot(Figure().add_subplot())
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['delay = 0', 'delay = 2']
    """

    ax_: Axes
    figure_: Any

    def __init__(self, segments: Sequence[Segment], *, models: Sequence[str] | None = None) -> None:
        if models is not None and len(models) != len(segments):
            raise InputError(
                f"models must have a name for each of the {len(segments)} segments; got "
                f"{len(models)}"
            )
        self.segments = tuple(segments)
        self.models = None if models is None else tuple(models)

    def labels(self) -> list[str]:
        """Labels of the rows, short enough for a figure.

        Returns
        -------
        list of str
            Name of each segment, after that of its model if there are several, and with its class
            in brackets if there are several.
        """
        several_models = len(set(self.models or ())) > 1
        several_classes = len({segment.class_label for segment in self.segments}) > 1
        models = self.models if self.models and several_models else ("",) * len(self.segments)
        return [
            _label(model, segment, several_classes)
            for model, segment in zip(models, self.segments, strict=True)
        ]

    def plot(self, ax: Axes | None = None, *, colours: Mapping[str, str] | None = None) -> Self:
        """Draw the segments.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.
        colours : mapping of str to color, default=None
            Colour of each model. By default the first three models have one, and the rest is grey.

        Returns
        -------
        SegmentDisplay
            This display.
        """
        models = self.models or ("",) * len(self.segments)
        known = colours_of(list(dict.fromkeys(models))) if colours is None else colours
        ax = axes_or_own(ax, 480, 56 + 22 * max(1, len(self.segments)))
        largest = max((segment.n_rows for segment in self.segments), default=1)
        with style("segments"):
            for place, (model, segment) in enumerate(zip(models, self.segments, strict=True)):
                colour = known.get(model, OTHER)
                if not math.isnan(segment.low):
                    limits = [100.0 * segment.low, 100.0 * segment.high]
                    ax.plot(limits, [place] * 2, color=colour, linewidth=1.5)
                size = _LARGEST * max(segment.n_rows / largest, 0.08)
                ax.scatter(
                    [100.0 * segment.bias], [place], s=size, color=colour, linewidth=0.0, zorder=3
                )
                ax.annotate(
                    described(segment),
                    (1.0, place),
                    xycoords=ax.get_yaxis_transform(),
                    xytext=(8, 0),
                    textcoords="offset points",
                    va="center",
                    color=INK,
                    fontsize=SMALL,
                    annotation_clip=False,
                )
            ax.annotate(
                _HEAD,
                (1.0, -0.9),
                xycoords=ax.get_yaxis_transform(),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                color=SOFT,
                fontsize=SMALL,
                annotation_clip=False,
            )
            ax.axvline(0.0, color=INK, linewidth=0.8, zorder=1)
            ax.set_ylim(max(1, len(self.segments)) - 0.4, -0.5)
            ax.set_yticks(range(len(self.segments)), self.labels())
            for label, model in zip(ax.get_yticklabels(), models, strict=True):
                label.set_color(known.get(model, INK) if model else INK)
            ax.tick_params(axis="y", length=0)
            ax.spines["left"].set_visible(False)
            ax.locator_params(axis="x", nbins=4)
            ax.set_xlabel("predicted − observed,\npercentage points", color=SOFT)  # noqa: RUF001
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: NamedPredictions,
        X: pd.DataFrame,
        *,
        columns: Sequence[str] | None = None,
        labels: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        confidence: float = 0.95,
        most: int = 12,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the segments of predictions in which the bias matters most.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, k)
            Labels or one-hot rows.
        y_pred : array-like of shape (n,) or (n, k), or mapping of str to array-like
            Probabilities of one model, or of several by name.
        X : DataFrame of shape (n, m)
            Columns that make the segments.
        columns : sequence of str, default=None
            Columns of `X` to use. By default all.
        labels : array-like of shape (k,), default=None
            All classes, in the order of the columns of the predictions.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        groups : array-like of shape (n,), default=None
            Group of each row, e.g. a person, if rows of a group depend on each other.
        confidence : float, default=0.95
            Simultaneous confidence level of the intervals of a model.
        most : int, default=12
            Largest number of segments. Those with the largest ``n_rows * bias**2`` are drawn:
            so much would a shift of their predictions reduce the sum of the Brier losses.
        name : str, default=None
            Name of a single model, by default "model".
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        SegmentDisplay
            The drawn display.

        Raises
        ------
        InputError
            If a column does not exist, or an argument has a wrong shape or value.

        Examples
        --------
        >>> import pandas as pd
        >>> from matplotlib.figure import Figure
        >>> from xentexp.displays import SegmentDisplay
        >>> display = SegmentDisplay.from_predictions(
        ...     [0, 1] * 60,
        ...     [0.4] * 120,
        ...     pd.DataFrame({"delay": [0, 2] * 60}),
        ...     ax=Figure().add_subplot(),
        ... )
        >>> [segment.name for segment in display.segments]
        ['delay = 2', 'delay = 0']
        """
        found = [
            (label, segment)
            for label, p in by_name(y_pred, name).items()
            for segment in segment_bias(
                y_true,
                p,
                X,
                columns=columns,
                labels=labels,
                sample_weight=sample_weight,
                groups=groups,
                confidence=confidence,
            )
        ]
        found = sorted(found, key=lambda pair: -importance(pair[1]))[:most]
        return cls([segment for _, segment in found], models=[label for label, _ in found]).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: pd.DataFrame,
        y: ArrayLike,
        *,
        columns: Sequence[str] | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        confidence: float = 0.95,
        most: int = 12,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the segments of fitted classifiers in which the bias matters most.

        Parameters
        ----------
        estimator : classifier, or mapping of str to classifier
            Fitted classifier, or several of the same classes by name.
        X : DataFrame of shape (n, n_features)
            Features of rows that the classifiers were not fitted to.
        y : array-like of shape (n,)
            Labels.
        columns : sequence of str, default=None
            Columns of `X` that make the segments. By default all.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.
        groups : array-like of shape (n,), default=None
            Group of each row, e.g. a person, if rows of a group depend on each other.
        confidence : float, default=0.95
            Simultaneous confidence level of the intervals of a model.
        most : int, default=12
            Largest number of segments. Those with the largest ``n_rows * bias**2`` are drawn:
            so much would a shift of their predictions reduce the sum of the Brier losses.
        name : str, default=None
            Name of a single classifier, by default that of its class.
        ax : matplotlib Axes, default=None
            Axes to draw into. By default those of a new pyplot figure.

        Returns
        -------
        SegmentDisplay
            The drawn display.

        Raises
        ------
        InputError
            If a classifier has no `predict_proba`, or an argument has a wrong shape or value.

        Examples
        --------
        >>> import pandas as pd
        >>> from matplotlib.figure import Figure
        >>> from sklearn.dummy import DummyClassifier
        >>> from xentexp.displays import SegmentDisplay
        >>> X, y = pd.DataFrame({"delay": [0, 2] * 60}), [0, 1] * 60
        >>> model = DummyClassifier().fit(X, y)
        >>> display = SegmentDisplay.from_estimator(model, X, y, ax=Figure().add_subplot())
        >>> display.segments[0].bias
        0.5
        """
        models, classes = of_estimators(estimator, X, name)
        return cls.from_predictions(
            y,
            models,
            X,
            columns=columns,
            labels=classes,
            sample_weight=sample_weight,
            groups=groups,
            confidence=confidence,
            most=most,
            ax=ax,
        )


def importance(segment: Segment) -> float:
    """Sum of the Brier losses of the rows that a shift of all predictions would save."""
    return segment.bias**2 * segment.n_rows


def described(segment: Segment) -> str:
    """Mean prediction, rate and number of rows."""
    return f"{segment.predicted:.1%} / {segment.observed:.1%}, {segment.n_rows:,}"


def _label(model: str, segment: Segment, several: bool) -> str:
    """Model and segment, short enough for the figure; the class if there are `several`."""
    parts = [shortened(model, 12)] if model else []
    end = f" ({shortened(str(segment.class_label), 6)})" if several else ""
    parts.append(shortened(segment.name, _LETTERS - len("".join(parts)) - len(end)) + end)
    return ", ".join(parts)
