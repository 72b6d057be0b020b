"""Search with Optuna: sample, evaluate and record one trial after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from xentexp.errors import InputError, import_extra
from xentexp.tuning._space import Space
from xentexp.tuning._storage import NUMBER, Direction, quiet

Evaluate = Callable[[dict[str, Any]], Sequence[float]]


class SearchError(InputError, TypeError):
    """Error of a search in which all trials failed.

    The message contains the error of the first trial. It is also a TypeError, because the errors of
    the classifier may have been TypeErrors.

    Examples
    --------
    >>> from xentexp.errors import InputError
    >>> from xentexp.tuning import SearchError
    >>> issubclass(SearchError, InputError)
    True
    """


class Trials(Protocol):
    """Storage of finished trials."""

    def trials(self) -> list[Any]:
        """Stored trials in the order of their numbers."""

    def add(self, trial: Any) -> None:
        """Store a finished trial."""


@dataclass(frozen=True)
class Plan:
    """Options of a search."""

    n_trials: int  # includes stored trials
    timeout: float | None  # seconds of all trials together; the first trial always runs
    seed: int
    direction: Direction
    start: dict[str, Any] | None  # parameters of the first trial, as Optuna stores them


def search(
    space: Space, evaluate: Evaluate, plan: Plan, store: Trials | None
) -> list[dict[str, Any]]:
    """Run a search; returns stored and new trials as in `TunedClassifier.trials_`."""
    # The parameters of a trial depend only on the seed, its number and the earlier trials, so a
    # resumed search equals an uninterrupted one. An Exception of `evaluate` fails its trial.
    optuna = import_extra("optuna", "TunedClassifier")
    distributions = {name: dimension.distribution() for name, dimension in space.items()}
    stored = [] if store is None else store.trials()[: plan.n_trials]
    with quiet(optuna):
        study = optuna.create_study(direction=plan.direction)
        for trial in stored:
            study.add_trial(trial)
        records = [_record(trial, space, resumed=True) for trial in stored]
        for number in range(len(records), plan.n_trials):
            spent = sum(record["seconds"] for record in records)
            if records and plan.timeout is not None and spent >= plan.timeout:
                break
            study.sampler = _sampler(optuna, plan.seed, number)
            if number == 0 and plan.start is not None:
                study.enqueue_trial(plan.start)
            trial = study.ask(distributions)
            settings = {name: space[name].from_stored(trial.params[name]) for name in space}
            state, value, attributes = _evaluate(evaluate, settings)
            finished = optuna.trial.create_trial(
                state=getattr(optuna.trial.TrialState, state),
                value=value,
                params=trial.params,
                distributions=distributions,
                user_attrs={NUMBER: number, **attributes},
            )
            study.tell(trial, value, state=finished.state)
            if store is not None:
                store.add(finished)
            records.append(_record(finished, space, resumed=False))
    return records


def _sampler(optuna: Any, seed: int, number: int) -> Any:
    trial_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    # Set explicitly, because the default sampler differs between versions of Optuna.
    return optuna.samplers.TPESampler(
        seed=trial_seed, n_startup_trials=10, multivariate=True, constant_liar=False
    )


def _evaluate(
    evaluate: Evaluate, settings: dict[str, Any]
) -> tuple[str, float | None, dict[str, Any]]:
    """State, value and further attributes of a trial."""
    started, start = time.time(), time.perf_counter()
    values: list[float] = []
    error = None
    try:
        values = [float(value) for value in evaluate(settings)]
        if np.isnan(values).any():
            error = f"score must be a number; got nan in fold {int(np.isnan(values).argmax())}"
    except Exception as caught:  # parameters may fail in any way; the search continues
        error = f"{type(caught).__name__}: {caught}".strip()
    attributes = {
        "fold_values": values if error is None else [],
        "started": started,
        "seconds": time.perf_counter() - start,
        "error": error,
    }
    if error is not None:
        return "FAIL", None, attributes
    return "COMPLETE", float(np.mean(values)), attributes


def _record(trial: Any, space: Space, *, resumed: bool) -> dict[str, Any]:
    attributes = trial.user_attrs
    failed = attributes["error"] is not None
    return {
        "number": attributes[NUMBER],
        "params": {name: space[name].from_stored(trial.params[name]) for name in space},
        "value": None if failed else float(trial.value),
        "fold_values": list(attributes["fold_values"]),
        "started": attributes["started"],
        "seconds": attributes["seconds"],
        "state": "failed" if failed else "complete",
        "error": attributes["error"],
        "resumed": resumed,
    }
