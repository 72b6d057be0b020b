"""The view that the dashboard opens: what it shows first, its size, and how many are kept."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

from tests.support.stores import client, runs, view
from xentexp.errors import InputError
from xentexp.experiments._cli import main
from xentexp.experiments._formatting import LONGEST_TAG
from xentexp.experiments._leaderboard import SHOWN
from xentexp.experiments._tracking.items import LoggedMetric
from xentexp.experiments._tracking.names import ALIASES
from xentexp.experiments._tracking.read_back import latest_page, read_leaderboard, run_page
from xentexp.experiments._tracking.store import Store
from xentexp.experiments._tracking.views import MOST_VIEWS, TAG


def made_run(
    primary: str = "brier_loss",
    metrics: dict[str, dict[str, float]] | None = None,
    *,
    leaderboard: str | None = None,
    aliases: dict[str, str] | None = None,
) -> str:
    """A run of the command as it is logged, without fits; return its id."""
    store = Store(None, "made", primary=primary, description="d")
    tags = {"xentexp.kind": "comparison", "xentexp.primary": primary}
    if leaderboard is not None:
        tags["xentexp.leaderboard"] = leaderboard
    metrics = {"one": {"cv/brier_loss": 0.1}} if metrics is None else metrics
    with store.run("parent", tags) as parent:
        for name, values in metrics.items():
            child = {"xentexp.kind": "candidate", ALIASES: json.dumps(aliases or {})}
            with store.run(name, child, parent=parent) as run_id:
                store.log(run_id, [LoggedMetric(k, v) for k, v in values.items()])
    return parent


def saved(run_id: str) -> dict[str, Any]:
    """View of a run, found by the address of its page."""
    return view(run_page(client(), run_id))


def test_the_view_has_the_losses_of_the_leaderboard_the_primary_first(workplace: Path) -> None:
    values = {"cv/brier_loss": 0.1, "cv/roc_auc": 0.7, "cv/other": 3.0, "diff/roc_auc": 0.0}
    run_id = made_run("roc_auc", {"a": values, "b": {"cv/zero_one_loss": 0.2}})
    state = saved(run_id)
    assert f"tags.`mlflow.parentRunId` = '{run_id}'" in state["searchFilter"]
    assert "`xentexp.kind` = 'candidate'" in state["searchFilter"]
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`cv/roc_auc`", False)
    assert [chart["metricKey"] for chart in state["compareRunCharts"]] == [
        "cv/roc_auc",
        "diff/roc_auc",
        "cv/brier_loss",
        "cv/zero_one_loss",
    ]
    assert state["selectedColumns"] == [
        "metrics.`cv/roc_auc`",
        "metrics.`diff/roc_auc`",
        "metrics.`cv/brier_loss`",
        "metrics.`cv/zero_one_loss`",
        "metrics.`time/fit_seconds`",
    ]
    sections = {section["name"]: section for section in state["compareRunSections"]}
    assert next(iter(sections)) == "Leaderboard"
    assert [name for name, section in sections.items() if section["display"]] == ["Leaderboard"]
    # All other metrics of this name become charts of a closed section.
    assert not sections["cv"]["display"]
    uuids = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} <= uuids
    assert len(uuids) == len(state["compareRunSections"])


def test_the_order_of_a_loss_is_ascending(workplace: Path) -> None:
    assert saved(made_run("brier_loss"))["orderByAsc"] is True


def test_the_view_follows_the_leaderboard_of_the_run_and_its_aliases(workplace: Path) -> None:
    values = {
        "cv/brier_loss": 0.1,
        "cv/categorical_crossentropy": 0.3,
        "cv/roc_auc": 0.5,
        "diff/brier_loss": 0,
    }
    run_id = made_run(
        metrics={"a": values},
        leaderboard="binary_crossentropy,brier_loss,absent",
        aliases={"binary_crossentropy": "categorical_crossentropy"},
    )
    charts = [chart["metricKey"] for chart in saved(run_id)["compareRunCharts"]]
    assert charts == ["cv/brier_loss", "diff/brier_loss", "cv/categorical_crossentropy"]


def test_pictures_come_after_the_losses_in_the_order_of_the_page(workplace: Path) -> None:
    run_id = made_run(metrics={name: {"cv/brier_loss": 0.1} for name in ("a", "b", "c")})
    models = {run.info.run_name: run.info.run_id for run in runs()}
    pictures = {"a": ["roc"], "b": ["zebra", "roc", "reliability", "two words"], "c": ["roc"]}
    for name, keys in pictures.items():
        for key in keys:
            image = np.zeros((4, 4, 3), dtype=np.uint8)
            client().log_image(models[name], image, key=key, step=0, synchronous=True)
    state = saved(run_id)
    shown = [chart for chart in state["compareRunCharts"] if chart["type"] == "IMAGE"]
    keys = ["reliability", "roc", "two words", "zebra"]
    assert [chart["imageKeys"] for chart in shown] == [[key] for key in keys]
    assert not any(chart["deleted"] for chart in shown)
    assert [section["name"] for section in state["compareRunSections"] if section["display"]] == [
        "Leaderboard",
        "Pictures of each model",
    ]
    # Three models have one of the pictures, which takes two rows of two.
    heights = {section["name"]: section["cardHeight"] for section in state["compareRunSections"]}
    assert 600 < heights["Pictures of each model"] < 900


def test_the_view_has_no_empty_sections_of_metrics(workplace: Path) -> None:
    values = {"cv/brier_loss": 0.1, "time/fit_seconds": 1.0, "test/brier_loss": 0.1}
    state = saved(made_run(metrics={"a": values}))
    closed = [s["name"] for s in state["compareRunSections"] if not s["display"]]
    assert closed == ["cv", "test", "time", "Model metrics", "System metrics"]


def test_learning_curves_are_lines_those_of_the_primary_first(workplace: Path) -> None:
    curves = {"train/a_loss": 1.0, "valid/a_loss": 1.0, "valid/brier_loss": 0.2}
    state = saved(made_run(metrics={"a": {"cv/brier_loss": 0.1, **curves}}))
    lines = [chart["metricKey"] for chart in state["compareRunCharts"] if chart["type"] == "LINE"]
    assert lines == ["valid/brier_loss", "train/a_loss", "valid/a_loss"]


@pytest.mark.parametrize("length", [20, 240])
def test_hundreds_of_losses_fit_into_a_tag(workplace: Path, length: int) -> None:
    rng = random.Random(0)  # names that cannot be compressed
    names = ["".join(rng.choices(string.ascii_letters, k=length)) for _ in range(300)]
    values = {**{f"cv/{name}": 0.5 for name in names}, f"diff/{names[7]}": 0.0}
    run_id = made_run(names[7], {"a": values}, leaderboard=",".join(names))
    state = saved(run_id)
    [tag] = [value for key, value in experiment_tags().items() if key.startswith(TAG)]
    assert len(tag) <= LONGEST_TAG
    charts = [chart["metricKey"] for chart in state["compareRunCharts"]]
    expected = [f"cv/{names[7]}", f"diff/{names[7]}", *(f"cv/{name}" for name in names[:7])]
    assert charts[: min(len(charts), 9)] == expected[: len(charts)]
    assert 2 < len(charts) < 30


def experiment_tags() -> dict[str, str]:
    [experiment] = [e for e in client().search_experiments() if e.name == "made"]
    return dict(experiment.tags)


def test_the_oldest_views_are_removed_and_those_of_users_stay(workplace: Path) -> None:
    run_ids = [made_run() for _ in range(MOST_VIEWS + 3)]
    store = client()
    [experiment] = [e.experiment_id for e in store.search_experiments() if e.name == "made"]
    store.set_experiment_tag(experiment, f"{TAG}0123456789abcdef", "deflate;of a user")
    for run_id in run_ids:
        saved(run_id)
    keys = sorted(key for key in experiment_tags() if key.startswith(f"{TAG}xentexp-"))
    assert len(keys) == MOST_VIEWS
    assert run_ids[-1][:8] in {key[-8:] for key in keys}
    # A view that is written is not removed at once, also if its run is older than those of others.
    assert run_ids[0][:8] not in {key[-8:] for key in keys}
    saved(run_ids[0])
    assert run_ids[0][:8] in {key[-8:] for key in map(str, experiment_tags())}
    assert experiment_tags()[f"{TAG}0123456789abcdef"] == "deflate;of a user"


def test_a_view_is_written_again_under_the_same_key(workplace: Path) -> None:
    run_id = made_run()
    assert run_page(client(), run_id) == run_page(client(), run_id)
    assert sum(key.startswith(TAG) for key in experiment_tags()) == 1


def test_a_user_who_may_only_read_opens_the_view_that_the_run_saved(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = made_run()
    saved_before, reader = run_page(client(), run_id), client()

    def refuse(*_: object) -> None:
        raise MlflowException("Permission denied", PERMISSION_DENIED)

    monkeypatch.setattr(reader, "set_experiment_tag", refuse)
    assert run_page(reader, run_id) == saved_before
    other = made_run()  # without a view
    with pytest.raises(MlflowException, match="Permission denied"):
        run_page(reader, other)


def test_the_page_of_a_run_without_results_opens_on_its_models(workplace: Path) -> None:
    state = saved(made_run(metrics={"a": {}}))
    assert state["compareRunCharts"] == []
    assert "candidate" in state["searchFilter"]


def test_the_latest_page_makes_the_view_of_a_run_that_has_none(workplace: Path) -> None:
    run_id = made_run()
    assert not any(key.startswith(TAG) for key in experiment_tags())
    page = latest_page(client(), "made").page
    assert run_id[:8] in page
    assert sum(key.startswith(TAG) for key in experiment_tags()) == 1


@pytest.mark.long
def test_a_run_logs_its_view_its_notes_and_the_values_of_the_best_model(table_csv: Path) -> None:
    run = ["run", "--quiet", "dataset=table", "dataset.path=table.csv", "dataset.target=grade"]
    assert main([*run, "models=[prior,logistic]", "report=none", "leakage.check=ignore"]) == 0
    [parent] = runs("comparison")
    children = {run.info.run_name: run for run in runs()}
    best = children[parent.data.tags["best_model"]]
    assert parent.data.metrics["cv/categorical_crossentropy"] == pytest.approx(
        best.data.metrics["cv/categorical_crossentropy"], rel=1e-12
    )
    for limit in ("cv_low", "cv_high"):
        key = f"{limit}/categorical_crossentropy"
        assert parent.data.metrics[key] == pytest.approx(best.data.metrics[key], rel=1e-12)
    shown = {key.removeprefix("cv/") for key in parent.data.metrics if key.startswith("cv/")}
    assert shown <= {*SHOWN, "categorical_crossentropy"}
    assert parent.info.run_name == "2 models, seed 0, 5 folds (stratified), table"
    colours = {name: run.data.tags["mlflow.runColor"] for name, run in children.items()}
    assert colours == {"logistic": "#0072b2", "prior": "#5f6368"}
    experiment = client().get_experiment(parent.info.experiment_id)
    assert sum(key.startswith(TAG) for key in experiment.tags) == 1
    note = experiment.tags["mlflow.note.content"]
    page = f"#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}"
    assert f"[Latest run]({page}?workflowType=machine_learning)" in note
    assert "Metrics of the child runs" in note
    # The page of the stored model has the note of its run.
    stored = client().get_logged_model(best.data.tags["xentexp.model"].rpartition("/")[2])
    assert stored.tags["mlflow.note.content"] == best.data.tags["mlflow.note.content"]
    assert "xentexp predict" in best.data.tags["mlflow.note.content"]
    # Nothing that reads the models of a run takes the values of the parent for a model.
    board = read_leaderboard(client(), None, uri=f"sqlite:///{table_csv.parent}/mlflow.db")
    assert {row.model for row in board.board.rows} == {"prior", "logistic"}


def test_the_note_of_an_experiment_that_a_user_edited_stays(workplace: Path) -> None:
    store = Store(None, "made", primary="brier_loss", description="the data")
    store.describe("first answer")
    assert experiment_tags()["mlflow.note.content"] == "first answer\n\nthe data"
    store.describe("second answer")
    assert experiment_tags()["mlflow.note.content"] == "second answer\n\nthe data"
    edited = "second answer, which I doubt\n\nthe data"
    store.client.set_experiment_tag(store.experiment_id, "mlflow.note.content", edited)
    store.describe("third answer")
    assert experiment_tags()["mlflow.note.content"] == edited


def test_an_experiment_of_an_older_version_gets_the_answer(workplace: Path) -> None:
    old = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    folder = (workplace / "mlartifacts").as_uri()
    old.create_experiment("made", folder, {"mlflow.note.content": "the data"})
    store = Store(None, "made", primary="brier_loss", description="the data")
    store.describe("the answer")
    assert experiment_tags()["mlflow.note.content"] == "the answer\n\nthe data"


def test_an_unknown_experiment_has_no_page(workplace: Path) -> None:
    made_run()
    with pytest.raises(InputError, match="MLflow experiment"):
        latest_page(client(), "unknown")
