"""The t distribution, and the normal one as its limit for infinite degrees of freedom."""

from __future__ import annotations

import math


def quantile(level: float, df: float) -> float:
    """Quantile of t with `df` degrees of freedom."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(level) if math.isinf(df) else stdtrit(df, level))


def probability_below(value: float, df: float) -> float:
    """Distribution function of t with `df` degrees of freedom."""
    from scipy.special import ndtr, stdtr

    return float(ndtr(value) if math.isinf(df) else stdtr(df, value))


def critical_value(df: float, confidence: float) -> float:
    """Half-width of a two-sided interval in standard errors."""
    return quantile(0.5 + confidence / 2.0, df)


def two_sided_p(statistic: float, df: float) -> float:
    """P-value of a statistic of either sign."""
    return 2.0 * probability_below(-abs(statistic), df)


def statistic_of(difference: float, error: float) -> float:
    """Difference divided by its standard error; 0 for 0/0."""
    if error == 0.0:
        return 0.0 if difference == 0.0 else math.copysign(math.inf, difference)
    return difference / error
