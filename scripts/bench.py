"""Speed and memory of xentexp against its peers: ratios of interleaved runs, medians."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import rel_entr, softmax
from scipy.stats import entropy as scipy_entropy
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    hinge_loss,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    zero_one_loss,
)
from sklearn.model_selection import StratifiedKFold, cross_validate

from xentexp import metrics
from xentexp.evaluation import evaluate
from xentexp.scorers import loss_scorers

Work = Callable[[], object]


def interleaved(works: dict[str, Work], repeats: int) -> dict[str, float]:
    """Median seconds of each piece of work; they take turns, so that noise hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def data(n: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(n, k))
    labels = rng.integers(0, k, size=n)
    return labels, np.eye(k)[labels], softmax(raw, axis=1), raw


def naive(y: np.ndarray, p: np.ndarray) -> float:
    """What people write: one clip, one gather, one logarithm, nothing checked."""
    return float(-np.log(np.clip(p, 1e-15, 1.0)[np.arange(len(y)), y]).mean())


def single_losses(table: Table, repeats: int) -> None:
    for n, k in ((10**6, 3), (10**5, 10), (10**3, 3)):
        y, one_hot, p, raw = data(n, k)
        cases: dict[str, dict[str, Work]] = {
            "labels": {
                "ours": lambda: metrics.categorical_crossentropy(y, p),
                "scikit-learn": lambda: log_loss(y, p),
                "naive": lambda: naive(y, p),
            },
            "one-hot": {
                "ours": lambda: metrics.categorical_crossentropy(one_hot, p),
                "scikit-learn": lambda: log_loss(one_hot, p),
                "naive": lambda: -(one_hot * np.log(np.clip(p, 1e-15, 1))).sum(axis=1).mean(),
            },
            "raw scores": {
                "ours": lambda: metrics.categorical_crossentropy(y, raw, from_logits=True),
                "scikit-learn": lambda: log_loss(y, softmax(raw, axis=1)),
                "naive": lambda: naive(y, softmax(raw, axis=1)),
            },
        }
        for what, works in cases.items():
            add(table, f"log loss {n:.0e} x {k}, {what}", interleaved(works, repeats))


def rivals(y: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Scores less that of the true class, plus the margin; 0 at the true class."""
    rows = np.arange(len(y))
    lead = raw - raw[rows, y][:, np.newaxis] + 1.0
    lead[rows, y] = 0.0
    return lead


def sklearn_hinge(y: np.ndarray, raw: np.ndarray) -> float:
    if raw.shape[1] == 2:
        return float(hinge_loss(y, raw[:, 1] - raw[:, 0]))
    return float(hinge_loss(y, raw, labels=np.arange(raw.shape[1])))


# One call for each loss: scikit-learn's where it has one, SciPy's, else plain NumPy.
PEERS: dict[str, Callable[..., float]] = {
    "binary_crossentropy": lambda y, t, p, raw: log_loss(y, p),
    "categorical_crossentropy": lambda y, t, p, raw: log_loss(y, p),
    "sparse_categorical_crossentropy": lambda y, t, p, raw: log_loss(y, p),
    "brier_loss": lambda y, t, p, raw: brier_score_loss(y, p),
    "squared_error": lambda y, t, p, raw: mean_squared_error(t, p),
    "absolute_error": lambda y, t, p, raw: mean_absolute_error(t, p),
    "zero_one_loss": lambda y, t, p, raw: zero_one_loss(y, p.argmax(axis=1)),
    "hinge_loss": lambda y, t, p, raw: sklearn_hinge(y, raw),
    "squared_hinge_loss": lambda y, t, p, raw: np.square(
        np.maximum(0.0, rivals(y, raw).max(axis=1))
    ).mean(),
    "categorical_hinge": lambda y, t, p, raw: sklearn_hinge(y, raw),
    "weston_watkins_hinge": lambda y, t, p, raw: np.maximum(0.0, rivals(y, raw)).sum(axis=1).mean(),
    "entropy": lambda y, t, p, raw: scipy_entropy(p, axis=1).mean(),
    "cross_entropy": lambda y, t, p, raw: -(t * np.log(np.maximum(p, 1e-15))).sum(axis=1).mean(),
    "kl_divergence": lambda y, t, p, raw: rel_entr(t, p).sum(axis=1).mean(),
}


def suite(table: Table, repeats: int) -> None:
    for n, k in ((10**5, 2), (10**5, 3), (10**5, 10), (10**6, 3)):
        y, one_hot, p, raw = data(n, k)
        values = evaluate(y, p, decision=raw).mean
        for name, value in values.items():  # a benchmark of different numbers means nothing
            np.testing.assert_allclose(PEERS[name](y, one_hot, p, raw), value, rtol=1e-9)
        works: dict[str, Work] = {
            "ours": lambda: evaluate(y, p, decision=raw),
            "scikit-learn": lambda: [PEERS[name](y, one_hot, p, raw) for name in values],
        }
        add(table, f"{len(values)} losses at once {n:.0e} x {k}", interleaved(works, repeats))


class Remembered(ClassifierMixin, BaseEstimator):
    """Hands out what a fitted classifier predicted: what is left of scoring is the scorer."""

    def __init__(self, fitted: object) -> None:
        self.fitted = fitted
        self.classes_ = fitted.classes_

    def remember(self, X: np.ndarray) -> None:
        self.proba_, self.decision_ = self.fitted.predict_proba(X), self.fitted.decision_function(X)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.proba_

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        return self.decision_


def cross_validation(table: Table, repeats: int) -> str:
    X, y = make_classification(
        40_000, 25, n_informative=15, n_classes=5, random_state=0, n_clusters_per_class=1
    )
    folds = StratifiedKFold(5)
    scorers = loss_scorers()
    plain = {"accuracy": lambda model, X, y: accuracy_score(y, model.predict_proba(X).argmax(1))}
    model = LogisticRegression(max_iter=200)

    def fit_seconds() -> float:
        return float(cross_validate(model, X, y, cv=folds, scoring=scorers)["fit_time"].sum())

    fits = float(np.median([fit_seconds() for _ in range(3)]))
    parts = []
    for train, test in folds.split(X, y):
        kept = Remembered(model.fit(X[train], y[train]))
        kept.remember(X[test])
        parts.append((kept, X[test], y[test]))
    names = list(scorers(*parts[0]))
    seconds = interleaved(
        {
            "ours": lambda: [scorers(*part) for part in parts],
            "scikit-learn": lambda: [
                PEERS[name.removeprefix("neg_")](t, np.eye(5)[t], kept.proba_, kept.decision_)
                for kept, _, t in parts
                for name in names
            ],
        },
        repeats,
    )
    both = interleaved(
        {
            "all losses": lambda: cross_validate(model, X, y, cv=folds, scoring=scorers),
            "predicting alone": lambda: cross_validate(model, X, y, cv=folds, scoring=plain),
        },
        3,
    )
    add(table, "scoring 5 folds of 40k x 25, net of predicting", seconds)
    return (
        f"cross_validate of a logistic fit, 40k x 25, 5 classes: fits {fits:.2f} s; scoring all "
        f"losses adds {seconds['ours']:.4f} s, {seconds['ours'] / fits:.2%} of the fits; whole "
        f"call {both['all losses']:.2f} s against {both['predicting alone']:.2f} s with accuracy"
    )


def memory(n: int) -> list[str]:
    """Peak of what is allocated during a call, over the size of the predictions."""
    y, one_hot, p, raw = data(n, 3)
    del one_hot
    lines = []
    works: dict[str, Work] = {
        "categorical_crossentropy, probabilities": lambda: metrics.categorical_crossentropy(y, p),
        "categorical_crossentropy, raw scores": lambda: metrics.categorical_crossentropy(
            y, raw, from_logits=True
        ),
        "all losses at once": lambda: evaluate(y, p, decision=raw),
        "scikit-learn log_loss": lambda: log_loss(y, p),
    }
    for name, work in works.items():
        tracemalloc.start()
        work()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        lines.append(f"memory beyond the input, {n:.0e} x 3 float64, {name}: {peak / p.nbytes:.2%}")
    return lines


def add(table: Table, what: str, seconds: dict[str, float]) -> None:
    ours = seconds["ours"]
    table.add_row(
        what,
        f"{ours * 1e3:.3f}",
        f"{seconds['scikit-learn'] / ours:.1f}",
        f"{seconds['naive'] / ours:.2f}" if "naive" in seconds else "-",
    )


def main() -> None:
    table = Table(title="time of the peer over ours (more than 1: ours is faster)")
    for name in ("work", "ours, ms", "peers", "naive NumPy"):
        table.add_column(name, justify="left" if name == "work" else "right")
    single_losses(table, 9)
    suite(table, 5)
    lines = [cross_validation(table, 9), *memory(10**7)]
    console = Console(width=120)
    console.print(table)
    for line in lines:
        console.print(line, highlight=False)
    console.print("peers: scikit-learn, or SciPy and plain NumPy where it has no such loss")


if __name__ == "__main__":
    main()
