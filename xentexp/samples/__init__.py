"""Metrics of a whole sample, which are no mean over its rows; defined once, like the losses."""

from __future__ import annotations

from xentexp.samples.base import SampleFacts, SampleMetric, UndefinedError
from xentexp.samples.sample import Sample
from xentexp.samples.table import LOGGED, SAMPLE_METRICS, get_sample_metric, is_sample_metric

__all__ = [
    "LOGGED",
    "SAMPLE_METRICS",
    "Sample",
    "SampleFacts",
    "SampleMetric",
    "UndefinedError",
    "get_sample_metric",
    "is_sample_metric",
]
