"""Numbers and text as people read them: on the terminal, in notes and in reports."""

from __future__ import annotations

import math
import textwrap

DASH = "–"  # noqa: RUF001


def percent(value: float) -> str:
    """Regret in percent, short: two decimals at most, no more digits than are worth it.

    Parameters
    ----------
    value : float
        Percent.

    Returns
    -------
    str
        A dash for NaN.

    Examples
    --------
    >>> [percent(value) for value in (0.0, 0.004, 0.123, 4.56, 78.9, 12345.0)]
    ['0', '<0.01', '0.12', '4.6', '79', '>9999']
    """
    if math.isnan(value):
        return DASH
    if value == 0.0:
        return "0"
    if value > 9999:
        return ">9999"
    if value < 0.01:
        return "<0.01"
    return f"{value:.2f}" if value < 0.995 else f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def p_value(value: float) -> str:
    """P-value, as in ``p = 0.43``.

    Parameters
    ----------
    value : float
        In [0, 1].

    Returns
    -------
    str
        ``no test`` for NaN.

    Examples
    --------
    >>> p_value(0.4321), p_value(0.0432), p_value(1e-9), p_value(1.0)
    ('p = 0.43', 'p = 0.043', 'p < 0.001', 'p = 1')
    """
    if math.isnan(value):
        return "no test"
    if value < 0.001:
        return "p < 0.001"
    return f"p = {value:.2g}"


def number(value: float) -> str:
    """Mean of a loss, with four decimals where that is short; a dash for NaN.

    Parameters
    ----------
    value : float
        Any.

    Returns
    -------
    str
        Fewer decimals where it is large, more where it is small; nine letters at most, and a sign.

    Examples
    --------
    >>> [number(value) for value in (0.43212, 0.00123456, 8180048518.7, math.nan, math.inf)]
    ['0.4321', '0.001235', '8.2e+09', '–', 'inf']
    """
    if math.isnan(value):
        return DASH
    if 0.0 < abs(value) < 0.01:
        return f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.1e}"
    if 1000.0 <= abs(value) < math.inf:
        return f"{value:.0f}" if abs(value) < 99999.5 else f"{value:.1e}"
    return f"{value:.4f}" if math.isfinite(value) else f"{value}"


def wrapped(name: str, width: int) -> str:
    r"""Name of a loss, and what may follow it, in lines broken at underscores and spaces.

    Parameters
    ----------
    name : str
        With underscores; those of what follows a space are kept (``class_weight=balanced``).
    width : int
        Letters in a line; a longer word keeps its line for itself.

    Returns
    -------
    str
        With spaces for the underscores of the name.

    Examples
    --------
    >>> wrapped("categorical_focal_crossentropy", 18)
    'categorical focal\ncrossentropy'
    """
    loss, space, rest = name.partition(" ")
    words = loss.replace("_", " ") + space + rest
    return "\n".join(textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False))
