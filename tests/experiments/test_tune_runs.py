"""experiment=tune: searches within the folds, trials as MLflow runs, and resumed runs."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit

from tests.support.stores import RESULTS_ONLY, client, runs, view
from xentexp.errors import InputError
from xentexp.experiments._cli import main
from xentexp.experiments._cli.conf import conf_folder
from xentexp.experiments._compare import run_experiment
from xentexp.experiments._config.classifiers import read_candidate
from xentexp.experiments._config.schema import ModelFile
from xentexp.experiments._config.study import build
from xentexp.experiments._run_checks import shown_checks
from xentexp.experiments._tracking.read_back import latest_page, read_leaderboard
from xentexp.experiments._tracking.stored_record import read_record
from xentexp.tuning import TunedClassifier, read_space
from xentexp.tuning._classifier import _start

TABLE = [
    *RESULTS_ONLY,
    *("dataset=table", "dataset.path=table.csv", "dataset.target=grade", "n_jobs=1"),
]
TUNE = ["run", "experiment=tune", *TABLE, "cv.n_splits=3", "tune.n_trials=3", "tune.folds=2"]
SIMULATED = ["dataset=simulated_delinquency", "dataset.n_samples=300", "experiment=tune"]


def compose(*overrides: str) -> dict[str, Any]:
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = OmegaConf.to_container(hydra.compose("run", list(overrides)), resolve=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


# -- logged runs --------------------------------------------------------------------------------


@pytest.mark.long
def test_tuned_and_untuned_models_are_compared_and_every_trial_is_a_run(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TUNE, "models=[prior,logistic]"]) == 0
    out, _ = capsys.readouterr()
    assert "Hyperparameters chosen in each fold by categorical_crossentropy" in out
    assert (
        f"9 trials (0 from earlier runs, 0 failed), stored in {table_csv.parent}/tuning.db" in out
    )
    (parent,) = runs("comparison")
    candidates = {run.info.run_name: run for run in runs("candidate")}
    assert set(candidates) == {"prior", "logistic", "logistic_tuned"}
    tuned = candidates["logistic_tuned"].data
    assert tuned.params["tune.loss"] == "categorical_crossentropy"
    assert tuned.params["tune.n_trials"] == "3"
    assert json.loads(tuned.params["space.classifier.C"])["log"] is True
    assert "classifier.C" not in tuned.params
    store = client()
    stored = read_record(store, store.tracking_uri, None, parent.info.run_id)
    model = stored.model("logistic_tuned")
    assert model is not None
    assert model.space == {"classifier.C": json.loads(tuned.params["space.classifier.C"])}
    assert "X403" in [check.code for check in shown_checks(stored)]
    assert len(tuned.params["tuned.classifier.C"].split(", ")) == 3
    assert tuned.metrics["tune/trials"] == 9
    trials = runs("trial")
    assert len(trials) == 9
    best: dict[str, float] = {}
    for run in trials:
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["model"] == "logistic_tuned"
        assert run.data.tags["dataset_digest"] == tuned.tags["dataset_digest"]
        assert float(run.data.params["classifier.C"]) > 0
        assert run.info.status == "FINISHED"
        assert run.info.end_time >= run.info.start_time
        value, fold = run.data.metrics["tune/categorical_crossentropy"], run.data.tags["fold"]
        best[fold] = min(value, best.get(fold, np.inf))
        steps = client().get_metric_history(run.info.run_id, "tune_fold/categorical_crossentropy")
        assert np.mean([step.value for step in steps]) == pytest.approx(value)
        if run.data.params["trial"] == "0":
            assert run.data.params["classifier.C"] == "1"
    assert sorted(best) == ["0", "1", "2"]
    assert sum(run.data.tags["chosen"] == "True" for run in trials) == 3
    assert tuned.metrics["tune/categorical_crossentropy"] == pytest.approx(
        np.mean(list(best.values()))
    )
    table = client().download_artifacts(candidates["logistic_tuned"].info.run_id, "tuning.json")
    assert len(json.loads(Path(table).read_text())["data"]) == 9
    # Leaderboards and charts do not contain trials.
    board = read_leaderboard(client(), None).board
    assert {row.model for row in board.rows} == set(candidates)
    state = view(latest_page(client(), None).page)
    assert "`xentexp.kind` = 'candidate'" in state["searchFilter"]


@pytest.mark.slow
def test_the_same_command_resumes_its_trials(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> dict[str, Any]:
        assert main([*TUNE, "models=[logistic]", "tune.untuned=false", "--json", *words]) == 0
        return dict(json.loads(capsys.readouterr().out))

    first, again, more = run(), run(), run("tune.n_trials=5")
    counts = [[r["resumed"] for r in document["tuning"]] for document in (first, again, more)]
    assert counts == [[0, 0, 0], [3, 3, 3], [3, 3, 3]]
    assert [row["model"] for row in first["leaderboard"]] == ["logistic_tuned"]
    assert again["leaderboard"][0]["mean"] == first["leaderboard"][0]["mean"]
    assert [r["trials"] for r in more["tuning"]] == [5, 5, 5]
    other = run("tune.loss=brier_loss")
    assert [r["resumed"] for r in other["tuning"]] == [0, 0, 0]
    assert "tune/brier_loss" in runs("candidate")[0].data.metrics


@pytest.mark.long
def test_failed_trials_are_failed_runs_and_a_search_without_any_a_failed_candidate(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def space(values: str) -> list[str]:
        return ["~models.logistic.space.C", f"+models.logistic.space.C={values}"]

    words = ["models=[logistic]", "tune.n_trials=6", "tune.untuned=false"]
    assert main([*TUNE, *words, *space("[-1.0,1.0]")]) == 0
    status = {run.info.status for run in runs("trial") if run.data.params["classifier.C"] == "-1"}
    assert status == {"FAILED"}
    failed = next(run for run in runs("trial") if run.info.status == "FAILED")
    assert "'C' parameter" in failed.data.tags["error"]
    capsys.readouterr()
    words = ["models=[prior,logistic]", "tune.untuned=false", "--json"]
    assert main([*TUNE, *words, *space("[-1.0,-2.0]")]) == 1
    rows = json.loads(capsys.readouterr().out)["leaderboard"]
    assert (
        "all 3 trials failed; error of the first trial: InvalidParameterError" in rows[-1]["reason"]
    )


# -- interrupts ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_resumes_with_the_same_result(
    table_csv: Path, number: signal.Signals
) -> None:
    words = ["models=[logistic]", "tune.untuned=false", "tune.n_trials=6"]
    command = [sys.executable, "-m", "xentexp", *TUNE, *words, "--json", "tune.storage=a.db"]
    before = [*command, "tracking.uri=stopped.db"]
    with subprocess.Popen(before, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as stopped:
        while _trials("a.db") < 2:
            assert stopped.poll() is None
            time.sleep(0.01)
        stopped.send_signal(number)
        stopped.communicate(timeout=60)
    assert stopped.returncode in (128 + number, -number)
    done = _trials("a.db")
    assert 2 <= done < 18
    resumed, whole = (
        json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
        for words in (command, [*command, "tune.storage=b.db"])
    )
    assert sum(record["resumed"] for record in resumed["tuning"]) == done
    for document in (resumed, whole):
        for record in document["tuning"]:
            del record["resumed"]
    assert resumed["tuning"] == whole["tuning"]
    assert resumed["leaderboard"][0]["mean"] == whole["leaderboard"][0]["mean"]


def _trials(name: str) -> int:
    if not os.path.exists(name):
        return 0
    connection = sqlite3.connect(f"file:{name}?mode=ro", uri=True, timeout=30)
    try:
        return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
    finally:
        connection.close()


# -- the configuration --------------------------------------------------------------------------


def test_the_experiment_searches_two_models_for_the_primary() -> None:
    study = build(compose(*SIMULATED, "primary=brier_loss", "seed=3"))
    names = [candidate.name for candidate in study.candidates]
    assert names == [
        "logistic",
        "logistic_tuned",
        "hist_gradient_boosting",
        "hist_gradient_boosting_tuned",
    ]
    search = study.candidates[1].estimator
    assert isinstance(search, TunedClassifier)
    assert (search.loss, search.n_trials, search.cv, search.random_state) == (
        "brier_loss",
        15,
        3,
        3,
    )
    assert search.space["classifier__C"]["low"] == 1e-4
    assert Path(search.storage) == Path.cwd() / "tuning.db"
    assert not Path(search.storage).exists()  # the run makes it


@pytest.mark.long
def test_without_the_section_tune_spaces_have_no_effect() -> None:
    plain = compose("dataset=simulated_delinquency", "models=[logistic]")
    assert plain["tune"] is None
    assert [c.name for c in build(plain).candidates] == ["logistic"]
    other = json.loads(json.dumps(plain))
    del other["models"]["logistic"]["space"]
    assert build(other).config_hash == build(plain).config_hash
    tuned = compose(*SIMULATED, "models=[logistic]")
    moved = compose(*SIMULATED, "models=[logistic]", "tune.storage=elsewhere.db")
    wider = compose(*SIMULATED, "models=[logistic]", "models.logistic.space.C.high=1000.0")
    assert build(moved).config_hash == build(tuned).config_hash != build(wider).config_hash


def test_inner_folds_are_of_the_kind_of_the_outer_ones(table_csv: Path) -> None:
    table = ["experiment=tune", *TABLE, "models=[logistic]", "tune.untuned=false"]
    ordered = build(compose(*table, "cv=time_ordered", "cv.time_column=income"))
    assert isinstance(ordered.candidates[0].estimator.cv, TimeSeriesSplit)
    grouped = build(
        compose(*table, "dataset.group=person", "cv=grouped", "cv.n_splits=2", "tune.n_trials=1",
                "tune.folds=2")
    )  # fmt: skip
    result = run_experiment(grouped.dataset, grouped.candidates, grouped.folds)
    prediction = result.candidate_results[0].predictions[0]
    train = prediction.fold.train
    data, groups = grouped.dataset, grouped.dataset.groups.to_numpy()[train]
    refitted = clone(grouped.candidates[0].estimator).set_params(storage=None)
    refitted.fit(data.X.iloc[train], data.y.iloc[train], groups=groups)
    assert prediction.trials[0]["fold_values"] == refitted.trials_[0]["fold_values"]
    refitted.fit(data.X.iloc[train], data.y.iloc[train])
    assert prediction.trials[0]["fold_values"] != refitted.trials_[0]["fold_values"]


def test_models_that_are_trained_on_losses_are_tuned_for_each() -> None:
    losses = "train_on=[brier_loss,poly1_crossentropy]"
    study = build(compose(*SIMULATED, "models=[linear]", "tune.untuned=false", losses))
    assert study.candidates[0].name == "linear[brier_loss]_tuned"
    assert {c.family for c in study.candidates} == {"linear_tuned"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["tune=3"], "tune must be a section such as the one of experiment=tune, or null"),
        (["+tune.trials=3"], "unknown key of tune 'trials'"),
        (["~tune.folds"], "tune.folds must be set"),
        (["tune.n_trials=0"], "tune.n_trials must be an integer from 1"),
        (["tune.folds=1"], "tune.folds must be an integer from 2"),
        (["tune.timeout=-1"], "tune.timeout must be a number of seconds > 0, or null; got -1"),
        (["tune.untuned=maybe"], "tune.untuned must be true or false; got 'maybe'"),
        (["tune.loss=brier_los"], "did you mean 'brier_loss'"),
        (["tune.loss=entropy"], "tune.loss: "),
        (["tune.loss=calibration_slope"], "tune.loss: calibration_slope"),
        (["primary=calibration_slope"], "calibration_slope"),
        (["tune.loss=ks_statistic"], "tune.loss: ks_statistic is for two classes"),
        (["tune.storage=postgresql://host/x"], "storage must be an SQLite file"),
        (
            ["models=[prior]"],
            "tune needs at least one model whose file has the key space; got prior",
        ),
        (["models=[linear_svm]"], "needs predict_proba, but model linear_svm does not provide it"),
        (["+models.logistic.space.c=[1.0]"], "model logistic: unknown parameter of LogisticReg"),
        (["models.logistic.space.C.low=200"], "model logistic: low of the space of C must be"),
    ],
)
def test_invalid_tune_sections_are_rejected(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(compose(*SIMULATED, *overrides))


def test_bad_runs_end_with_code_2_before_any_fit(
    table_csv: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def error_of(*words: str) -> str:
        assert main(["run", *words]) == 2
        return capsys.readouterr().err

    assert "tune.n_trials cannot be set because tune is null" in error_of(*TABLE, "tune.n_trials=3")
    assert "add experiment=tune, which sets it" in error_of(*TABLE, "tune.n_trials=3")
    assert "storage must be a database of Optuna" in error_of(
        "experiment=tune", *TABLE, "tune.storage=mlflow.db"
    )
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert "pip install 'xentexp[tune]'" in error_of("experiment=tune", *TABLE)
    assert runs("comparison") == []


# -- the packaged spaces ------------------------------------------------------------------------

MODELS = sorted((conf_folder() / "models").glob("*.yaml"))


def model_file(path: Path) -> tuple[str, dict[str, Any]]:
    text = path.read_text().replace("${seed}", "0")
    ((name, model),) = yaml.load(text, yaml.SafeLoader).items()
    return name, model


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_each_space_contains_the_default_settings_and_can_be_fitted(path: Path) -> None:
    name, model = model_file(path)
    for package in ("catboost", "lightgbm", "xgboost"):
        if package in model["classifier"]["_target_"] or package in name:
            pytest.importorskip(package)
    if name == "network":
        pytest.importorskip("torch")
    candidate = read_candidate(name, ModelFile(**model))
    if name == "prior":
        assert candidate.space is None
        return
    assert candidate.space is not None, "a model that has something to tune has a space"
    assert _start(read_space(candidate.space, candidate.estimator), candidate.estimator) is not None
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=150), "b": rng.choice(["x", "y"], 150)})
    y = pd.Series((X["a"] + rng.normal(size=150) > 0).astype(int))
    loss = "brier_loss" if hasattr(candidate.estimator, "predict_proba") else "hinge_loss"
    model = TunedClassifier(
        candidate.estimator, candidate.space, loss=loss, n_trials=3, cv=2, random_state=0
    ).fit(X, y)
    assert [trial["error"] for trial in model.trials_] == [None] * 3
