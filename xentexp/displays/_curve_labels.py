"""Names beside curves, where they touch no other curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from xentexp._numerics import FloatArray
from xentexp.displays._style import INK, OTHER, SMALL, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LETTER, _LINE, _GAP = 6.8, 12.0, 3.0  # pixels
_CLEAR = 24.0
"""Distance from other curves in pixels that is as good as a larger one."""

_Box = tuple[float, float, float, float]  # left, bottom, right, top
_BEHIND = {"facecolor": "#ffffff", "edgecolor": "none", "pad": 0.5}


def label_curves(
    ax: Axes,
    x: FloatArray,
    curves: Mapping[str, FloatArray],
    colours: Mapping[str, str],
    *,
    unnamed: Sequence[FloatArray] = (),
) -> None:
    """Name curves at common ascending `x`; limits and size of the axes must be final."""
    # Grey curves whose names would cover others are only counted.
    extent = ax.get_window_extent()
    scale = 96.0 / ax.figure.dpi
    width, height = extent.width * scale, extent.height * scale
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    columns = np.arange(0.0, width, 2.0)
    at = left + columns / width * (right - left)

    def heights_of(values: FloatArray) -> FloatArray:
        inside = np.interp(at, x, values, left=np.nan, right=np.nan)
        return np.asarray((inside - bottom) / (top - bottom) * height)

    heights = {name: heights_of(values) for name, values in curves.items()}
    obstacles = [heights_of(values) for values in unnamed]
    boxes: list[_Box] = []
    n_unnamed = 0
    for name, own in heights.items():
        text = shortened(name, 24 if len(curves) <= 4 else 18)
        others = [values for other, values in heights.items() if other != name] + obstacles
        box, free = _place(own, others, columns, len(text) * _LETTER, height, boxes)
        if not free and colours.get(name) == OTHER:
            n_unnamed += 1
            continue
        boxes.append(box)
        ax.text(
            left + (box[0] + box[2]) / 2.0 / width * (right - left),
            bottom + (box[1] + box[3]) / 2.0 / height * (top - bottom),
            text,
            ha="center",
            va="center",
            color=colours.get(name, INK),
            fontsize=SMALL,
            zorder=5,
            bbox=_BEHIND,
        )
    if n_unnamed:
        text = f"grey: {n_unnamed} other{'s' if n_unnamed > 1 else ''}"
        _in_a_corner(ax, text, width, height, boxes)


def _in_a_corner(ax: Axes, text: str, width: float, height: float, boxes: list[_Box]) -> None:
    """Text in the first corner of the axes where no name is, from the upper right one."""
    long = len(text) * _LETTER
    corners = [(at, up) for up in (0.99, 0.01) for at in (0.99, 0.01)]

    def box(at: float, up: float) -> _Box:
        left, low = (width - long) * (at > 0.5), (height - _LINE) * (up > 0.5)
        return (left, low, left + long, low + _LINE)

    free = (c for c in corners if not any(_overlap(box(*c), other) for other in boxes))
    at, up = next(free, corners[0])
    ax.text(
        at,
        up,
        text,
        transform=ax.transAxes,
        ha="right" if at > 0.5 else "left",
        va="top" if up > 0.5 else "bottom",
        color=OTHER,
        fontsize=SMALL,
    )


def _place(
    own: FloatArray,
    others: list[FloatArray],
    columns: FloatArray,
    width: float,
    height: float,
    boxes: list[_Box],
) -> tuple[_Box, bool]:
    """Left, bottom, right and top of the best place beside a curve, and whether it is free."""
    best, chosen, free = -np.inf, (0.0, height - _LINE, width, height), False
    n = max(1, int(np.ceil(width / 2.0)))
    for first in range(0, max(1, len(columns) - n), 2):
        span = slice(first, first + n)
        part = own[span]
        if not np.isfinite(part).any():
            continue
        middle = own[min(first + n // 2, len(own) - 1)]
        left = columns[first]
        for low in (np.nanmax(part) + _GAP, np.nanmin(part) - _GAP - _LINE):
            centre = low + _LINE / 2.0
            box = (left, low, left + width, low + _LINE)
            outside = low < 0.0 or low + _LINE > height
            covered = any(_overlap(box, other) for other in boxes)
            clear = min((_distance(values[span], low) for values in others), default=_CLEAR)
            away = abs(centre - middle) if np.isfinite(middle) else height
            between = sum(_separates(values[span], centre, part) for values in others)
            score = min(clear, _CLEAR) - away - 20.0 * between - 60.0 * (clear <= 0.0)
            score -= 1e4 * (outside + covered)
            if score > best:
                best, chosen, free = score, box, clear > 0.0 and not covered
    return chosen, free


def _separates(curve: FloatArray, centre: float, own: FloatArray) -> bool:
    """Whether a curve lies between the centre of a name and its own curve."""
    i = len(own) // 2
    return bool(min(centre, own[i]) < curve[i] < max(centre, own[i]))


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] + 4.0 and b[0] < a[2] + 4.0 and a[1] < b[3] and b[1] < a[3]


def _distance(curve: FloatArray, low: float) -> float:
    """Vertical distance of a curve from a line of text; 0 if they touch."""
    known = curve[np.isfinite(curve)]
    if not len(known):
        return _CLEAR
    inside = np.minimum(np.maximum(known, low), low + _LINE)
    apart = float(np.abs(known - inside).min())
    crosses = known.min() < low and known.max() > low + _LINE
    return 0.0 if crosses else apart
