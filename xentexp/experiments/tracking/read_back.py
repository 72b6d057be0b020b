"""Reading back: the leaderboard of a run, and where the dashboard shows it."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote, urlencode

from mlflow import MlflowClient

from xentexp.errors import InputError, unknown_name
from xentexp.experiments.leaderboard import Leaderboard, Row, higher_is_better


def chart_page(experiment_id: str, run_id: str, primary: str) -> str:
    """Part of the dashboard's address that compares the candidates of a run in charts.

    Parameters
    ----------
    experiment_id, run_id : str
        Of the experiment, and of the parent run: MLflow charts no child of a folded parent,
        so the page is filtered to the children.
    primary : str
        Loss that they are sorted by.

    Returns
    -------
    str
        To be put behind the address of the server.
    """
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
    """Leaderboard of the latest run of an experiment, or of all its runs.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    experiment : str or None
        Its name; the one with the latest run by default.
    every : bool
        Whether the candidates of all runs are listed instead of the latest run's.

    Returns
    -------
    experiment : str
        Its name.
    leaderboard : Leaderboard
        Ranked by the primary loss of the latest run, and showing what that one shows.

    Raises
    ------
    InputError
        For an unknown experiment, and for a store without runs of ours.
    """
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
    """Part of the dashboard's address that shows the latest run.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    experiment : str or None
        Its name; the one with the latest run by default.

    Returns
    -------
    str
        See `chart_page`.

    Raises
    ------
    InputError
        For an unknown experiment, and for a store without runs of ours.
    """
    run, _ = _latest_run(client, experiment)
    return chart_page(run.info.experiment_id, run.info.run_id, run.data.tags["xentexp.primary"])


def _latest_run(client: MlflowClient, experiment: str | None) -> tuple[Any, list[Any]]:
    """Parent run that was started last among those with a finished candidate; its candidates."""
    known = {e.name: e.experiment_id for e in client.search_experiments()}
    if experiment is not None and experiment not in known:
        raise unknown_name("experiment", experiment, known)
    parents = client.search_runs(
        list(known.values()) if experiment is None else [known[experiment]],
        "tags.`xentexp.kind` = 'comparison'",
        order_by=["attributes.start_time DESC"],
        max_results=100,
    )
    for parent in parents:
        children = _search(
            client,
            parent.info.experiment_id,
            _candidates_of(parent.info.run_id),
        )
        if children:
            return parent, children
    where = f"experiment {experiment!r}" if experiment else "the tracking store"
    what = f"no finished model, its last run is {parents[0].info.status}" if parents else "no run"
    raise InputError(f"{where} holds {what} of xentexp; make one with `xentexp run`")


def _candidates_of(run_id: str) -> str:
    """Filter of the children that are candidates: the trials of a search are children too."""
    return f"tags.`mlflow.parentRunId` = '{run_id}' AND tags.`xentexp.kind` = 'candidate'"


def _search(client: MlflowClient, experiment_id: str, condition: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment_id], condition, page_token=token, max_results=1000)
        found += page
        token = page.token
        if not token:
            return found


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
    )
