"""Read the leaderboard of a run from the store, and locate its page in the dashboard."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

from mlflow import MlflowClient

from xentexp.errors import InputError, unknown_name
from xentexp.experiments._leaderboard import Leaderboard, Row, higher_is_better


def chart_page(experiment_id: str, run_id: str, primary: str) -> str:
    """Path and query of the dashboard page with charts of the candidates of a run."""
    # The filter selects the candidates: MLflow does not chart children of a collapsed parent.
    options = {
        "searchFilter": _candidates_of(run_id),
        "orderByKey": f"metrics.`cv/{primary}`",
        "orderByAsc": "false" if higher_is_better(primary) else "true",
        "compareRunsMode": "CHART",
        "workflowType": "machine_learning",
    }
    return f"/#/experiments/{experiment_id}/runs?{urlencode(options, quote_via=quote)}"


def read_leaderboard(
    client: MlflowClient, experiment: str | None, *, every: bool = False
) -> tuple[str, Leaderboard]:
    """Name of an experiment and leaderboard of its latest run, or of all its runs."""
    latest, children = _latest_run(client, experiment)
    if every:
        children = _search(client, latest.info.experiment_id, "tags.`xentexp.kind` = 'candidate'")
    name = str(client.get_experiment(latest.info.experiment_id).name)
    tags = latest.data.tags
    rows = tuple(_row(run, every) for run in children)
    shown = tags.get("xentexp.leaderboard")
    chosen = tuple(shown.split(",")) if shown else None
    return name, Leaderboard(rows, tags["xentexp.primary"], chosen)


def latest_page(client: MlflowClient, experiment: str | None) -> str:
    """Path and query of the dashboard page of the latest run."""
    run, _ = _latest_run(client, experiment)
    return chart_page(run.info.experiment_id, run.info.run_id, run.data.tags["xentexp.primary"])


def _latest_run(client: MlflowClient, experiment: str | None) -> tuple[Any, list[Any]]:
    """Latest parent run with a finished candidate, and its candidates."""
    known = {e.name: e.experiment_id for e in _pages(client.search_experiments)}
    if experiment is not None and experiment not in known:
        raise unknown_name("MLflow experiment", experiment, known)
    parents = _pages(
        client.search_runs,
        list(known.values()) if experiment is None else [known[experiment]],
        "tags.`xentexp.kind` = 'comparison'",
        order_by=["attributes.start_time DESC"],
    )
    first = next(parents, None)
    for parent in () if first is None else itertools.chain([first], parents):
        children = _search(
            client,
            parent.info.experiment_id,
            _candidates_of(parent.info.run_id),
        )
        if children:
            return parent, children
    where = f"experiment {experiment!r}" if experiment else "the tracking store"
    missing = (
        f"a finished model (status of the last run: {first.info.status})"
        if first is not None
        else "runs of xentexp"
    )
    raise InputError(f"{where} does not contain {missing}; start one with `xentexp run`")


def _candidates_of(run_id: str) -> str:
    """Filter for the candidates of a run; trials of a search are also its children."""
    return f"tags.`mlflow.parentRunId` = '{run_id}' AND tags.`xentexp.kind` = 'candidate'"


def _search(client: MlflowClient, experiment_id: str, condition: str) -> list[Any]:
    return list(_pages(client.search_runs, [experiment_id], condition))


def _pages(search: Callable[..., Any], *arguments: Any, **options: Any) -> Iterator[Any]:
    """Results of all pages: MLflow returns at most a thousand at once."""
    token = None
    while True:
        page = search(*arguments, **options, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _row(run: Any, every: bool) -> Row:
    metrics = run.data.metrics

    def section(name: str) -> dict[str, float]:
        prefix = f"{name}/"
        return {k.removeprefix(prefix): v for k, v in metrics.items() if k.startswith(prefix)}

    model = run.info.run_name
    if every:
        params = run.data.params
        folds = f"{params.get('cv.kind')} {params.get('cv.n_splits') or params.get('cv.n_test')}"
        model = f"{model} {folds} seed {params.get('seed')} {run.info.run_id[:4]}"
    return Row(
        model,
        section("cv"),
        section("cv_std"),
        section("cv_se"),
        section("regret"),
        metrics.get("time/fit_seconds", math.nan),
        run.data.tags.get("error"),
        section("test"),
        section("test_se"),
        run.data.tags.get("test_error"),
    )
