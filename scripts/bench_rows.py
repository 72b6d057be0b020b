"""Rows of the benchmark: the task, the peers that compute it, and the bounds on the ratio."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from bench_inference import bootstrap_of_losses
from bench_logging import logging_of_the_default_run
from bench_page import page_of_three_models, report_of_ten_runs
from bench_run import intervals_of_a_run
from bench_startup import (
    leaderboard_of_many_runs,
    leaderboard_of_one_run,
    start_of_a_run,
)
from bench_suite import PEERS, SUITE, Remembered, torch_suite
from bench_timing import Fact, Row, Work, interleaved
from bench_training import training_rows
from scipy.special import expit, log_softmax, softmax
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_validate

from xentexp import evaluate, metrics
from xentexp.scorers import loss_scorers

Data = tuple[np.ndarray, np.ndarray, np.ndarray]
HAS_TORCH = find_spec("torch") is not None
HAS_KERAS = HAS_TORCH and find_spec("keras") is not None


def data(n: int, k: int) -> Data:
    """Labels, probabilities, and raw scores; the probabilities are the softmax of the scores."""
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(n, k))
    return rng.integers(0, k, size=n), softmax(raw, axis=1), raw


def naive(y: np.ndarray, p: np.ndarray) -> float:
    """Log loss in plain NumPy without checks: clip, select the true class, logarithm, mean."""
    return float(-np.log(np.clip(p, 1e-15, 1.0)[np.arange(len(y)), y]).mean())


def labels(n: int, k: int) -> Callable[[], dict[str, Work]]:
    def make() -> dict[str, Work]:
        y, p, _ = data(n, k)
        crossentropy_of = metrics.categorical_crossentropy
        works: dict[str, Work] = {
            "ours": lambda: crossentropy_of(y, p),
            "sklearn": lambda: log_loss(y, p),
            "naive": lambda: naive(y, p),
        }
        if HAS_TORCH:
            import torch

            torch.set_num_threads(1)
            ty, tp = torch.from_numpy(y), torch.from_numpy(p)
            works["torch"] = lambda: torch.nn.functional.nll_loss(torch.log(tp), ty)
        if HAS_KERAS:
            import keras

            crossentropy = keras.losses.sparse_categorical_crossentropy
            works["keras"] = lambda: crossentropy(ty, tp).mean()
        return works

    return make


def one_hot(n: int, k: int) -> Callable[[], dict[str, Work]]:
    def make() -> dict[str, Work]:
        y, p, _ = data(n, k)
        target = np.eye(k)[y]
        return {
            "ours": lambda: metrics.categorical_crossentropy(target, p),
            "sklearn": lambda: log_loss(target, p),
            "naive": lambda: -(target * np.log(np.clip(p, 1e-15, 1.0))).sum(axis=1).mean(),
        }

    return make


def raw_scores(n: int, k: int) -> Callable[[], dict[str, Work]]:
    def make() -> dict[str, Work]:
        y, _, raw = data(n, k)
        works: dict[str, Work] = {
            "ours": lambda: metrics.categorical_crossentropy(y, raw, from_logits=True),
            "sklearn": lambda: log_loss(y, softmax(raw, axis=1)),
            "scipy": lambda: -log_softmax(raw, axis=1)[np.arange(n), y].mean(),
        }
        if HAS_TORCH:
            import torch

            torch.set_num_threads(1)
            ty, scores = torch.from_numpy(y), torch.from_numpy(raw)
            works["torch"] = lambda: torch.nn.functional.cross_entropy(scores, ty)
        return works

    return make


def binary(n: int, *, logits: bool) -> Callable[[], dict[str, Work]]:
    def make() -> dict[str, Work]:
        rng = np.random.default_rng(0)
        y, raw = rng.integers(0, 2, size=n), rng.normal(size=n)
        predicted = raw if logits else expit(raw)
        works: dict[str, Work] = {
            "ours": lambda: metrics.binary_crossentropy(y, predicted, from_logits=logits),
            "sklearn": lambda: log_loss(y, expit(predicted) if logits else predicted),
        }
        if HAS_TORCH:
            import torch

            torch.set_num_threads(1)
            ty, tp = torch.from_numpy(y.astype(np.float64)), torch.from_numpy(predicted)
            of_logits = torch.nn.functional.binary_cross_entropy_with_logits
            function = of_logits if logits else torch.nn.functional.binary_cross_entropy
            works["torch"] = lambda: function(tp, ty)
        return works

    return make


def many(n: int, k: int) -> Callable[[], dict[str, Work]]:
    def make() -> dict[str, Work]:
        y, p, raw = data(n, k)
        target, names = np.eye(k)[y], SUITE
        works: dict[str, Work] = {
            "ours": lambda: list(evaluate(y, p, names, decision=raw).mean.values()),
            "peers": lambda: [float(PEERS[name](y, target, p, raw)) for name in names],
        }
        if HAS_TORCH:
            works["torch"] = torch_suite(names, y, target, p, raw)
        return works

    return make


def one_of_many(name: str, n: int, k: int) -> Callable[[], dict[str, Work]]:
    """`evaluate` with one loss, which also computes standard errors and means of each class."""

    def make() -> dict[str, Work]:
        y, p, _ = data(n, k)
        function = getattr(metrics, name)
        return {
            "ours": lambda: evaluate(y, p, [name])[name],
            "function": lambda: function(y, p),
        }

    return make


def suite_of_few_rows() -> dict[str, Work]:
    y, p, raw = data(10**3, 3)
    function = metrics.categorical_crossentropy
    return {
        "ours": lambda: evaluate(y, p, SUITE, decision=raw)["categorical_crossentropy"],
        "one loss": lambda: function(y, p),
    }


def all_losses() -> dict[str, Work]:
    y, p, raw = data(10**6, 10)
    return {
        "ours": lambda: evaluate(y, p, decision=raw)["categorical_crossentropy"],
        "sklearn": lambda: log_loss(y, p),
    }


def threads() -> tuple[str, bool]:
    """Wall time and processor time of one thread and of two; needs two processors that are idle."""
    texts, good = [], True
    for n, k in ((10**6, 10), (10**7, 3)):
        y, p, raw = data(n, k)
        works: dict[str, Callable[[int], object]] = {
            "one loss": partial(metrics.categorical_crossentropy, y, p),
            f"{len(SUITE)} losses": partial(evaluate, y, p, SUITE, decision=raw),
        }
        for name, work in works.items():
            seconds: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
            results = [work(n_jobs=n_jobs) for n_jobs in seconds]
            assert getattr(results[0], "state", results[0]) == getattr(
                results[1], "state", results[1]
            )
            for _ in range(5):
                for n_jobs, measured in seconds.items():
                    start = time.perf_counter(), time.process_time()
                    work(n_jobs=n_jobs)
                    wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
                    measured.append((wall, cpu))
            (wall, cpu), (wall2, cpu2) = (np.min(values, axis=0) for values in seconds.values())
            texts.append(f"{name} {n:.0e} x {k}: wall {wall / wall2:.2f}, cpu {cpu2 / cpu:.2f}")
            good = good and wall / wall2 >= 1.6 and cpu2 / cpu <= 1.15
    return "; ".join(texts), good


def cross_validation() -> tuple[str, bool]:
    X, y = make_classification(
        40_000, 25, n_informative=15, n_classes=5, random_state=0, n_clusters_per_class=1
    )
    folds, model = StratifiedKFold(5), LogisticRegression(max_iter=200)
    names = [name for name in SUITE if name != "entropy"]  # it does not rank models
    scorers = loss_scorers(names)
    fit_time = [
        cross_validate(model, X, y, cv=folds, scoring=scorers)["fit_time"].sum() for _ in range(3)
    ]
    fits = float(np.median(fit_time))
    parts = []
    for train, test in folds.split(X, y):
        fitted = Remembered(model.fit(X[train], y[train]))
        fitted.remember(X[test])
        parts.append((fitted, X[test], y[test]))
    seconds = interleaved(
        {
            "ours": lambda: [scorers(*part) for part in parts],
            "peers": lambda: [
                PEERS[name](t, np.eye(5)[t], fitted.proba_, fitted.decision_)
                for fitted, _, t in parts
                for name in names
            ],
        },
        9,
    )
    fraction, ratio = seconds["ours"] / fits, seconds["peers"] / seconds["ours"]
    measured = (
        f"{len(names)} losses: {seconds['ours'] * 1e3:.1f} ms, {fraction:.2%} of the fits "
        f"({fits:.2f} s), peers {ratio:.1f}"
    )
    return measured, fraction < 0.02 and ratio >= 8.0


def memory() -> tuple[str, bool]:
    """Peak memory that a call allocates, divided by the size of the predictions."""
    y, p, raw = data(10**6, 10)
    works: dict[str, Work] = {
        "probabilities": lambda: metrics.categorical_crossentropy(y, p),
        "raw scores": lambda: metrics.categorical_crossentropy(y, raw, from_logits=True),
        "suite": lambda: evaluate(y, p, SUITE, decision=raw),
        "sklearn": lambda: log_loss(y, p),
    }
    fractions = {}
    for name, work in works.items():
        tracemalloc.start()
        work()
        fractions[name] = tracemalloc.get_traced_memory()[1] / p.nbytes
        tracemalloc.stop()
    ours = max(fraction for name, fraction in fractions.items() if name != "sklearn")
    text = ", ".join(f"{name} {fraction:.2%}" for name, fraction in fractions.items())
    return text, ours < 0.03


SCORE_A_FILE = """
import json, resource, sys, time
import numpy as np
from xentexp.metrics import categorical_crossentropy
y, p = (np.load(f"{sys.argv[1]}/{name}.npy", mmap_mode="r") for name in "yp")
start = time.process_time()
value = categorical_crossentropy(y, p)
seconds = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"value": value, "seconds": seconds, "peak": peak}))
"""


def memory_mapped(n: int = 5 * 10**7, k: int = 3) -> tuple[str, bool]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        y = np.lib.format.open_memmap(folder / "y.npy", "w+", np.int64, (n,))
        p = np.lib.format.open_memmap(folder / "p.npy", "w+", np.float64, (n, k))
        rng, total, step = np.random.default_rng(0), 0.0, 10**6
        for start in range(0, n, step):
            part = slice(start, start + step)
            y[part], p[part] = rng.integers(0, k, step), softmax(rng.normal(size=(step, k)), axis=1)
            total -= float(np.log(p[part][np.arange(step), y[part]]).sum())
        size = (y.nbytes + p.nbytes) / 2**20
        del y, p
        # The peak memory of a process includes that of the process that forks it: start it from a
        # small shell.
        command = [sys.executable, "-c", SCORE_A_FILE, name]
        output = subprocess.run(
            ["sh", "-c", '"$@"; true', "sh", *command], check=True, capture_output=True, text=True
        ).stdout
    measured = json.loads(output)
    np.testing.assert_allclose(measured["value"], total / n, rtol=1e-9)
    text = f"{measured['peak']:.0f} MB peak for {size:.0f} MB on disk, {measured['seconds']:.2f} s"
    return text, measured["peak"] < 300


def rows() -> list[Row | Fact]:
    return [
        Row("log loss 1e6 x 3", labels(10**6, 3), {"sklearn": 20, "keras": 5, "torch": 1.5}),
        Row("log loss 1e6 x 10", labels(10**6, 10), {"sklearn": 20, "keras": 8, "torch": 3}),
        Row(
            "log loss 1e7 x 3",
            labels(10**7, 3),
            {"sklearn": 45, "keras": 8, "torch": 2.2},
            long=True,
        ),
        Row("log loss 1e6 x 100", labels(10**6, 100), {"sklearn": 45, "torch": 3.5}, long=True),
        Row("log loss 1e6 x 10, one-hot", one_hot(10**6, 10), {"sklearn": 10}),
        Row(
            "log loss 1e3 x 3",
            labels(10**3, 3),
            {"sklearn": 15, "naive": 1 / 3.3},
            at_most=80,
            calls=200,
        ),
        Row(
            "log loss 1e6 x 10, raw scores",
            raw_scores(10**6, 10),
            {"sklearn": 22, "scipy": 8, "torch": 3},
        ),
        Row(
            "binary 1e7, probabilities",
            binary(10**7, logits=False),
            {"sklearn": 40, "torch": 3.5},
            long=True,
        ),
        Row(
            "binary 1e7, raw scores",
            binary(10**7, logits=True),
            {"sklearn": 35, "torch": 2.5},
            long=True,
        ),
        Row(f"{len(SUITE)} losses 1e5 x 10", many(10**5, 10), {"peers": 8, "torch": 2}),
        Row(f"{len(SUITE)} losses 1e6 x 10", many(10**6, 10), {"peers": 13, "torch": 4}),
        Row(f"{len(SUITE)} losses 1e3 x 3", suite_of_few_rows, {"one loss": 1 / 8}, calls=50),
        Row("all losses 1e6 x 10", all_losses, {"sklearn": 1 / 1.3}),
        *(
            Row(
                f"evaluate {name} {n:.0e} x {k}",
                one_of_many(name, n, k),
                {"function": 1 / 1.5},
                calls=max(1, 10**5 // n),
            )
            for name in ("categorical_crossentropy", "brier_loss", "zero_one_loss")
            for n, k in ((10**4, 3), (10**4, 10), (10**5, 3), (10**6, 3), (10**6, 10))
        ),
        Fact("two threads", "wall 1.6, cpu at most 1.15", threads, long=True),
        Fact("intervals of the default run", "at most 1.1", intervals_of_a_run, long=True),
        Fact("page of 3 models, 30k rows", "at most 1.5", page_of_three_models, long=True),
        Fact("logging pictures and model", "at most 1.33", logging_of_the_default_run, long=True),
        Fact("page of 10 runs of 200", "at most 15", report_of_ten_runs, long=True),
        Fact("startup of leaderboard", "at most 1.25", leaderboard_of_one_run, long=True),
        Fact("startup of run", "at most 1.25", start_of_a_run, long=True),
        Fact(
            "startup of leaderboard, 200 runs", "at most +1 s", leaderboard_of_many_runs, long=True
        ),
        Fact("cross_validate 40k x 25", "< 2% of the fits, peers 8", cross_validation),
        Fact(
            f"1,000 resamples of {len(SUITE)} losses 1e5 x 10",
            "scipy 12, recomputed 200",
            bootstrap_of_losses,
        ),
        Fact("memory beyond the input, 1e6 x 10", "< 3%", memory),
        Fact("memory-mapped 5e7 x 3", "< 300 MB", memory_mapped, long=True),
        *training_rows(),
    ]
