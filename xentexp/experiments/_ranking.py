"""Which values of a loss or metric are better."""

from __future__ import annotations

import math

from xentexp.errors import InputError
from xentexp.metrics._registry import get_metric


def better(name: str) -> tuple[str, float] | None:
    """Direction (lower, higher, nearest) and optimum; None if it does not rank or is unknown."""
    try:
        metric = get_metric(name)
    except InputError:
        return None
    direction, optimum = metric.properties.direction, metric.properties.optimum
    return None if direction == "none" else (direction, math.nan if optimum is None else optimum)


def higher_is_better(name: str) -> bool:
    """Whether higher values of a loss or metric are better."""
    direction = better(name)
    return direction is not None and direction[0] == "higher"


def distance(name: str, value: float) -> float:
    """Sort key of a value, lower is better; infinity for NaN."""
    direction, optimum = better(name) or ("lower", math.nan)
    distance = {"lower": value, "higher": -value, "nearest": abs(value - optimum)}[direction]
    return math.inf if math.isnan(distance) else distance
