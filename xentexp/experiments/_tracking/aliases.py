"""Losses with equal values, such as the cross-entropies of two classes, logged under one name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from xentexp._inputs.read import read
from xentexp.experiments._leaderboard import better
from xentexp.experiments._predictions import Predictions
from xentexp.losses import LOSSES
from xentexp.metrics._evaluation import evaluate_checked

_N_ROWS = 64


def find_aliases(
    means: Mapping[str, float], predictions: Predictions, first: Iterable[str]
) -> dict[str, str]:
    """Logged name of each loss that equals another one; names of `first` are preferred."""
    # Losses are equal if they are so on random predictions, which other models share, and if the
    # model has equal values of them.
    names = [name for name in (*first, *LOSSES) if name in means and name in LOSSES]
    values = _on_random_predictions(list(dict.fromkeys(names)), predictions)
    seen: dict[tuple[bool, str], str] = {}
    aliases = {}
    for name, value in values.items():
        logged = seen.setdefault((better(name) is None, f"{value:.11g}"), name)
        if logged != name and _equal(means[name], means[logged]):
            aliases[name] = logged
    return aliases


def _equal(first: float, second: float) -> bool:
    both_undefined = math.isnan(first) and math.isnan(second)
    return both_undefined or math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-12)


def _on_random_predictions(names: list[str], predictions: Predictions) -> dict[str, float]:
    """Mean of each loss on random predictions of the same kind and number of classes."""
    rng = np.random.default_rng(0)
    classes, fold = len(predictions.classes), predictions.folds[0]
    shape = (_N_ROWS, classes)
    y = np.concatenate([np.arange(classes), rng.integers(classes, size=_N_ROWS)])[:_N_ROWS]
    proba = decision = None
    if fold.proba is not None:
        proba = rng.dirichlet(np.ones(classes), size=_N_ROWS)
    if fold.decision is not None:
        decision = rng.normal(size=shape if classes > 2 else _N_ROWS)
    checked = read(y, proba, decision=decision, labels=range(classes))
    losses = [LOSSES[name] for name in names if LOSSES[name].why_not(checked) is None]
    return evaluate_checked(checked, losses).values
