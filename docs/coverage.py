"""Coverage of the intervals of xentexp.inference in simulations; writes docs/coverage.md.

    python docs/coverage.py FOLDER ["TABLE" ...]

FOLDER keeps the simulated losses, so that a table is computed again without fitting models, and the
tables. Without names of tables (the headings of the page) all are computed.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier

from xentexp.inference import (
    best_set,
    decompose,
    equivalence,
    max_t,
    mean_interval,
    metric_difference,
    metric_interval,
    model_confidence_set,
    nested_cross_validation,
    paired_difference,
    reliability_band,
)
from xentexp.metrics import get_metric

Array = NDArray[Any]
Data = dict[str, Array]

N_FRESH = 20_000
LOSSES = ("log loss", "Brier score")
WEIGHT_EFFECT = 0.6


# -- models ---------------------------------------------------------------------------------


Fit = Callable[[Array, Array, Array | None], Callable[[Array], Array]]


def logistic(X: Array, y: Array, weight: Array | None, C: float = 1.0) -> Callable[[Array], Array]:
    """LogisticRegression(C=C) of scikit-learn by Newton's method, in a tenth of its time."""
    A = np.column_stack([np.ones(len(X)), X])
    w = np.ones(len(X)) if weight is None else weight
    ridge = np.full(A.shape[1], 1.0 / C)
    ridge[0] = 0.0
    b = np.zeros(A.shape[1])
    for _ in range(50):
        p = expit(A @ b)
        hessian = A.T @ (A * (w * p * (1.0 - p))[:, None]) + np.diag(ridge)
        step = np.linalg.solve(hessian, A.T @ (w * (p - y)) + ridge * b)
        b -= step
        if np.abs(step).max() < 1e-8:
            break
    return lambda new: expit(b[0] + new @ b[1:])


def logistic_of(columns: Callable[[int], slice]) -> Fit:
    """Logistic regression on some of the columns."""

    def fit(X: Array, y: Array, weight: Array | None) -> Callable[[Array], Array]:
        chosen = columns(X.shape[1])
        predict = logistic(X[:, chosen], y, weight)
        return lambda new: predict(new[:, chosen])

    return fit


def of_sklearn(make: Callable[..., Any], **parameters: Any) -> Fit:
    """A classifier of scikit-learn."""

    def fit(X: Array, y: Array, weight: Array | None) -> Callable[[Array], Array]:
        fitted = make(random_state=0, **parameters).fit(X, y, sample_weight=weight)
        return lambda new: np.asarray(fitted.predict_proba(new)[:, 1])

    return fit


TREE = partial(of_sklearn, DecisionTreeClassifier, min_samples_leaf=10)
BOOSTER = partial(
    of_sklearn,
    HistGradientBoostingClassifier,
    max_iter=20,
    max_leaf_nodes=8,
    early_stopping=False,
)
LEARNERS: dict[str, Fit] = {
    "logistic": logistic,
    "more ridge": partial(logistic, C=0.1),
    "one feature less": logistic_of(lambda d: slice(0, d - 1)),
    "first half": logistic_of(lambda d: slice(0, d // 2)),
    "second half": logistic_of(lambda d: slice(d // 2, d)),
    "tree": TREE(max_depth=4),
    "smaller tree": TREE(max_depth=3),
    "booster": BOOSTER(),
    "slower booster": BOOSTER(learning_rate=0.08),
}


def clipped(p: Array) -> Array:
    """Probabilities of at least .01 and at most .99: a leaf of one class has a finite loss."""
    return np.clip(p, 0.01, 0.99)


def losses(y: Array, p: Array) -> Array:
    """Log loss and Brier score of each row; `y` may be the true probability."""
    log_loss = -y * np.log(p) - (1.0 - y) * np.log1p(-p)
    return np.stack([log_loss, y * (1.0 - p) ** 2 + (1.0 - y) * p**2], axis=-1)


# -- cross-validation of simulated rows -----------------------------------------------------


@dataclass(frozen=True)
class Design:
    """Rows, learners and folds of one simulation."""

    name: str
    learners: tuple[str, ...]
    n: int
    d: int = 10
    n_repeats: int = 1
    sizes: tuple[int, ...] | None = None  # rows of each group
    weighted: bool = False
    n_simulations: int = 400
    memory: float | None = None  # autocorrelation of rows in the order of time

    @property
    def label(self) -> str:
        """The design in words."""
        words = f"{self.n:,} rows"
        if self.sizes is not None:
            sizes = sorted(set(self.sizes))
            words += f" of {len(self.sizes)} groups"
            words += f" (one of {sizes[-1]})" if len(sizes) > 1 else ""
        if self.memory is not None:
            words += f" in time, autocorrelation {self.memory}"
        if self.weighted:
            words += ", weighted"
        return f"{words}, {self.d} features"

    @property
    def has_effects(self) -> bool:
        """Whether groups or times have an effect that no feature shows."""
        return self.sizes is not None or self.memory is not None


def coefficients(d: int) -> Array:
    """Effects of the features; the last one has nearly none."""
    beta = np.full(d, 1.5 / np.sqrt(d))
    beta[-1] = 0.05
    return beta


def autoregressive(rng: np.random.Generator, n: int, d: int, memory: float) -> Array:
    """Stationary AR(1) series of variance 1, shape (n, d)."""
    from scipy.signal import lfilter

    noise = rng.normal(size=(n, d))
    noise[1:] *= np.sqrt(1.0 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], noise, axis=0))


def rows_of(design: Design, rng: np.random.Generator) -> Data:
    """Features, true probabilities, labels and what else a design has."""
    n, d = design.n, design.d
    data: Data = {}
    X, effect = rng.normal(size=(n, d)), np.zeros(n)
    if design.sizes is not None:
        groups = np.repeat(np.arange(len(design.sizes)), design.sizes)
        X = np.sqrt(0.5) * (rng.normal(size=(groups[-1] + 1, d))[groups] + X)
        effect = rng.normal(size=groups[-1] + 1)[groups]
        data["groups"] = groups
    if design.memory is not None:
        X = autoregressive(rng, n, d, design.memory)
        effect = autoregressive(rng, n, 1, design.memory)[:, 0]
        data["time"] = np.arange(n)
    if design.weighted:
        data["weight"] = np.exp(WEIGHT_EFFECT * X[:, 0] + 0.8 * rng.normal(size=n))
    data["X"] = X
    data["y"] = (rng.random(n) < expit(X @ coefficients(d) + effect)).astype(float)
    return data


def fresh_rows(design: Design, rng: np.random.Generator) -> tuple[Array, Array]:
    """Features and true probabilities of new rows (of new groups, at distant times)."""
    X = rng.normal(size=(N_FRESH, design.d))
    X[:, 0] += WEIGHT_EFFECT * design.weighted  # weights exp(a x) move a normal feature by a
    score = X @ coefficients(design.d)
    if design.has_effects:
        score = score + rng.normal(size=N_FRESH)
    return X, expit(score)


def lowest_losses(design: Design) -> Array:
    """Expected losses of the true probabilities, by Gauss-Hermite quadrature."""
    beta = coefficients(design.d)
    nodes, shares = np.polynomial.hermite_e.hermegauss(100)
    scale = np.sqrt(beta @ beta + design.has_effects)
    p = expit(WEIGHT_EFFECT * design.weighted * beta[0] + scale * nodes)
    return np.asarray(shares @ losses(p, p) / shares.sum())


def folds_of(design: Design, data: Data, rng: np.random.Generator) -> Array:
    """Number of the fold of each row; 0 for rows that are only trained on."""
    if design.memory is not None:
        return np.arange(design.n) * 6 // design.n
    if design.sizes is None:
        return rng.permutation(np.arange(design.n) % 5) + 1
    return (rng.permutation(np.arange(len(design.sizes)) % 5) + 1)[data["groups"]]


def cross_validate(design: Design, seed: int) -> Data:
    """Out-of-fold losses of a data set, and the true expected losses of the fitted models."""
    rng = np.random.default_rng([zlib.crc32(design.name.encode()), seed])
    data = rows_of(design, rng)
    X, y = data.pop("X"), data.pop("y")
    fresh, truth = fresh_rows(design, rng)
    # What the losses exceed those of the true probabilities by varies least over the fresh rows.
    lowest, baseline = lowest_losses(design), losses(truth, truth).mean(axis=0)
    weight = data.get("weight")
    values = np.full((design.n_repeats, design.n, len(design.learners), 2), np.nan)
    expected = np.zeros((design.n_repeats, len(design.learners), 2))
    folds = np.stack([folds_of(design, data, rng) for _ in range(design.n_repeats)])
    for repeat, fold in enumerate(folds):
        counted = (fold > 0) * (1.0 if weight is None else weight)
        for k in range(1, 6):
            test = fold == k
            train = fold < k if design.memory is not None else ~test
            for j, name in enumerate(design.learners):
                predict = LEARNERS[name](
                    X[train], y[train], None if weight is None else weight[train]
                )
                values[repeat, test, j] = losses(y[test], clipped(predict(X[test])))
                new = losses(truth, clipped(predict(fresh))).mean(axis=0)
                expected[repeat, j] += (
                    counted[test].sum() / counted.sum() * (new - baseline + lowest)
                )
    return data | {"values": values, "folds": folds, "expected": expected}


def simulations(design: Design, n_simulations: int, cache: Path | None = None) -> list[Data]:
    """Simulated data sets of a design, from the cache where they are there."""
    file = cache and cache / f"{design.name.replace(' ', '_')}_{n_simulations}.npz"
    if file and file.exists():
        with np.load(file) as stored:
            arrays = dict(stored)  # reads each array once
        return [{key: array[i] for key, array in arrays.items()} for i in range(n_simulations)]
    made = [cross_validate(design, seed) for seed in range(n_simulations)]
    if file:
        np.savez(file, **{key: np.stack([data[key] for data in made]) for key in made[0]})
    return made


PAIRS = ("logistic", "one feature less", "more ridge", "first half", "second half")
DESIGNS = [
    Design("logistic 300", PAIRS, 300, d=6),
    Design("logistic 300 wide", PAIRS, 300, d=20),
    Design("logistic 1000", PAIRS, 1000, d=20),
    Design("repeats 300", ("logistic", "one feature less"), 300, d=6, n_repeats=10),
    Design("trees 500", ("tree", "smaller tree"), 500),
    Design("trees 2000", ("tree", "smaller tree"), 2000),
    Design("boosters 500", ("booster", "slower booster"), 500, n_simulations=200),
    *(
        Design(f"groups {label}", ("logistic", "tree"), sum(sizes), 6, 1, sizes)
        for label, sizes in {
            "20": (20,) * 20,
            "50": (20,) * 50,
            "20 unequal": (200, *(20,) * 19),
        }.items()
    ),
    *(Design(f"weights {n}", ("logistic", "tree"), n, 6, weighted=True) for n in (500, 1000, 2000)),
    *(
        Design(
            f"time {n} memory {memory}",
            ("logistic", "tree"),
            n,
            6,
            n_simulations=200,
            memory=memory,
        )
        for n in (300, 1200)
        for memory in (0.5, 0.9)
    ),
]


# -- results --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One line of a table: proportions of simulations, and the range that was promised."""

    label: str
    promised: tuple[float, float] | None  # None: nothing is promised
    measured: dict[str, float]  # by column
    n: int  # simulations

    @property
    def error(self) -> float:
        """Monte Carlo standard error of the proportion nearest to one half."""
        return max(
            float(np.sqrt(max(p * (1.0 - p), 0.01) / self.n)) for p in self.measured.values()
        )

    def holds(self, errors: float = 2.0) -> bool:
        """Whether the proportions lie in the promised range, up to Monte Carlo error."""
        low, high = self.promised or (0.0, 1.0)
        slack = errors * self.error
        return all(low - slack <= p <= high + slack for p in self.measured.values())


def covers(result: Any, truth: float) -> bool:
    """Whether an interval contains the true value; an interval that is missing does not."""
    return bool(result.low <= truth <= result.high)


def arguments(data: Data, repeat: int = 0) -> dict[str, Array]:
    """Arguments of mean_interval for the rows that were predicted."""
    named = {"groups": "groups", "weight": "sample_weight", "time": "time"}
    rows = data["folds"][repeat] > 0
    given = {name: data[key][rows] for key, name in named.items() if key in data}
    # Without test_train_ratio there is no interval over time-ordered folds.
    return given if "time" in data else given | {"folds": data["folds"][repeat][rows]}


def predicted(data: Data, model: int, loss: int) -> Array:
    """Out-of-fold losses of a model."""
    return np.asarray(data["values"][0, data["folds"][0] > 0, model, loss])


def risk(made: list[Data]) -> Array:
    """Expected loss of the algorithm: the mean over the simulated data sets, (models, losses)."""
    return np.mean([data["expected"].mean(axis=0) for data in made], axis=0)


Promise = dict[str, tuple[float, float] | None]


def coverage_of_means(design: Design, model: str, promised: Promise, made: list[Data]) -> list[Row]:
    """Intervals of one model: over rows for these models and for the risk, and over folds."""
    j, of_algorithm = design.learners.index(model), risk(made)
    hits: dict[str, list[list[bool]]] = {}
    for data in made:
        given = arguments(data)
        for loss in range(2):
            values, truth = predicted(data, j, loss), float(data["expected"][0, j, loss])
            rows = mean_interval(values, **given)
            found = {"rows": covers(rows, truth), "rows, risk": covers(rows, of_algorithm[j, loss])}
            if "folds" in given:
                folds = mean_interval(values, **given, target="algorithm")
                found["folds, risk"] = covers(folds, of_algorithm[j, loss])
            for key in set(promised) & set(found):
                hits.setdefault(key, [[], []])[loss].append(found[key])
    return rows_of_hits(f"{design.label}; {model}", promised, hits)


def coverage_of_pair(
    design: Design, models: tuple[str, str], promised: Promise, made: list[Data]
) -> list[Row]:
    """Intervals of a difference: over rows, over folds, and the wider of the two."""
    a, b = (design.learners.index(model) for model in models)
    of_algorithm = risk(made)
    hits: dict[str, list[list[bool]]] = {}
    for data in made:
        for loss in range(2):
            result = paired_difference(
                predicted(data, a, loss), predicted(data, b, loss), **arguments(data)
            )
            truth = float(data["expected"][0, a, loss] - data["expected"][0, b, loss])
            expected = of_algorithm[a, loss] - of_algorithm[b, loss]
            found = {
                "rows": covers(result.by_rows, truth),
                "wider": covers(result, truth),
                "wider, risk": covers(result, expected),
            }
            if result.by_folds is not None:
                found["folds, risk"] = covers(result.by_folds, expected)
            for key in set(promised) & set(found):
                hits.setdefault(key, [[], []])[loss].append(found[key])
    return rows_of_hits(f"{design.label}; {models[0]} minus {models[1]}", promised, hits)


def rows_of_hits(label: str, promised: Promise, hits: dict[str, list[list[bool]]]) -> list[Row]:
    """One row of the table for each kind of interval."""
    return [
        Row(
            f"{label}; {kind}",
            promised[kind],
            {name: float(np.mean(hit)) for name, hit in zip(LOSSES, hits[kind], strict=True)},
            len(hits[kind][0]),
        )
        for kind in promised
    ]


# -- designs without models -----------------------------------------------------------------

Trial = Callable[[np.random.Generator], dict[str, bool]]


def repeated(name: str, trial: Trial, n: int) -> dict[str, float]:
    """Proportion of n simulations in which each statement of a trial is true."""
    seed = zlib.crc32(name.encode())
    found = [trial(np.random.default_rng([seed, i])) for i in range(n)]
    return {key: float(np.mean([one[key] for one in found])) for key in found[0]}


def noisy_models(
    rng: np.random.Generator, n: int, noise: Array, n_groups: int | None = None
) -> tuple[Array, Array, Array]:
    """Log losses of models that see the true score with noise, labels' groups, and the labels.

    Models with equal noise have exactly the same expected loss. With groups, rows of a group share
    half of the variance of the score and of the noise.
    """
    groups = np.arange(n) if n_groups is None else np.repeat(np.arange(n_groups), n // n_groups)

    def shared(*shape: int) -> Array:
        own = rng.normal(size=(len(groups), *shape))
        if n_groups is None:
            return own
        return np.asarray(np.sqrt(0.5) * (own + rng.normal(size=(n_groups, *shape))[groups]))

    score = 1.5 * shared()
    y = rng.random(len(groups)) < expit(score)
    p = clipped(expit(score[:, None] + noise * shared(len(noise))))
    return losses(y[:, None].astype(float), p)[..., 0], groups, y


NOISE = np.array([0.6, 0.6, 0.6, 0.75, 0.85, 1.0])


def trial_of_sets(rng: np.random.Generator, n: int, n_groups: int | None) -> dict[str, bool]:
    """Six models, the first three of which are equally good."""
    table, groups, _ = noisy_models(rng, n, NOISE, n_groups)
    given = {} if n_groups is None else {"groups": groups}
    bootstrap = given | {"n_resamples": 500, "random_state": rng}
    found = {}
    for name, result in {
        "best_set": best_set(table, **given),
        "model_confidence_set": model_confidence_set(table, **bootstrap),
        "max_t": max_t(table, **bootstrap),
    }.items():
        found[f"{name}: all three kept"] = {"0", "1", "2"} <= set(result.members)
        found[f"{name}: a given one kept"] = "0" in result.members
        for model in "345":
            found[f"{name}: worse {model} left out"] = model not in result.members
    return found


def binormal(
    rng: np.random.Generator, n: int, n_events: int, distance: float, n_groups: int | None = None
) -> tuple[Array, Array, Array]:
    """Labels, scores N(0, 1) of non-events and N(distance, 1) of events, and groups."""
    y = np.zeros(n, dtype=int)
    y[rng.permutation(n)[:n_events]] = 1
    groups = np.arange(n) % (n_groups or n)
    noise = rng.normal(size=n)
    if n_groups is not None:
        noise = np.sqrt(0.5) * (noise + rng.normal(size=n_groups)[groups])
    return y, expit(distance * y + noise), groups


def trial_of_auc(
    rng: np.random.Generator, n: int, n_events: int, auc: float, n_groups: int | None
) -> dict[str, bool]:
    """AUC of binormal scores."""
    y, p, groups = binormal(rng, n, n_events, np.sqrt(2.0) * float(ndtri(auc)), n_groups)
    given = {} if n_groups is None else {"groups": groups}
    return {"share": covers(metric_interval(y, p, "roc_auc", **given), auc)}


def trial_of_two_aucs(rng: np.random.Generator, n: int, n_events: int) -> dict[str, bool]:
    """Two scores that share their noise with correlation .5; their AUC are .8 and .75."""
    y = np.arange(n) < n_events
    shared, own = rng.normal(size=n), rng.normal(size=(n, 2))
    distance = np.sqrt(2.0) * ndtri([0.8, 0.75])
    p = expit(distance * y[:, None] + np.sqrt(0.5) * (shared[:, None] + own))
    result = metric_difference(y.astype(int), p[:, 0], p[:, 1], "roc_auc")
    return {"share": covers(result, 0.8 - 0.75)}


def trial_of_ks(
    rng: np.random.Generator, n: int, n_events: int, distance: float
) -> dict[str, bool]:
    """Kolmogorov-Smirnov statistic of binormal scores."""
    y, p, _ = binormal(rng, n, n_events, distance)
    result = metric_interval(y, p, "ks_statistic", n_resamples=300, random_state=rng)
    return {"share": covers(result, 2.0 * float(ndtr(distance / 2.0)) - 1.0)}


def calibration_truth(slope: float) -> float:
    """Root of the mean squared error over 15 bins of equal width, by numerical integration."""
    score = np.linspace(-8.0, 8.0, 200_001)
    density = np.exp(-0.5 * score**2)
    share, error = np.zeros(15), np.zeros(15)
    bins = np.minimum((expit(score) * 15).astype(int), 14)
    np.add.at(share, bins, density)
    np.add.at(error, bins, density * (expit(slope * score) - expit(score)))
    return float(np.sqrt((error**2 / share).sum() / share.sum()))


def trial_of_calibration_error(
    rng: np.random.Generator, n: int, slope: float, truth: float
) -> dict[str, bool]:
    """Debiased calibration error of predictions expit(z) where expit(slope z) is true."""
    score = rng.normal(size=n)
    y = (rng.random(n) < expit(slope * score)).astype(int)
    error = get_metric("expected_calibration_error", norm="l2", debiased=True)
    return {"share": covers(metric_interval(y, expit(score), error), truth)}


def trial_of_calibration(
    rng: np.random.Generator, family: str, k: int, n: int, n_groups: int | None = None
) -> dict[str, bool]:
    """Whether the test of calibration rejects predictions that are calibrated."""
    groups = None if n_groups is None else np.arange(n) % n_groups
    score = rng.normal(size=(n, k))
    draw = rng.random((n, 1))
    if groups is not None:
        # Half of the rows are copies of one row of their group, with its label.
        copied = rng.random(n) < 0.5
        score[copied] = score[:n_groups][groups[copied]]
        draw[copied] = draw[:n_groups][groups[copied]]
    p = np.exp(1.5 * score + 0.7 * np.arange(k))
    p /= p.sum(axis=1, keepdims=True)
    y = np.minimum((p.cumsum(axis=1) < draw).sum(axis=1), k - 1)
    result = decompose(y, p, family=family, groups=groups, labels=np.arange(k))
    return {"rejected": result.p <= 0.05}


def trial_of_band(rng: np.random.Generator, n: int) -> dict[str, bool]:
    """Whether the curve of calibrated predictions lies in the band at one of its points."""
    p = expit(-1.0 + rng.normal(size=n))
    y = (rng.random(n) < p).astype(int)
    band = reliability_band(y, p, points=[0.1, 0.3, 0.5])
    curve = np.interp(band.points, band.predicted, band.observed)
    inside = (band.low <= curve) & (curve <= band.high)
    return {f"at {at:g}": bool(hit) for at, hit in zip(band.points, inside, strict=True)}


class Ridge(BaseEstimator):  # type: ignore[misc]
    """Logistic regression for nested_cross_validation, fast; `predict` returns probabilities."""

    def fit(self, X: Array, y: Array) -> Ridge:
        """Fit the coefficients."""
        self.predict_ = logistic(X, y, None)
        return self

    def predict(self, X: Array) -> Array:
        """Probabilities of class 1."""
        return clipped(self.predict_(X))


def coverage_of_nested(design: Design, n: int) -> float:
    """Coverage of nested cross-validation for the risk with all rows as training rows."""
    found, truths = [], []
    for seed in range(n):
        rng = np.random.default_rng([7, seed])
        data = rows_of(design, rng)
        fresh, truth = fresh_rows(design, rng)
        model = Ridge().fit(data["X"], data["y"])
        baseline = losses(truth, truth).mean(axis=0)
        new = losses(truth, model.predict(fresh)).mean(axis=0)
        truths.append(new - baseline + lowest_losses(design))
        found.append(
            nested_cross_validation(
                Ridge(),
                data["X"],
                data["y"],
                lambda y, p: losses(y, p)[:, 0],
                n_repeats=10,
                random_state=seed,
            )
        )
    expected = float(np.mean(truths, axis=0)[0])
    return float(np.mean([covers(one, expected) for one in found]))


def coverage_of_repeats(design: Design, made: list[Data]) -> dict[str, dict[str, float]]:
    """Intervals over the rows of all repeats, and over all folds."""
    hits: dict[str, list[list[bool]]] = {}
    of_algorithm = risk(made)
    for data in made:
        fold = data["folds"]
        repeats = np.repeat(np.arange(len(fold)), fold.shape[1])
        given = {"folds": fold.ravel(), "repeats": repeats}
        expected = data["expected"].mean(axis=0)
        for loss in range(2):
            values = data["values"][..., loss].reshape(-1, len(design.learners)).T
            mean = mean_interval(values[0], **given)
            pair = paired_difference(values[0], values[1], **given)
            difference = expected[0, loss] - expected[1, loss]
            of_risk = of_algorithm[0, loss] - of_algorithm[1, loss]
            found = {
                "mean; rows": covers(mean, expected[0, loss]),
                "difference; rows": covers(pair.by_rows, difference),
                "difference; folds, risk": covers(pair.by_folds, of_risk),
                "difference; wider": covers(pair, difference),
                "difference; wider, risk": covers(pair, of_risk),
            }
            for key, hit in found.items():
                hits.setdefault(key, [[], []])[loss].append(hit)
    return {
        key: {name: float(np.mean(hit[loss])) for loss, name in enumerate(LOSSES)}
        for key, hit in hits.items()
    }


def size_of_equivalence(
    design: Design, models: tuple[str, str], made: list[Data]
) -> dict[str, dict[str, float]]:
    """How often models that differ by exactly the margin are called equivalent."""
    a, b = (design.learners.index(model) for model in models)
    of_algorithm = risk(made)
    rejected: dict[str, list[list[bool]]] = {}
    for data in made:
        for loss in range(2):
            pair = paired_difference(
                predicted(data, a, loss), predicted(data, b, loss), **arguments(data)
            )
            truth = float(data["expected"][0, a, loss] - data["expected"][0, b, loss])
            of_risk = float(of_algorithm[a, loss] - of_algorithm[b, loss])
            for key, given, margin in (
                ("wider", pair, truth),
                ("folds, risk", pair.by_folds, of_risk),
            ):
                result = equivalence(given, margin=abs(margin))
                rejected.setdefault(key, [[], []])[loss].append(result.is_equivalent)
    return {
        key: {name: float(np.mean(hit[loss])) for loss, name in enumerate(LOSSES)}
        for key, hit in rejected.items()
    }


# -- tables ---------------------------------------------------------------------------------

BY_NAME = {design.name: design for design in DESIGNS}
AT_LEAST = 1.0


def simulated(name: str, cache: Path | None, n: int | None) -> tuple[Design, list[Data]]:
    """A design and its simulations; n limits their number."""
    design = BY_NAME[name]
    return design, simulations(design, n or design.n_simulations, cache)


def table_of_means(cache: Path | None, n: int | None = None) -> list[Row]:
    """One model, independent rows, 5 folds."""
    usual, folds = (0.925, 0.965), (0.97, AT_LEAST)
    found = []
    for name, model, rows in (
        ("logistic 300", "logistic", usual),
        ("logistic 1000", "logistic", usual),
        ("logistic 300 wide", "logistic", None),
        ("trees 500", "tree", None),
        ("trees 2000", "tree", None),
        ("boosters 500", "booster", None),
    ):
        fold_promise = folds if name.startswith("logistic") else None
        promised: Promise = {"rows": rows, "rows, risk": rows, "folds, risk": fold_promise}
        design, made = simulated(name, cache, n)
        found += coverage_of_means(design, model, promised, made)
    return found


def table_of_differences(cache: Path | None, n: int | None = None) -> list[Row]:
    """Two models on the same rows, 5 folds."""
    wider, found = (0.94, AT_LEAST), []
    for name, first, second, rows in (
        ("logistic 300", "first half", "second half", (0.91, 0.96)),
        ("logistic 1000", "first half", "second half", (0.93, 0.97)),
        ("logistic 300", "logistic", "one feature less", None),
        ("logistic 1000", "logistic", "one feature less", None),
        ("logistic 300", "logistic", "more ridge", None),
        ("logistic 1000", "logistic", "more ridge", None),
        ("trees 500", "tree", "smaller tree", None),
        ("trees 2000", "tree", "smaller tree", None),
        ("boosters 500", "booster", "slower booster", None),
    ):
        promised: Promise = {"rows": rows, "wider": wider, "wider, risk": wider}
        design, made = simulated(name, cache, n)
        found += coverage_of_pair(design, (first, second), promised, made)
    return found


def table_of_repeats(cache: Path | None, n: int | None = None) -> list[Row]:
    """10 repeats of 5 folds."""
    design, made = simulated("repeats 300", cache, n)
    measured = coverage_of_repeats(design, made)
    promised: Promise = {
        "mean; rows": (0.925, AT_LEAST),
        "difference; folds, risk": (0.94, AT_LEAST),
        "difference; wider": (0.91, AT_LEAST),
        "difference; wider, risk": (0.91, AT_LEAST),
    }
    return [
        Row(f"{design.label}; {key}", promised.get(key), found, len(made))
        for key, found in measured.items()
    ]


def table_of_groups(cache: Path | None, n: int | None = None) -> list[Row]:
    """Groups with an effect of their own; folds of whole groups."""
    found = []
    for name, rows in (
        ("groups 20", (0.92, 0.96)),
        ("groups 20 unequal", (0.92, 0.96)),
        ("groups 50", (0.93, 0.97)),
    ):
        design, made = simulated(name, cache, n)
        found += coverage_of_means(design, "logistic", {"rows": rows}, made)
        found += coverage_of_means(design, "tree", {"rows": None}, made)
        promised: Promise = {"rows": None, "wider": (rows[0], AT_LEAST)}
        found += coverage_of_pair(design, ("logistic", "tree"), promised, made)
    return found


def table_of_weights(cache: Path | None, n: int | None = None) -> list[Row]:
    """Log-normal weights that depend on a feature: 37% effective rows."""
    found = []
    for name, rows in (
        ("weights 500", None),
        ("weights 1000", (0.93, 0.97)),
        ("weights 2000", (0.93, 0.97)),
    ):
        design, made = simulated(name, cache, n)
        found += coverage_of_means(design, "logistic", {"rows": rows}, made)
        found += coverage_of_means(design, "tree", {"rows": None}, made)
        promised: Promise = {"rows": None}
        found += coverage_of_pair(design, ("logistic", "tree"), promised, made)
    return found


def table_of_time(cache: Path | None, n: int | None = None) -> list[Row]:
    """Time-ordered folds, Newey-West variance; the difference is the Diebold-Mariano test."""
    found = []
    for length in (300, 1200):
        for memory in (0.5, 0.9):
            design, made = simulated(f"time {length} memory {memory}", cache, n)
            for model in design.learners:
                found += coverage_of_means(design, model, {"rows": None}, made)
            found += coverage_of_pair(design, ("logistic", "tree"), {"rows": None}, made)
    return found


def table_of_nested(cache: Path | None, n: int | None = None) -> list[Row]:
    """Nested cross-validation, 10 repeats of 5 folds."""
    design, count = Design("nested", ("logistic",), 300, d=6), n or 400
    measured = {"log loss": coverage_of_nested(design, count)}
    return [Row(f"{design.label}; logistic", (0.96, 0.99), measured, count)]


def table_of_metrics(cache: Path | None, n: int | None = None) -> list[Row]:
    """Metrics of the whole data set."""
    count = n or 400
    found = []
    for n_rows, n_events, auc, n_groups, promised in (
        (300, 12, 0.8, None, None),
        (300, 40, 0.7, None, (0.92, 0.97)),
        (300, 40, 0.9, None, (0.92, 0.97)),
        (1000, 300, 0.8, None, (0.92, 0.97)),
        (400, 100, 0.8, 20, None),
        (1000, 300, 0.8, 50, None),
    ):
        trial: Trial = partial(
            trial_of_auc, n=n_rows, n_events=n_events, auc=auc, n_groups=n_groups
        )
        words = f"`roc_auc` {auc}; {n_rows:,} rows, {n_events} events"
        words += f", {n_groups} groups" if n_groups else ""
        found.append(Row(words, promised, repeated(words, trial, count), count))
    for n_rows, n_events in ((300, 40), (1000, 300)):
        trial = partial(trial_of_two_aucs, n=n_rows, n_events=n_events)
        words = f"difference of two `roc_auc`; {n_rows:,} rows, {n_events} events"
        found.append(Row(words, (0.92, 0.97), repeated(words, trial, count), count))
    for n_rows, n_events, distance in ((400, 40, 0.7), (400, 40, 1.5), (2000, 400, 1.0)):
        trial = partial(trial_of_ks, n=n_rows, n_events=n_events, distance=distance)
        words = f"`ks_statistic`, distance {distance}; {n_rows:,} rows, {n_events} events"
        found.append(Row(words, (0.87, 0.95), repeated(words, trial, count), count))
    for n_rows, slope in ((500, 1.0), (500, 0.7), (2000, 1.0), (2000, 0.7)):
        truth = calibration_truth(slope)
        trial = partial(trial_of_calibration_error, n=n_rows, slope=slope, truth=truth)
        words = f"debiased calibration error, truth {truth:.3f}; {n_rows:,} rows"
        found.append(Row(words, (0.95, AT_LEAST), repeated(words, trial, count), count))
    return found


def table_of_sets(cache: Path | None, n: int | None = None) -> list[Row]:
    """Which of six models cannot be told from the best; three are equally good."""
    promised = {
        "best_set": ((0.946, AT_LEAST), (0.97, AT_LEAST)),
        "model_confidence_set": ((0.95, AT_LEAST), (0.97, AT_LEAST)),
        "max_t": (None, (0.97, AT_LEAST)),
    }
    found = []
    for n_rows, n_groups in ((500, None), (2000, None), (1000, 100)):
        trial = partial(trial_of_sets, n=n_rows, n_groups=n_groups)
        count = n or 150
        measured = repeated(f"sets {n_rows} {n_groups}", trial, count)
        words = f"{n_rows:,} rows" + (f" of {n_groups} groups" if n_groups else "")
        for method, (all_kept, one_kept) in promised.items():
            for event, range_ in (("all three kept", all_kept), ("a given one kept", one_kept)):
                value = measured[f"{method}: {event}"]
                promise = None if n_groups else range_
                found.append(Row(f"{words}; `{method}`; {event}", promise, {"share": value}, count))
            left = np.mean([measured[f"{method}: worse {model} left out"] for model in "345"])
            label = f"{words}; `{method}`; a worse one left out"
            found.append(Row(label, None, {"share": float(left)}, count))
    return found


def table_of_equivalence(cache: Path | None, n: int | None = None) -> list[Row]:
    """Models whose true difference is the margin: how often they are called equivalent."""
    found = []
    for name in ("logistic 300", "logistic 1000"):
        design, made = simulated(name, cache, n)
        for key, measured in size_of_equivalence(design, ("logistic", "first half"), made).items():
            found.append(Row(f"{design.label}; {key}", (0.0, 0.05), measured, len(made)))
    return found


def table_of_calibration_tests(cache: Path | None, n: int | None = None) -> list[Row]:
    """Calibrated predictions: how often decompose rejects at a level of .05."""
    found, count = [], n or 400
    for family, k, n_rows, n_groups, promised in (
        ("isotonic", 2, 500, None, (0.01, 0.07)),
        ("logit_line", 2, 500, None, (0.01, 0.07)),
        ("logit_line", 2, 1000, 50, None),
        ("temperature", 3, 1000, None, (0.01, 0.07)),
        ("temperature_biases", 3, 1000, None, (0.01, 0.07)),
        ("temperature_biases", 3, 1000, 50, None),
        ("vector", 3, 1000, None, (0.01, 0.07)),
    ):
        trial = partial(trial_of_calibration, family=family, k=k, n=n_rows, n_groups=n_groups)
        words = f"{n_rows:,} rows" + (f" of {n_groups} groups" if n_groups else "")
        measured = repeated(f"calibration {family} {n_rows} {n_groups}", trial, count)
        label = f"{words}, {k} classes; `{family}`"
        found.append(Row(label, promised, {"share": measured["rejected"]}, count))
    return found


def table_of_bands(cache: Path | None, n: int | None = None) -> list[Row]:
    """Bands of reliability curves: share of calibrated curves inside, at a level of .9."""
    count = n or 400
    measured = repeated("bands", partial(trial_of_band, n=1000), count)
    return [Row("1,000 rows, 100 draws", None, measured, count)]


TABLES: dict[str, Callable[[Path | None, int | None], list[Row]]] = {
    "One model": table_of_means,
    "Two models": table_of_differences,
    "Repeated cross-validation": table_of_repeats,
    "Groups": table_of_groups,
    "Weights": table_of_weights,
    "Rows in time": table_of_time,
    "Nested cross-validation": table_of_nested,
    "Metrics of the whole data set": table_of_metrics,
    "Sets of best models": table_of_sets,
    "Equivalence": table_of_equivalence,
    "Tests of calibration": table_of_calibration_tests,
    "Bands of reliability curves": table_of_bands,
}


def number(p: float) -> str:
    """A proportion with three decimals and without the leading zero."""
    return f"{p:.3f}".removeprefix("0")


def markdown(rows: list[Row]) -> str:
    """A table of the page."""
    columns = list(rows[0].measured)
    head = ["design", "promised", *columns, "simulations", "error"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        low, high = row.promised or (0.0, 0.0)
        promise = "" if row.promised is None else f"{number(low)} to {number(high)}"
        promise = f"at least {number(low)}" if high == AT_LEAST else promise
        promise += "" if row.holds() else " (**not held**)"
        cells = [number(row.measured[column]) for column in columns]
        lines.append([row.label, promise, *cells, str(row.n), number(row.error)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_page(folder: Path) -> None:
    """Put the tables of a folder below the headings of the page."""
    page = Path(__file__).with_suffix(".md")
    text = page.read_text()
    for title in TABLES:
        table = (folder / f"{title}.md").read_text()
        text = re.sub(rf"(## {title}\n\n)(\|.*\n)+", rf"\g<1>{table}", text)
    page.write_text(text)


def main(folder: Path, chosen: list[str]) -> None:
    """Compute the chosen tables (or all), and write the page with all that are in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for title in chosen or TABLES:
        rows = TABLES[title](folder, None)
        (folder / f"{title}.md").write_text(markdown(rows) + "\n")
    write_page(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
