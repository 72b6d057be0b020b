"""Bins and terms of the population stability index."""

from __future__ import annotations

import numpy as np

from xentexp._numerics import FloatArray


def quantile_edges(values: FloatArray, weight: FloatArray, n_bins: int) -> FloatArray:
    """Inner limits of bins at quantiles; a value that equals a limit is in the bin below it."""
    if not len(values):
        return np.array([])
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(weight[order])
    # Sums of weights may miss a quantile by rounding.
    levels = np.arange(1, n_bins) / n_bins * sums[-1] * (1.0 - 1e-12)
    edges = np.unique(values[order][np.minimum(np.searchsorted(sums, levels), len(values) - 1)])
    return np.asarray(edges[edges < values[order[-1]]])


def stability_terms(
    expected: FloatArray, actual: FloatArray, n_expected: float, n_actual: float
) -> FloatArray:
    """Term of each bin; a bin without rows in one sample counts as half a row there."""
    e = np.where(expected == 0.0, 0.5 / n_expected, expected)
    a = np.where(actual == 0.0, 0.5 / n_actual, actual)
    return np.asarray((a - e) * np.log(a / e))
