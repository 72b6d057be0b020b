"""False alarms of the checks of a finished run in simulations; writes docs/checks.md.

    python docs/checks.py FOLDER [CODE ...]

Each simulation makes data for which the null hypothesis of a check is true, and counts how often
the check reports something. FOLDER keeps the rates. Without codes all checks are simulated.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from xentexp.experiments._assess import assess
from xentexp.experiments._leaderboard import Leaderboard, Row
from xentexp.experiments._predictions import PredictedFold, Predictions
from xentexp.experiments._record import About, ModelRecord, RunRecord
from xentexp.experiments._run_checks import CHECKS
from xentexp.experiments.datasets._checks import check_table
from xentexp.experiments.datasets._repeats import constant_columns, id_like_columns
from xentexp.metrics._evaluation import evaluate_checked
from xentexp.metrics._registry import get_loss

Array = NDArray[Any]
LOG_LOSS = "categorical_crossentropy"
PAGE = Path(__file__).with_suffix(".md")


# -- records of predictions -------------------------------------------------------------------


def record_of_predictions(
    y: Array,
    proba: Mapping[str, Array | Sequence[Array]],
    *,
    n_splits: int = 5,
    sample_weight: Array | None = None,
    groups: Array | None = None,
    seed: int = 0,
    **about: Any,
) -> RunRecord:
    """Record of models whose predictions are known; a list has the predictions of each repeat."""
    classes = tuple(np.unique(y).tolist())
    repeats = {name: p if isinstance(p, list) else [p] for name, p in proba.items()}
    n_repeats = len(next(iter(repeats.values())))
    splits = []
    for repeat in range(n_repeats):
        kfold = StratifiedKFold(n_splits, shuffle=True, random_state=seed + repeat)
        splits += [(repeat, i, *rows) for i, rows in enumerate(kfold.split(y, y))]
    predictions = {
        name: Predictions(
            "simulated",
            "0",
            classes,
            False,
            tuple(
                PredictedFold(
                    repeat,
                    number,
                    len(train),
                    tuple(float(np.mean(y[train] == label)) for label in classes),
                    test,
                    y[test],
                    np.asarray(of_repeats[repeat])[test],
                    sample_weight=None if sample_weight is None else sample_weight[test],
                    groups=None if groups is None else groups[test],
                )
                for repeat, number, train, test in splits
            ),
        )
        for name, of_repeats in repeats.items()
    }
    uncertainty = assess(predictions, [LOG_LOSS], LOG_LOSS)
    models = [model_of(name, predicted) for name, predicted in predictions.items()]
    rows = tuple(Row(m.name, {LOG_LOSS: float(np.mean(m.fold_values[LOG_LOSS]))}) for m in models)
    board = Leaderboard(rows, LOG_LOSS, (LOG_LOSS,), uncertainty)
    by_name = {model.name: model for model in models}
    about = {"kind": "stratified", "primary": LOG_LOSS, "seed": seed, **about}
    return RunRecord(
        About(
            "Simulated rows",
            "Simulated",
            "simulated",
            "0",
            len(y),
            0,
            classes,
            f"{n_splits} folds (stratified)",
            **about,
        ),
        tuple(by_name[row.model] for row in board.ranked()),
        board,
    )


def model_of(name: str, predictions: Predictions) -> ModelRecord:
    """Model with its mean loss in each fold."""
    loss = get_loss(LOG_LOSS)
    values = [
        evaluate_checked(predictions.checked(fold), [loss]).values[LOG_LOSS]
        for fold in predictions.folds
    ]
    return ModelRecord(name, predictions, {LOG_LOSS: values}, 0.0, 0.0)


def changed(record: RunRecord, **changes: Any) -> RunRecord:
    """The same record with other fields of its models."""
    return replace(record, models=tuple(replace(model, **changes) for model in record.models))


# -- simulations ------------------------------------------------------------------------------


def log_odds(rng: np.random.Generator, n: int, sd: float = 1.5) -> Array:
    """Log-odds of rows with a base rate of about 30%."""
    return rng.normal(-1.0, sd, n)


def drawn(rng: np.random.Generator, p: Array) -> Array:
    """Labels with these probabilities of class 1."""
    return (rng.random(len(p)) < p).astype(int)


def found(code: str, record: RunRecord) -> bool:
    """Whether a check reports something."""
    return bool(list(CHECKS[code].find(record)))


def table_of(rng: np.random.Generator, *, row_number: bool) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """300 rows whose labels do not depend on the ten columns, nor on the row number."""
    n = 300
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd")).round(2)
    for name in "efg":
        X[name] = rng.integers(0, 12, n)
    for name in "hij":
        X[name] = pd.Categorical(rng.choice(list("uvwxyz"), n))
    if row_number:
        X["row_number"] = np.arange(1, n + 1)
    return X, pd.Series(drawn(rng, np.full(n, 0.3)))


def finding_of(name: str, row_number: bool, rng: np.random.Generator) -> bool:
    """Whether a check of the data reports columns that do not have what it tests."""
    X, y = table_of(rng, row_number=row_number)
    columns = {"identifiers": id_like_columns(X), "constant": constant_columns(X)}
    return any(f.name == name for f in check_table(X, y, **columns, droppable=True))


def worse(n: int, rng: np.random.Generator) -> bool:
    """A model with exactly the expected loss of the true base rate."""
    # Log-odds that are too large by a factor lose what they win.
    z = rng.normal(0.0, 0.5, n)
    p = expit(z - 1.0)
    grid = expit(np.random.default_rng(0).normal(0.0, 0.5, 20_000) - 1.0)
    base = grid.mean()
    entropy = -base * np.log(base) - (1.0 - base) * np.log(1.0 - base)

    def excess(scale: float) -> float:
        q = expit(scale * (logit(grid) + 1.0) - 1.0)
        return float(-(grid * np.log(q) + (1.0 - grid) * np.log1p(-q)).mean() - entropy)

    scale = brentq(excess, 1.0, 10.0)
    return found("X202", record_of_predictions(drawn(rng, p), {"model": expit(scale * z - 1.0)}))


def best_of_useful(n: int, rng: np.random.Generator) -> bool:
    """A calibrated model that explains about 13% of the entropy."""
    p = expit(log_odds(rng, n, 1.0))
    return found("X203", record_of_predictions(drawn(rng, p), {"model": p}))


def uninformative(n: int, rng: np.random.Generator) -> bool:
    """Scores that do not depend on the labels: the rates of all tenths are equal."""
    y = drawn(rng, np.full(n, 0.3))
    return found("X205", record_of_predictions(y, {"model": rng.random(n)}))


def effects(rng: np.random.Generator, n: int, size: int) -> tuple[Array, Array]:
    """Groups of rows and an effect of each on the log-odds, with a standard deviation of 1."""
    groups = np.arange(n) // size
    return groups, rng.normal(size=n // size)[groups]


def uninformative_groups(n: int, rng: np.random.Generator) -> bool:
    """The same with scores and labels that the rows of a group share in part."""
    groups, effect = effects(rng, n, 5)
    score = expit(rng.normal(size=n // 5)[groups] + 0.5 * rng.normal(size=n))
    record = record_of_predictions(drawn(rng, expit(effect - 1.0)), {"model": score}, groups=groups)
    return found("X205", record)


def informative(n: int, rng: np.random.Generator) -> bool:
    """The true probabilities."""
    p = expit(log_odds(rng, n))
    return found("X205", record_of_predictions(drawn(rng, p), {"model": p}))


def calibrated(n: int, rng: np.random.Generator) -> bool:
    """The true probabilities."""
    p = expit(log_odds(rng, n))
    return found("X206", record_of_predictions(drawn(rng, p), {"model": p}))


def calibrated_of_three(n: int, rng: np.random.Generator) -> bool:
    """The true probabilities of three classes."""
    p = rng.dirichlet([1.0, 2.0, 3.0], n)
    y = np.minimum((p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1), 2)
    return found("X206", record_of_predictions(y, {"model": p}))


def calibrated_groups(n: int, rng: np.random.Generator) -> bool:
    """Probabilities that are right on average over the effects of the groups."""
    groups, effect = effects(rng, n, 5)
    z = log_odds(rng, n)
    grid = np.random.default_rng(0).normal(size=400)
    p = expit(z[:, None] + grid).mean(axis=1)
    record = record_of_predictions(drawn(rng, expit(z + effect)), {"model": p}, groups=groups)
    return found("X206", record)


def fitted(n: int, rng: np.random.Generator) -> bool:
    """A logistic regression of five features."""
    X = rng.normal(size=(n, 5))
    y = drawn(rng, expit(X @ np.array([1.0, 0.5, 0.5, 0.0, 0.0]) - 1.0))
    p, train = np.empty(n), []
    for fit, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        model = LogisticRegression().fit(X[fit], y[fit])
        p[test] = model.predict_proba(X[test])[:, 1]
        train.append(
            -float(np.log(model.predict_proba(X[fit])[np.arange(len(fit)), y[fit]]).mean())
        )
    record = record_of_predictions(y, {"model": p})
    return found("X207", changed(record, train_values={LOG_LOSS: train}))


def two_models(code: str, noise: float, n: int, rng: np.random.Generator) -> bool:
    """The true probabilities, and the same with noise in the log-odds."""
    z = log_odds(rng, n)
    models = {"true": expit(z), "noisy": expit(z + noise * rng.normal(size=n))}
    return found(code, record_of_predictions(drawn(rng, expit(z)), models))


def equal_models(n: int, rng: np.random.Generator) -> bool:
    """Two models that are equally good: the true probabilities with noise of the same size."""
    z = log_odds(rng, n)
    models = {name: expit(z + 0.5 * rng.normal(size=n)) for name in "ab"}
    return found("X302", record_of_predictions(drawn(rng, expit(z)), models))


def equal_folds(n: int, rng: np.random.Generator) -> bool:
    """Two models, and folds that chance makes."""
    return two_models("X304", 0.5, n, rng)


def equal_folds_of_groups(n: int, rng: np.random.Generator) -> bool:
    """The same with rows of a group that share an effect."""
    groups, effect = effects(rng, n, 5)
    z = log_odds(rng, n) + effect
    models = {"a": expit(z - effect), "b": expit(z - effect + 0.5 * rng.normal(size=n))}
    return found("X304", record_of_predictions(drawn(rng, expit(z)), models, groups=groups))


def searched(rng: np.random.Generator) -> bool:
    """A random search of 20 values of a parameter without an effect; ten are those of all folds."""
    first = 10.0 ** rng.uniform(-4.0, 2.0, 10)
    trials = []
    for fold in range(5):
        values = np.concatenate([first, 10.0 ** rng.uniform(-4.0, 2.0, 10)])
        chosen = np.arange(20) == rng.integers(20)
        trials.append(pd.DataFrame({"fold": fold, "chosen": chosen, "C": values}))
    space = {"C": {"low": 1e-4, "high": 100.0, "log": True}}
    model = ModelRecord("model", None, {}, 0.0, 0.0, trials=pd.concat(trials), space=space)
    return found("X403", replace(EMPTY, models=(model,)))


EMPTY = record_of_predictions(np.array([0, 1] * 10), {"model": np.full(20, 0.5)}, n_splits=2)

SIMULATIONS: dict[str, list[tuple[str, Callable[[np.random.Generator], bool], int]]] = {
    "X101": [
        ("300 rows, 10 columns, labels drawn", partial(finding_of, "known_target", False), 500)
    ],
    "X102": [
        (
            "300 rows, 10 columns and a row number, labels drawn",
            partial(finding_of, "row_order", True),
            500,
        )
    ],
    "X104": [
        (
            "300 rows, 10 columns of numbers and categories",
            partial(finding_of, "identifiers", False),
            500,
        )
    ],
    "X202": [("1,000 rows, a model as good as the base rate", partial(worse, 1000), 2000)],
    "X203": [
        (
            "1,000 rows, a model that explains 13% of the entropy",
            partial(best_of_useful, 1000),
            1000,
        )
    ],
    "X205": [
        ("1,000 rows, scores that do not depend on the labels", partial(uninformative, 1000), 2000),
        ("1,000 rows of 200 groups, the same", partial(uninformative_groups, 1000), 2000),
        ("1,000 rows, true probabilities", partial(informative, 1000), 2000),
    ],
    "X206": [
        ("1,000 rows, true probabilities", partial(calibrated, 1000), 2000),
        ("1,000 rows of 200 groups, true on average", partial(calibrated_groups, 1000), 1000),
        ("1,000 rows of 3 classes, true probabilities", partial(calibrated_of_three, 1000), 1000),
    ],
    "X207": [("300 rows, logistic regression of 5 features", partial(fitted, 300), 500)],
    "X302": [
        (
            "1,000 rows, a model with noise of 1 in the log-odds against the true probabilities",
            partial(two_models, "X302", 1.0, 1000),
            1000,
        ),
        (
            "1,000 rows, two models that are equally good (an alarm is right)",
            partial(equal_models, 1000),
            1000,
        ),
    ],
    "X303": [
        (
            "1,000 rows, a model with noise of .5 in the log-odds against the true probabilities",
            partial(two_models, "X303", 0.5, 1000),
            500,
        )
    ],
    "X304": [
        ("1,000 rows in 5 stratified folds, two models", partial(equal_folds, 1000), 2000),
        ("1,000 rows of 200 groups, the same", partial(equal_folds_of_groups, 1000), 1000),
    ],
    "X403": [("5 folds, 20 random values of a parameter without an effect", searched, 5000)],
}
"""By code: what is simulated, one trial, and the number of simulations."""


def measure(code: str, share: float = 1.0) -> list[tuple[str, float, int]]:
    """Rate of alarms of each simulation of a check; `share` of the simulations."""
    rows = []
    for number, (label, trial, n) in enumerate(SIMULATIONS[code]):
        count = max(1, round(share * n))
        seeds = np.random.SeedSequence([int(code[1:]), number]).spawn(count)
        alarms = [trial(np.random.default_rng(seed)) for seed in seeds]
        rows.append((label, float(np.mean(alarms)), count))
    return rows


# -- page -------------------------------------------------------------------------------------

HEAD = """# Checks of a finished run

`xentexp run` checks its results. Each check has a code, a sentence on the page of the run, and a
rate of false alarms that was measured. This page describes the checks; `xentexp checks` lists them,
and `xentexp checks X205` describes one.

Environment: `pip install .`

```bash
xentexp checks
xentexp checks X205
```

- A **problem** can change the conclusions from a run; a **note** helps to read its numbers.
- A **test** has a null hypothesis, so that it reports something by chance at times. The tables show
  how often, in simulated data for which the null hypothesis is true (*alarms*).
- A **rule** reports a number of the run. Where chance can cause what it reports, a table shows how
  often it does.
- *What to do* has only advice that the tests of xentexp try on simulated data: that it removes the
  finding, and where it is about a loss, that the loss is lower.

`python docs/checks.py FOLDER` simulates the data and writes this page. Its seeds are fixed. In the
simulations, the base rate of two classes is about 30%, the true log-odds are normal with a standard
deviation of 1.5 unless something else is said, and the folds are 5 stratified folds. The rows of a
group share an effect on the log-odds with a standard deviation of 1.
"""


def section(code: str, measured: list[tuple[str, float, int]]) -> str:
    """Section of the page on one check."""
    check = CHECKS[code]
    kind = "test" if check.is_test else "rule"
    lines = [f"## {code}", f"**{check.name}** ({kind}). {check.tests}", f"Method: {check.method}"]
    if measured:
        table = ["| data | alarms | simulations | error |", "| --- | ---: | ---: | ---: |"]
        for label, rate, n in measured:
            error = np.sqrt(max(rate * (1.0 - rate), 1.0 / n) / n)
            table.append(f"| {label} | {100 * rate:.1f}% | {n:,} | {100 * error:.1f}% |")
        lines.append("\n".join(table))
    if check.remedy:
        lines.append(f"What to do: {check.remedy}")
    return "\n\n".join(textwrap.fill(x, 100) if x[0] not in "#|" else x for x in lines)


def main(folder: Path, chosen: Sequence[str]) -> None:
    """Simulate the chosen checks (or all), and write the page with all rates in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for code in chosen or SIMULATIONS:
        (folder / f"{code}.json").write_text(json.dumps(measure(code)))
    sections = []
    for code, check in CHECKS.items():
        file = folder / f"{code}.json"
        measured = [tuple(row) for row in json.loads(file.read_text())] if file.exists() else []
        sections.append(section(code, measured))
        if measured:
            label, rate, n = measured[0]
            known = (check.false_alarm_rate, check.simulated)
            if known != (new := (round(rate, 4), f"{n:,} simulations: {label}")):
                print(f"{code}: the table of checks has {known}; measured: {new}")
    PAGE.write_text("\n\n".join([HEAD.strip(), *sections]) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
