"""View of the dashboard that opens on the losses of a run: a tag of its experiment."""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

from xentexp.experiments._formatting import LONGEST_TAG
from xentexp.experiments._leaderboard import SHOWN, higher_is_better
from xentexp.experiments._tracking.connect import refusal
from xentexp.experiments._tracking.names import ALIASES, TRAINING

TAG = "mlflow.sharedViewState."
"""Beginning of the tags of an experiment that hold views of its runs."""

MOST_VIEWS = 20
"""Views of an experiment; the page that lists experiments reads the tags of all."""

MOST_LOSSES = 24
"""Losses and metrics with a chart at the top and a column."""

_PREFIX = "xentexp-"
_PICTURES = ("reliability", "cost", "roc", "segments")  # order of those that are known
_MOST_CURVES = 6
_CARDS, _CARD_HEIGHT = 2, 330  # charts in a row; with three, the page cuts their titles
_MOST_PICTURED = 10  # models of a card of pictures
_CARD_FRAME, _PICTURE, _IN_ROW = 120, 300, 2  # pixels, and pictures in a row at 1280 pixels
_CLOSED = (
    "cv", "cv_low", "cv_high", "diff", "fold", "test", "regret", "cv_grouped", "train", "valid",
    "time", "tune", "rows",
)  # fmt: skip


def candidates_of(run_id: str) -> str:
    """Filter for the candidates of a run; trials of a search are also its children."""
    return f"tags.`mlflow.parentRunId` = '{run_id}' AND tags.`xentexp.kind` = 'candidate'"


def view_page(experiment_id: str, key: str) -> str:
    """Path and query of the dashboard page that shows a view."""
    # A search filter in the query would replace the view.
    options = urlencode({"viewStateShareKey": key, "compareRunsMode": "CHART"}, quote_via=quote)
    return f"/#/experiments/{experiment_id}/runs?{options}&{TRAINING}"


def saved_page(client: MlflowClient, parent: Any, children: Sequence[Any]) -> str:
    """Path and query of the dashboard page of a run, after its view is saved."""
    return view_page(parent.info.experiment_id, save_view(client, parent, children))


def save_view(client: MlflowClient, parent: Any, children: Sequence[Any]) -> str:
    """Write the view of a run, remove the oldest other ones of its experiment; return its key."""
    key = view_key(parent)
    experiment = parent.info.experiment_id
    try:
        client.set_experiment_tag(experiment, TAG + key, _fitting(client, parent, children))
    except MlflowException as error:
        # A user who may only read opens the view that the run has saved.
        if refusal(error) != 403 or TAG + key not in client.get_experiment(experiment).tags:
            raise
        return key
    tags = client.get_experiment(experiment).tags
    others = sorted(tag for tag in tags if tag.startswith(TAG + _PREFIX) and tag != TAG + key)
    for tag in others[: 1 - MOST_VIEWS]:
        try:
            client.delete_experiment_tag(experiment, tag)
        except MlflowException as error:  # removed by another run at the same time
            if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                raise
    return key


def view_key(parent: Any) -> str:
    """Key of the view of a run; later runs have later keys in alphabetical order."""
    started = datetime.fromtimestamp(parent.info.start_time / 1000, UTC)
    return f"{_PREFIX}{started:%Y%m%d-%H%M%S-%f}-{parent.info.run_id[:8]}"


def view_state(
    run_id: str,
    primary: str,
    losses: Sequence[str],
    *,
    differences: bool = True,
    images: Mapping[str, int],
    curves: Sequence[str] = (),
    prefixes: Collection[str],
) -> dict[str, Any]:
    """State of the page of an experiment: filter, order, columns and charts of the run table."""
    # `images` has the number of models of each picture; `prefixes` are the beginnings of metrics.
    # Names and values are those of MLflow's page; charts of all other metrics are added by it, to
    # the closed section of their name.
    columns = [f"metrics.`cv/{name}`" for name in losses]
    columns[1:1] = [f"metrics.`diff/{primary}`"] * differences
    columns.append("metrics.`time/fit_seconds`")
    run_name = "attributes.`Run Name`"
    sections = [("losses", "Leaderboard", True)]
    charts = [_chart("BAR", "losses", f"cv/{name}", name) for name in losses]
    if differences:
        charts[1:1] = [_chart("BAR", "losses", f"diff/{primary}", f"{primary} minus the best")]
    if images:
        sections.append(("pictures", "Pictures of each model", True))
        # A card for each: the columns of a card of several pictures are too narrow to read them.
        charts += [_pictures(key) for key in images]
    if curves:
        sections.append(("curves", "Learning curves", True))
        charts += [_chart("LINE", "curves", key, key) for key in curves]
    sections += [(f"all-{name}", name, False) for name in _CLOSED if name in prefixes]
    sections += [("others", "Model metrics", False), ("system", "System metrics", False)]
    in_card = min(max(images.values(), default=0), _MOST_PICTURED)
    height = _CARD_FRAME + _PICTURE * math.ceil(in_card / _IN_ROW)
    return {
        "searchFilter": candidates_of(run_id),
        "orderByKey": f"metrics.`cv/{primary}`",
        "orderByAsc": not higher_is_better(primary),
        "selectedColumns": columns,
        "columnOrder": [run_name, *columns],
        "columnWidths": {
            run_name: 220,
            **dict.fromkeys(columns, 110),
            **dict.fromkeys(columns[:2], 190),
        },
        "compareRunCharts": charts,
        "compareRunSections": [
            {
                "uuid": uuid,
                "name": title,
                "display": display,
                "isReordered": True,
                "columns": 1 if uuid == "pictures" else _CARDS,
                "cardHeight": height if uuid == "pictures" else _CARD_HEIGHT,
            }
            for uuid, title, display in sections
        ],
        "isAccordionReordered": True,
        "runsHiddenMode": "FIRST_10_RUNS",
        "hideEmptyCharts": True,
        "autoRefreshEnabled": False,
    }


def packed(state: Mapping[str, Any]) -> str:
    """Text of a view as MLflow's page reads it."""
    text = json.dumps(state, separators=(",", ":"))
    return "deflate;" + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _fitting(client: MlflowClient, parent: Any, children: Sequence[Any]) -> str:
    """View of a run with as many losses as a tag can hold, the first ones."""
    primary = parent.data.tags["xentexp.primary"]
    losses = _losses(parent, children)
    differences = any(f"diff/{primary}" in run.data.metrics for run in children)
    images, curves = _images(client, children), _curves(children, primary)
    prefixes = {key.rpartition("/")[0] for run in children for key in run.data.metrics}
    number = min(len(losses), MOST_LOSSES)
    while True:
        state = view_state(
            parent.info.run_id,
            primary,
            losses[:number],
            differences=differences,
            images=images,
            curves=curves,
            prefixes=prefixes,
        )
        text = packed(state)
        if len(text) <= LONGEST_TAG or number <= 1:
            return text
        number -= 1


def _losses(parent: Any, children: Sequence[Any]) -> list[str]:
    """Names of the losses and metrics of the leaderboard as they are logged, the primary first."""
    listed = parent.data.tags.get("xentexp.leaderboard")
    names = [parent.data.tags["xentexp.primary"], *(listed.split(",") if listed else SHOWN)]
    logged = {key.removeprefix("cv/") for run in children for key in run.data.metrics}
    aliases: dict[str, str] = {}
    for run in children:
        aliases.update(json.loads(run.data.tags.get(ALIASES, "{}")))
    found = (name if name in logged else aliases.get(name, name) for name in names)
    return [name for name in dict.fromkeys(found) if name in logged]


def _images(client: MlflowClient, children: Sequence[Any]) -> dict[str, int]:
    """Number of models of each picture, by its key; those in `_PICTURES` come first."""
    found: Counter[str] = Counter()
    for run in children:
        if "mlflow.loggedImages" in run.data.tags:
            files = client.list_artifacts(run.info.run_id, "images")
            # The file of a picture is named KEY%step%0%timestamp%...
            found.update({re.split("[%+]", item.path.rpartition("/")[2])[0] for item in files})
    keys = [key for key in _PICTURES if key in found]
    return {key: found[key] for key in [*keys, *sorted(found.keys() - set(keys))]}


def _curves(children: Sequence[Any], primary: str) -> list[str]:
    """Learning curves of the models, those of the primary loss first."""
    keys = {key for run in children for key in run.data.metrics}
    curves = [key for key in sorted(keys) if key.startswith(("train/", "valid/"))]
    return sorted(curves, key=lambda key: key.partition("/")[2] != primary)[:_MOST_CURVES]


def _chart(kind: str, section: str, metric: str, title: str) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": f"{section}-{metric}",
        "runsCountToCompare": 10,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": True,
        "metricKey": metric,
        "displayName": title,
        **(
            {"lineSmoothness": 0, "xAxisKey": "step", "useGlobalXaxisKey": True}
            if kind == "LINE"
            else {}
        ),
    }


def _pictures(key: str) -> dict[str, Any]:
    """Card with one picture of each model."""
    return {
        "type": "IMAGE",
        "uuid": f"pictures-{key}",
        "runsCountToCompare": 10,
        "metricSectionId": "pictures",
        "deleted": False,
        "isGenerated": True,
        "imageKeys": [key],
        "displayName": key,
        "step": 0,
        "showRunParams": False,
    }
