"""Compare the speed of two checkouts on the same tasks, in turn.

Each checkout runs in a separate process that imports its xentexp. Tasks use only public names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

SLOWER = 1.03
"""Ratio of times above which a row is marked."""


def works() -> dict[str, tuple[Callable[[], Callable[[], object]], int]]:
    """Task name -> function that prepares the task, and number of calls that are timed together."""
    from xentexp import metrics

    try:
        from xentexp import evaluate
    except ImportError:  # older checkouts
        from xentexp.evaluation import evaluate
    from bench_suite import SUITE

    from xentexp import estimators
    from xentexp.scorers import loss_scorers

    def data(n: int, k: int) -> tuple[Any, Any, Any]:
        rng = np.random.default_rng(0)
        raw = rng.normal(size=(n, k))
        p = np.exp(raw)
        return rng.integers(0, k, size=n), p / p.sum(axis=1, keepdims=True), raw

    def loss(name: str, n: int, k: int, *, logits: bool = False, **kinds: bool) -> Any:
        def make() -> Callable[[], object]:
            y, p, raw = data(n, k)
            options: dict[str, Any] = {"from_logits": True} if logits else {}
            if kinds.get("weights"):
                options["sample_weight"] = np.linspace(0.5, 2.0, n)
            target = np.eye(k)[y] if kinds.get("one_hot") else p[::-1] if kinds.get("soft") else y
            predicted = raw if logits or kinds.get("margins") else p
            predicted = predicted[:, 1] if k == 2 else predicted
            function = getattr(metrics, name)
            return lambda: function(target, predicted, **options)

        return make

    def many(n: int, k: int) -> Any:
        def make() -> Callable[[], object]:
            y, p, raw = data(n, k)
            return lambda: evaluate(y, p, SUITE, decision=raw)

        return make

    def scorers() -> Callable[[], object]:
        from bench_suite import Remembered
        from sklearn.datasets import make_classification
        from sklearn.linear_model import LogisticRegression

        X, y = make_classification(
            40_000, 25, n_informative=15, n_classes=5, random_state=0, n_clusters_per_class=1
        )
        model = Remembered(LogisticRegression(max_iter=200).fit(X, y))
        model.remember(X)
        names = [name for name in SUITE if name != "entropy"]
        scorer = loss_scorers(names, labels=list(range(5)))
        return lambda: scorer(model, X, y)

    def training(kind: str, k: int, **parameters: Any) -> Any:
        def make() -> Callable[[], object]:
            from sklearn.datasets import make_classification

            X, y = make_classification(20_000, 30, n_informative=15, n_classes=k, random_state=0)
            model = getattr(estimators, kind)(**parameters)

            def fit() -> object:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # max_iter is too small for convergence
                    return model.fit(X, y)

            return fit

        return make

    def linear(name: str, k: int) -> Any:
        return training("LinearLossClassifier", k, loss=name, max_iter=15, tol=1e-12)

    ce, focal = "categorical_crossentropy", "categorical_focal_crossentropy"
    rounds = {"n_estimators": 20, "n_jobs": 1, "random_state": 0}
    row_wise = {"force_row_wise": True}  # else LightGBM chooses by a measurement of time
    return {
        "log loss 1e3 x 3": (loss(ce, 10**3, 3), 200),
        "log loss 1e6 x 3": (loss(ce, 10**6, 3), 3),
        "log loss 1e6 x 10": (loss(ce, 10**6, 10), 2),
        "log loss 1e6 x 100": (loss(ce, 10**6, 100), 1),
        "log loss 1e6 x 10, one-hot": (loss(ce, 10**6, 10, one_hot=True), 1),
        "log loss 1e5 x 10, soft": (loss(ce, 10**5, 10, soft=True), 5),
        "log loss 1e6 x 3, weights": (loss(ce, 10**6, 3, weights=True), 2),
        "log loss 1e3 x 3, raw scores": (loss(ce, 10**3, 3, logits=True), 200),
        "log loss 1e6 x 10, raw scores": (loss(ce, 10**6, 10, logits=True), 1),
        "binary 1e6, probabilities": (loss("binary_crossentropy", 10**6, 2), 5),
        "binary 1e6, raw scores": (loss("binary_crossentropy", 10**6, 2, logits=True), 3),
        "brier 1e3 x 3": (loss("brier_loss", 10**3, 3), 200),
        "brier 1e6 x 3": (loss("brier_loss", 10**6, 3), 2),
        "focal 1e6 x 3": (loss(focal, 10**6, 3), 2),
        "categorical hinge 1e6 x 3": (loss("categorical_hinge", 10**6, 3, margins=True), 2),
        "16 losses 1e3 x 10": (many(10**3, 10), 50),
        "16 losses 1e5 x 10": (many(10**5, 10), 1),
        "16 losses 1e6 x 10": (many(10**6, 10), 1),
        "scorers of 40k x 5": (scorers, 1),
        "linear training, cross-entropy, 3 classes": (linear(ce, 3), 1),
        "linear training, focal, 3 classes": (linear(focal, 3), 1),
        "linear training, Brier, 3 classes": (linear("brier_loss", 3), 1),
        "linear training, cross-entropy, 2 classes": (linear(ce, 2), 1),
        "linear training, focal, 2 classes": (linear(focal, 2), 1),
        "linear training, Brier, 2 classes": (linear("brier_loss", 2), 1),
        "LightGBM, 20 rounds, 3 classes": (
            training("LightGBMLossClassifier", 3, **rounds, booster_params=row_wise),
            1,
        ),
        "XGBoost, 20 rounds, 3 classes": (training("XGBoostLossClassifier", 3, **rounds), 1),
    }


def worker() -> None:
    """Read task names from standard input; print the processor time of each in seconds."""
    table = works()
    print(json.dumps(list(table)), flush=True)
    prepared: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        name = line.rstrip("\n")
        make, calls = table[name]
        if name not in prepared:
            prepared = {name: make()}
            prepared[name]()  # warm-up
        start = time.process_time()
        for _ in range(calls):
            prepared[name]()
        print((time.process_time() - start) / calls, flush=True)


class Checkout:
    """A process that runs tasks with the xentexp of a folder."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(folder.resolve())}
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.names: list[str] = json.loads(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(
                f"the process of a checkout ended with exit code {self.process.wait()}"
            )
        return line

    def seconds(self, name: str) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        return float(self._line())


def compare(other: Path, only: str, pairs: int, console: Console) -> None:
    """Print the median ratio of the times of this checkout and the other one, row by row."""
    here, there = Checkout(Path(__file__).parents[1]), Checkout(other)
    table = Table(
        title=f"processor time of this checkout divided by {other.name}, median of {pairs} pairs"
    )
    for name in ("task", "here, ms", "ratio", "quartiles", ""):
        table.add_column(name, justify="left" if name in ("task", "") else "right")
    for name in here.names:
        if only not in name:
            continue
        console.print(f"[dim]{name} ...[/dim]", highlight=False)
        here.seconds(name), there.seconds(name)  # warm-up
        times = [(here.seconds(name), there.seconds(name)) for _ in range(pairs)]
        low, ratio, high = np.percentile([a / b for a, b in times], [25, 50, 75])
        milliseconds = 1e3 * float(np.median([a for a, _ in times]))
        mark = "SLOWER" if ratio > SLOWER else ""
        table.add_row(name, f"{milliseconds:.3f}", f"{ratio:.3f}", f"{low:.3f}-{high:.3f}", mark)
    console.print(table)


if __name__ == "__main__":
    worker()
