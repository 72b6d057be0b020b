"""Read the leaderboard of a run from the store, and locate its page in the dashboard."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient

from xentexp.errors import InputError, NothingToShowError, unknown_name
from xentexp.experiments._leaderboard import Leaderboard, Row
from xentexp.experiments._tracking.artifacts import stored_uncertainty, table_artifact
from xentexp.experiments._tracking.names import ALIASES, SCORES, TRAIN
from xentexp.experiments._tracking.run_status import RunStatus, run_status, why_no_result
from xentexp.experiments._tracking.views import candidates_of, saved_page
from xentexp.experiments._uncertainty import Uncertainty

if TYPE_CHECKING:
    import pandas as pd


PAGE = 1000
"""Most results that MLflow returns at once."""

LATEST = 5
"""Runs that are read first where the latest whole run is wanted, which usually is among them."""


@dataclass(frozen=True)
class StoredBoard:
    """Leaderboard of a run in the store, or of all runs of an experiment."""

    experiment: str
    board: Leaderboard
    shown: RunStatus  # run of the board
    incomplete: tuple[RunStatus, ...]  # not shown: later than the shown run; with every: all


def read_leaderboard(
    client: MlflowClient,
    experiment: str | None,
    *,
    uri: str = "",
    run_id: str | None = None,
    every: bool = False,
) -> StoredBoard:
    """Leaderboard of the latest whole run, of the run of an id, or of all runs."""
    # A run that is not whole is shown only if there is no whole run, or if its id is given.
    shown, incomplete = _choose(client, experiment, run_id)
    name = str(client.get_experiment(shown.parent.info.experiment_id).name)
    if not every:
        return StoredBoard(name, _board(client, uri, shown), shown.status, tuple(incomplete))
    states = list(_every_state(client, shown.parent.info.experiment_id))
    rows = tuple(_row(run, state) for state in states for run in state.children)
    incomplete = [state.status for state in states if not state.status.whole]
    board = _leaderboard(shown.parent, rows, None)
    return StoredBoard(name, board, shown.status, tuple(incomplete))


@dataclass(frozen=True)
class StoredRun:
    """A run of the command: the MLflow runs of it and its models, and their leaderboard."""

    parent: Any
    children: list[Any]
    status: RunStatus
    board: Leaderboard


def stored_run(
    client: MlflowClient, experiment: str | None, *, uri: str, run_id: str | None
) -> StoredRun:
    """Run of an id, or of the beginning of an id, or the latest whole run."""
    state, _ = _choose(client, experiment, run_id)
    return StoredRun(state.parent, state.children, state.status, _board(client, uri, state))


def _board(client: MlflowClient, uri: str, state: _State) -> Leaderboard:
    rows = tuple(_row(run, stored=_stored_scores(client, uri, run)) for run in state.children)
    known = stored_uncertainty(client, uri, state.parent.info.run_id)
    return _leaderboard(state.parent, rows, known)


def _leaderboard(parent: Any, rows: tuple[Row, ...], known: Uncertainty | None) -> Leaderboard:
    listed = parent.data.tags.get("xentexp.leaderboard")
    chosen = tuple(listed.split(",")) if listed else None
    return Leaderboard(rows, parent.data.tags["xentexp.primary"], chosen, known)


def latest_page(client: MlflowClient, experiment: str | None) -> StoredPage:
    """Dashboard page of the latest whole run, or of the latest one with a result."""
    shown, incomplete = _choose(client, experiment, None)
    page = saved_page(client, shown.parent, shown.children)
    return StoredPage(page, shown.status, tuple(incomplete))


def run_page(client: MlflowClient, run_id: str) -> str:
    """Path and query of the dashboard page of a run, whose view is saved."""
    state = _state(client, client.get_run(run_id))
    return saved_page(client, state.parent, state.children)


@dataclass(frozen=True)
class StoredPage:
    """Path and query of the dashboard page of a run."""

    page: str
    shown: RunStatus
    incomplete: tuple[RunStatus, ...]  # later than the shown run


@dataclass(frozen=True)
class _State:
    """A parent run, the runs of its models, and its status."""

    parent: Any
    children: list[Any]
    status: RunStatus


def _choose(
    client: MlflowClient, experiment: str | None, run_id: str | None
) -> tuple[_State, list[RunStatus]]:
    """Run to show, and the later runs that are incomplete."""
    known = {e.name: e.experiment_id for e in all_pages(client.search_experiments)}
    if experiment is not None and experiment not in known:
        raise unknown_name("MLflow experiment", experiment, known)
    experiments = list(known.values()) if experiment is None else [known[experiment]]
    where = f"experiment {experiment!r}" if experiment else "the tracking store"
    if run_id is not None:
        return _of_id(client, experiments, run_id, where), []
    later: list[_State] = []
    for parent in _parents(client, experiments, first=LATEST):
        state = _state(client, parent)
        if state.status.whole:
            return state, [other.status for other in later]
        later.append(state)
    if not later:
        raise NothingToShowError(
            f"{where} does not contain runs of xentexp; start one with `xentexp run`"
        )
    some = [state for state in later if state.status.results]
    some = some or [state for state in later if state.status.failed]
    if some:
        return some[0], [other.status for other in later[: later.index(some[0])]]
    raise NothingToShowError(
        f"{where} does not contain a model with a result: {later[0].status.sentence()}; "
        f"run it again with `xentexp run`"
    )


def _of_id(client: MlflowClient, experiments: list[str], run_id: str, where: str) -> _State:
    """Run of an id, or of the beginning of an id."""
    if not re.fullmatch("[0-9a-f]{4,32}", run_id):
        raise InputError(
            f"run must be the id of a run, or at least its first 4 characters; got {run_id!r}; "
            f"`xentexp leaderboard --all` shows ids"
        )
    found = list(_parents(client, experiments, f" AND attributes.run_id LIKE '{run_id}%'"))
    if len(found) != 1:
        raise InputError(
            f"run must be the id of one run; {run_id!r} fits {len(found)} runs in {where}; "
            f"`xentexp leaderboard --all` shows ids"
        )
    state = _state(client, found[0])
    if not state.children:
        raise NothingToShowError(state.status.sentence())
    return state


def _parents(
    client: MlflowClient, experiments: list[str], condition: str = "", first: int = PAGE
) -> Iterator[Any]:
    """Parent runs, latest first."""
    return all_pages(
        client.search_runs,
        experiments,
        f"tags.`xentexp.kind` = 'comparison'{condition}",
        order_by=["attributes.start_time DESC"],
        first=first,
    )


def _every_state(client: MlflowClient, experiment: str) -> Iterator[_State]:
    """All runs of an experiment, latest first, with the runs of their models."""
    models: dict[str, list[Any]] = {}
    for run in all_pages(client.search_runs, [experiment], _CANDIDATES):
        models.setdefault(run.data.tags.get("mlflow.parentRunId", ""), []).append(run)
    for parent in _parents(client, [experiment]):
        children = models.get(parent.info.run_id, [])
        yield _State(parent, children, run_status(parent, children))


def _state(client: MlflowClient, parent: Any) -> _State:
    candidates = candidates_of(parent.info.run_id)
    children = list(all_pages(client.search_runs, [parent.info.experiment_id], candidates))
    return _State(parent, children, run_status(parent, children))


_CANDIDATES = "tags.`xentexp.kind` = 'candidate'"


def all_pages(
    search: Callable[..., Any], *arguments: Any, first: int = PAGE, **options: Any
) -> Iterator[Any]:
    """Results of all pages; `first` results are asked first, then as many as MLflow allows."""
    size, token = first, None
    while True:
        page = search(*arguments, **options, max_results=size, page_token=token)
        yield from page
        size, token = PAGE, page.token
        if not token:
            return


def _sections(run: Any, stored: pd.DataFrame | None) -> dict[str, dict[str, float]]:
    """Values by section and name: those of the table `stored`, metrics, and other names."""
    sections: dict[str, dict[str, float]] = {}
    if stored is not None:
        means = stored[~stored["section"].isin(["fold", TRAIN])]
        columns = (means[column].tolist() for column in ("section", "name", "value"))
        for section, name, value in zip(*columns, strict=True):
            sections.setdefault(section, {})[name] = value
    for key, value in run.data.metrics.items():
        section, _, name = key.partition("/")
        # JSON and tables may have infinite values, which metrics lack.
        sections.setdefault(section, {}).setdefault(name, value)
    for alias, logged in json.loads(run.data.tags.get(ALIASES, "{}")).items():
        for values in sections.values():
            if logged in values:
                values.setdefault(alias, values[logged])
    return sections


def _stored_scores(client: MlflowClient, uri: str, run: Any) -> pd.DataFrame | None:
    """Table of all values of a model; None in stores of earlier versions."""
    if why_no_result(run) is not None:
        return None
    return table_artifact(client, uri, run.info.run_id, SCORES)


def _row(run: Any, state: _State | None = None, stored: pd.DataFrame | None = None) -> Row:
    """Row of a model; with the `state` of its run, the name says which run it is."""
    sections = _sections(run, stored)

    def section(name: str) -> dict[str, float]:
        return sections.get(name, {})

    model = run.info.run_name
    if state is not None:
        params = run.data.params
        folds = f"{params.get('cv.kind')} {params.get('cv.n_splits') or params.get('cv.n_test')}"
        model = f"{model} {folds} seed {params.get('seed')} {run.info.run_id[:4]}"
        model += "" if state.status.whole else f" of incomplete run {state.status.run_id[:8]}"
    return Row(
        model,
        section("cv"),
        section("cv_std"),
        section("cv_se"),
        section("regret"),
        run.data.metrics.get("time/fit_seconds", math.nan),
        why_no_result(run),
        section("test"),
        section("test_se"),
        run.data.tags.get("test_error"),
    )
