"""Bootstrap of the means of many losses, against SciPy and against recomputing the losses."""

from __future__ import annotations

import numpy as np
from bench_suite import PEERS, SUITE
from bench_timing import interleaved
from scipy.special import softmax
from scipy.stats import bootstrap

from xentexp.inference import bootstrap_means
from xentexp.metrics import evaluate

RESAMPLES = 1000
TIMED = 5  # resamples of the slow peers that are timed; the time of one is constant


def bootstrap_of_losses() -> tuple[str, bool]:
    """Ratios for 1,000 paired resamples of 16 losses at 1e5 rows of 10 classes."""
    rng = np.random.default_rng(0)
    n, k = 10**5, 10
    y, raw = rng.integers(0, k, size=n), rng.normal(size=(n, k))
    p = softmax(raw, axis=1)
    rows = evaluate(y, p, SUITE, decision=raw, per_sample=True).per_sample
    assert rows is not None
    values, target = np.column_stack([rows[name] for name in SUITE]), np.eye(k)[y]

    def scipy_columns() -> None:
        for column in values.T:
            bootstrap(
                (column,), np.mean, n_resamples=10 * TIMED, batch=10, method="percentile", rng=0
            )

    def recompute() -> None:
        for _ in range(TIMED):
            drawn = rng.integers(0, n, n)
            parts = y[drawn], target[drawn], p[drawn], raw[drawn]
            for name in SUITE:
                PEERS[name](*parts)

    means = bootstrap_means(values, n_resamples=RESAMPLES, random_state=0)
    plug_in = values.std(axis=0) / np.sqrt(n)
    np.testing.assert_allclose(means.std(axis=0), plug_in, rtol=5 / np.sqrt(2 * RESAMPLES))
    seconds = interleaved(
        {
            "ours": lambda: bootstrap_means(values, n_resamples=RESAMPLES, random_state=0),
            "scipy": scipy_columns,
            "recomputed": recompute,
        },
        3,
    )
    scipy = seconds["scipy"] * RESAMPLES / (10 * TIMED) / seconds["ours"]
    recomputed = seconds["recomputed"] * RESAMPLES / TIMED / seconds["ours"]
    measured = f"{seconds['ours']:.2f} s, scipy {scipy:.1f}, peers recomputed {recomputed:.0f}"
    return measured, scipy >= 12.0 and recomputed >= 200.0
