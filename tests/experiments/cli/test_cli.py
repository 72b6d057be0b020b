"""The command line: output, exit codes and logged runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from tests.support.stores import RESULTS_ONLY, client, runs
from xentexp import __version__
from xentexp.experiments._cli import main
from xentexp.experiments._cli.arguments import for_hydra, parse
from xentexp.experiments._cli.conf import conf_folder
from xentexp.experiments._cli.run import _terminable
from xentexp.losses import LOSSES
from xentexp.metrics import brier_loss, categorical_crossentropy
from xentexp.metrics._registry import DATASET_METRICS

XENTEXP = [sys.executable, "-m", "xentexp"]
SMALL = [
    *RESULTS_ONLY,
    *("dataset=table", "dataset.path=table.csv", "dataset.target=grade", "n_jobs=1"),
]
LABELS = ["--labels", "bad,fair,good"]
SMALL_RUN = ["run", *SMALL]
RUN = ["run", *SMALL, "models=[prior,logistic]", "cv.n_splits=3"]


def command(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a new process."""
    return subprocess.run([*XENTEXP, *words], capture_output=True, text=True, **options)


# -- run --------------------------------------------------------------------------------------


def test_a_run_prints_a_leaderboard_and_logs_it(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(RUN) == 0
    out, err = capsys.readouterr()
    assert "categorical_crossentropy" in out
    assert "roc_auc" in out
    assert "more losses and metrics: xentexp leaderboard --losses all" in out
    assert "xentexp ui" in out
    assert "3 folds (stratified), seed 0" in out
    assert "prior" in err
    assert "Traceback" not in out + err
    assert "\x1b" not in out + err  # no colour codes if the output is not a terminal
    (parent,) = runs("comparison")
    assert parent.info.status == "FINISHED"
    assert {run.info.run_name for run in runs()} == {"prior", "logistic"}
    answer = parent.data.tags["xentexp.answer"]
    assert answer.startswith("logistic has categorical_crossentropy ")  # prior is constant
    assert answer in " ".join(out.split())
    assert "minus the best" in out
    assert "[95% interval]" in out
    for run in runs():
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.params["cv.n_splits"] == "3"
        assert run.data.params["dataset.target"] == "grade"
        for tag in ("seed", "dataset_digest", "xentexp.config_hash", "versions"):
            assert run.data.tags[tag]
    config = client().download_artifacts(parent.info.run_id, "config/config.yaml")
    assert "n_splits: 3" in Path(config).read_text()


def test_with_json_standard_output_is_one_document(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert err == ""
    assert document["primary"] == "categorical_crossentropy"
    assert [row["model"] for row in document["leaderboard"]] == ["logistic", "prior"]
    assert (
        document["leaderboard"][0]["mean"]["weston_watkins_hinge"] > 0
    )  # not in the printed table
    assert document["leaderboard"][0]["mean"]["gini"] > 0
    assert document["leaderboard"][1]["mean"]["calibration_slope"] is None
    assert client().get_run(document["run_id"]).info.status == "FINISHED"


@pytest.mark.long
def test_the_configuration_chooses_what_the_table_shows(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown(*words: str) -> list[str]:
        assert main([*RUN, "models=[prior]", "-q", "--json", *words]) == 0
        run = client().get_run(json.loads(capsys.readouterr().out)["run_id"])
        note = run.data.tags["mlflow.note.content"]  # has the printed table
        head = next(line for line in note.splitlines() if line.startswith("| model |"))
        columns = [column.strip() for column in head.split("|")[2:-1]]
        named = [column for column in columns if re.search(r" \((low|high|near .*)\)$", column)]
        return [column.rpartition(" (")[0].replace(" ", "_") for column in named]

    assert shown("leaderboard=[gini]", "primary=brier_loss") == ["brier_loss", "gini"]
    assert shown("leaderboard=[ks_statistic,gini]", "primary=gini") == ["gini"]  # three classes
    words = ["losses=[brier_loss]", "metrics=[gini,perplexity]", "primary=brier_loss"]
    assert shown(*words, "leaderboard=[gini]") == ["brier_loss", "gini"]
    assert shown(*words, "leaderboard=null") == ["brier_loss", "perplexity", "gini"]
    assert shown(*words[::2], "metrics=[]") == ["brier_loss"]


def test_quiet_prints_only_the_leaderboard(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "-q"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "xentexp ui" not in out
    assert "brier_loss" in out


@pytest.mark.long
def test_the_same_seed_prints_the_same_numbers(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def numbers(*extra: str) -> list:
        assert main([*RUN, "models=[logistic]", "--json", "-q", *extra]) == 0
        board = json.loads(capsys.readouterr().out)["leaderboard"]
        return [(row["model"], row["mean"], row["std"]) for row in board]

    assert numbers() == numbers()
    assert numbers() != numbers("seed=1")


def test_a_sweep_runs_every_job_and_shares_a_name(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "-m", "seed=0,1", "--json", "-q", "models=[prior]"]) == 0
    documents = json.loads(capsys.readouterr().out)
    assert len(documents) == 2
    parents = runs("comparison")
    assert {run.data.tags["seed"] for run in parents} == {"0", "1"}
    assert len({run.data.tags["xentexp.sweep"] for run in parents}) == 1


def test_a_bad_job_of_a_sweep_does_not_stop_the_others(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "-m", "seed=-1,0", "models=[prior]"]) == 2
    assert "seed must be an integer" in capsys.readouterr().err
    assert len(runs("comparison")) == 1


@pytest.mark.parametrize(
    ("word", "seeds"),
    [("seed=range(0,3)", {"0", "1", "2"}), ("seed=choice(3,1)", {"3", "1"}), ("seed=4", {"4"})],
)
def test_a_sweep_has_one_job_per_value_and_leaves_no_folder(
    word: str, seeds: set[str], table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(Path().iterdir())
    assert main([*RUN, "-m", word, "-q", "models=[prior]"]) == 0
    assert "HYDRA" not in "".join(capsys.readouterr())
    parents = runs("comparison")
    assert {run.data.tags["seed"] for run in parents} == seeds
    assert all(
        f"seed={seed}" in " ".join(r.data.tags["overrides"] for r in parents) for seed in seeds
    )
    assert {p.name for p in set(Path().iterdir()) - before} <= {"mlflow.db", "mlartifacts"}


def test_a_sweep_over_all_files_of_a_group_composes_each(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "-m", "cv=glob(h*)", "cv.n_test=50", "--cfg", "job", "--package", "cv"]
    assert main(words) == 0
    assert "kind: holdout" in capsys.readouterr().out


def test_the_folder_of_a_sweep_is_used_if_it_is_named(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*RUN, "-m", "seed=0,1", "-q", "models=[prior]", "hydra.sweep.dir=sweep"]
    words += ["tracking.experiment=https://ann:s3cret-Zq9@h/x"]
    assert main([*words, "hydra.sweep.subdir=${hydra:job.num}"]) == 0
    assert sorted(p.name for p in Path("sweep").iterdir()) == ["0", "1", "multirun.yaml"]
    assert "s3cret" not in Path("sweep/multirun.yaml").read_text()
    assert main(words) == 2
    assert "hydra.sweep.dir must be a folder without multirun.yaml" in capsys.readouterr().err


def test_words_that_do_not_vary_reach_each_job_as_typed(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.rename("table.csv", "train (1), a.csv")
    words = [*RUN, "dataset.path=train (1), a.csv", "-m", "seed=0,1", "-q", "models=[prior]"]
    assert main(words) == 0
    for run in runs("comparison"):
        assert "dataset.path=train (1), a.csv" in run.data.tags["overrides"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_launcher_with_processes_returns_results_and_errors(
    launcher: str, table_csv: Path, new_workers: None, capsys: pytest.CaptureFixture[str]
) -> None:
    package = "joblib" if launcher == "joblib" else "submitit"
    pytest.importorskip(f"hydra_plugins.hydra_{package}_launcher")
    words = [*RUN, "models=[prior]", "-m", "seed=0,-1", f"hydra/launcher={launcher}", "--json"]
    words += ["hydra.launcher.n_jobs=2"] if launcher == "joblib" else []
    assert main(words) == 2
    out, err = capsys.readouterr()
    (document,) = json.loads(out)
    (parent,) = runs("comparison")
    assert document["run_id"] == parent.info.run_id
    assert "prior" in err  # progress of the job
    assert "seed=-1] seed must be an integer" in err
    assert Path("multirun").exists() == (launcher != "joblib")


def test_each_error_of_a_sweep_names_its_job(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "-m", "seed=-1,-2"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert ["seed=-1]" in line or "seed=-2]" in line for line in lines] == [True, True]


def test_a_file_that_would_be_ignored_is_an_error(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = table_csv.parent / "mine" / "models"
    folder.mkdir(parents=True)
    packaged = (conf_folder() / "models" / "prior.yaml").read_text()
    (folder / "prior.yaml").write_text(packaged.replace("strategy: prior", "strategy: uniform"))
    assert main([*RUN, "--config-dir", "mine", "models=[prior]"]) == 2
    err = capsys.readouterr().err
    assert "got models/prior.yaml, which would be ignored; rename it, and its key" in err
    (folder / "prior.yaml").write_text(packaged)  # the same content
    assert main([*RUN, "--config-dir", "mine", "models=[prior]", "-q"]) == 0


NAMES = ["연체여부", "OBS#", "age (years)", "a,b", "a=b", "it's", 'say "hi"', "100%", "US$", "a$b"]
NAMES += ["a b", "1", "true", "[x]", "{x}", "x:y", "a/b", "back\\slash", "*", "~", "a;b", "f(x)"]


@pytest.mark.parametrize("name", NAMES)
def test_hydra_reads_names_as_typed(name: str) -> None:
    for word in (f"dataset.target={name}", f"+cv.time_column={name}"):
        override = parse(for_hydra(word, multirun=False))
        assert override is not None
        assert override.value() == name


@pytest.mark.parametrize("name", ["연체여부", "OBS#", 'a,b="c" (d)', "${x"])
def test_names_are_taken_as_typed(
    name: str, table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = f"{name.replace('/', '')} (1).csv"
    pd.read_csv(table_csv).rename(columns={"grade": name}).assign(other=1).to_csv(file, index=False)
    words = ["run", "n_jobs=1", "dataset=table", f"dataset.path={file}", f"dataset.target={name}"]
    assert main([*words, "models=[prior]", "cv.n_splits=2", "-q"]) == 0
    (run,) = runs()
    assert run.data.params["dataset.target"] == name
    assert main(["datasets", "table", f"path={file}", f"target={name}"]) == 0
    assert name in capsys.readouterr().out


def test_lists_of_names_are_taken_as_typed(table_csv: Path) -> None:
    table = pd.read_csv(table_csv)
    table.rename(columns={"job": "OBS#", "person": "no. (1)", "age": "나이"}).to_csv(
        "table.csv", index=False
    )
    assert main([*RUN, "-q", "models=[prior]", 'dataset.drop=[OBS#,no. (1),"나이"]']) == 0
    (run,) = runs()
    assert run.data.params["dataset.drop"] == "['OBS#', 'no. (1)', '나이']"
    assert main([*RUN, "-q", "models=[prior]", "cv=grouped", "cv.groups=[no. (1),OBS#]"]) == 0


def test_a_failing_model_is_shown_with_its_reason_and_exit_code_1(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "models.logistic.classifier.C=-1"]) == 1
    out, err = capsys.readouterr()
    assert "failed: logistic: fold 0: InvalidParameterError" in out
    assert "Traceback" not in out + err
    status = {run.info.run_name: run.info.status for run in runs()}
    assert status == {"prior": "FINISHED", "logistic": "FAILED"}
    assert main(["leaderboard"]) == 0
    assert "failed: logistic" in capsys.readouterr().out


def test_exit_code_is_1_if_all_models_fail(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = [*RUN, "models=[logistic]", "models.logistic.classifier.C=-1"]
    assert main(failing) == 1
    assert "all models failed; the first error: fold 0: Invalid" in capsys.readouterr().err
    assert [run.info.status for run in runs("comparison")] == ["FAILED"]
    for words in ([], ["--sort", "brier_loss"], ["--losses", "all"]):
        assert main(["leaderboard", *words]) == 1
        assert "has no successful model" in capsys.readouterr().err
    assert main([*failing, "-m", "seed=-1,0"]) == 2  # invalid input and failed models
    assert "all models failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "stump:\n  preprocessing: none\n  classifier:\n    _target_: null\n",
            "models.stump.classifier._target_ must be the import path of a class; got None",
        ),
        (
            "stump:\n  preprocessing: none\n  classifier:\n    max_depth: 1\n",
            "models.stump.classifier._target_ must be the import path of a class; got None",
        ),
        (
            "stump:\n  preprocessing: none\n  estimator:\n    _target_: a.b\n",
            "unknown key of models.stump 'estimator'. Known: classifier, preprocessing, space; "
            "models.stump.classifier._target_ must be set",
        ),
        ("", "models/stump.yaml must have the key stump; got no key"),
        ("preprocessing: none\n", "models/stump.yaml must have the key stump; got preprocessing"),
        ("logistic:\n  preprocessing: none\n", "must have the key stump; got logistic; write"),
        (
            "stump:\n  preprocessing: none\n  classifier:\n    _target_: sklearn.tree.Stump\n",
            "sklearn.tree has no class Stump",
        ),
    ],
)
@pytest.mark.parametrize("models", ["[stump]", "[prior,stump]", "stump"])
def test_a_selected_model_file_without_a_classifier_is_an_error(
    text: str, message: str, models: str, table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = table_csv.parent / "mine" / "models"
    folder.mkdir(parents=True)
    (folder / "stump.yaml").write_text(text)
    assert main(["run", *SMALL, "--config-dir", "mine", f"models={models}"]) == 2
    assert message in capsys.readouterr().err
    assert runs("comparison") == []


def test_a_selected_model_that_lost_its_target_is_an_error(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "~models.logistic.classifier._target_"]) == 2
    assert "models.logistic.classifier._target_ must be" in capsys.readouterr().err


def test_progress_says_what_a_metric_needs(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["models=[prior,linear_svm]", "cv=holdout", "cv.n_test=20"]
    assert main([*SMALL_RUN, *words]) == 0
    out, err = capsys.readouterr()
    assert "2 models, 1 fold\n" in err
    assert "it needs probabilities; the model only provides decision scores" in err
    assert main([*SMALL_RUN, *words, "primary=categorical_hinge"]) == 0
    err = capsys.readouterr().err
    assert "it needs decision scores; the model only provides probabilities" in err
    assert main(["leaderboard", "--all"]) == 0
    out = capsys.readouterr().out
    assert "model names: model, kind of folds, number of folds" in out


def test_config_dir_adds_models(table_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = table_csv.parent / "mine" / "models"
    folder.mkdir(parents=True)
    (folder / "stump.yaml").write_text(
        "stump:\n  preprocessing: ordinal\n  classifier:\n"
        "    _target_: sklearn.tree.DecisionTreeClassifier\n    max_depth: 1\n"
    )
    mine = ["--config-dir", "mine", "models=[prior,stump]"]
    assert main(["run", *SMALL, "cv.n_splits=3", *mine, "--json"]) == 0
    board = json.loads(capsys.readouterr().out)["leaderboard"]
    assert {row["model"] for row in board} == {"prior", "stump"}


@pytest.mark.long
def test_the_true_probabilities_give_a_regret(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["dataset=simulated_delinquency", "dataset.n_samples=600", "models=[prior,logistic]"]
    assert main(["run", *words, "n_jobs=1"]) == 0
    assert "regret categorical_crossentropy" in capsys.readouterr().out
    assert all(run.data.metrics["regret/brier_loss"] > 0 for run in runs())


def dacon_like(folder: Path) -> None:
    """Files with the format of the competition and random rows."""
    from xentexp.experiments.datasets import load_dataset
    from xentexp.experiments.datasets._dacon import FEATURES

    data = load_dataset("simulated_delinquency", n_samples=420)
    X = data.X.assign(**{name: 0 for name in FEATURES if name not in data.X})[list(FEATURES)]
    X.insert(0, "index", range(len(X)))
    train = X.iloc[:400].assign(credit=data.y[:400].astype(float))
    train.to_csv(folder / "train.csv", index=False)
    X.iloc[400:].to_csv(folder / "test.csv", index=False)
    sample = pd.DataFrame({"index": X["index"].iloc[400:], "0": 0, "1": 0, "2": 0})
    sample.to_csv(folder / "sample_submission.csv", index=False)


def test_a_submission_has_the_samples_format(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dacon_like(workplace)
    words = ["dataset=dacon", f"dataset.path={workplace}", "models=[prior,logistic]"]
    assert main(["run", *words, "n_jobs=1", "cv.n_splits=3", "submission=sub.csv"]) == 0
    assert "Predictions of " in capsys.readouterr().out
    table = pd.read_csv("sub.csv")
    assert list(table.columns) == ["index", "0", "1", "2"]
    assert table["index"].tolist() == list(range(400, 420))
    np.testing.assert_allclose(table[["0", "1", "2"]].sum(axis=1), 1.0, atol=1e-12)
    assert not list(workplace.glob(".sub.csv*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sed=1"], "unknown configuration key 'sed'; did you mean 'seed'"),
        (["cv.n_split=3"], "unknown key of cv 'n_split' with cv=stratified; did you mean 'n_s"),
        (["cv.n_test=20"], "n_test is a key of cv=holdout"),
        (["cv=10"], "got 10; for 10 folds set cv.n_splits=10"),
        (["cv=kfold"], "unknown cv 'kfold'. Known: stratified, repeated, grouped, time_ordered"),
        (["models=[prior,", "logistic]"], r"write it without spaces: models=\[prior,logistic\]"),
        (["models=[prior", ", logistic]"], r"write it without spaces: models=\[prior,"),
        (["losses=a b"], "losses=a b cannot be parsed .*put a value with spaces|unknown loss"),
        (["seed=)"], r"seed=\) cannot be parsed"),
        (
            ["table.csv"],
            "arguments must have the form KEY=VALUE; got 'table.csv'; for a file, write",
        ),
        (["prior"], "arguments must have the form KEY=VALUE; got 'prior'; see xentexp run --help"),
        (["--seed", "3"], "--seed is not an option of xentexp run; .* write seed=3; see xentexp"),
        (["--seed=3"], "write seed=3; see xentexp run --help"),
        (["--n-jobs"], "write n_jobs=VALUE; see xentexp run --help"),
        (["dataset=table.csv"], "for your own file, write dataset=table dataset.path=table.csv"),
        (["dataset.drop=id"], r"must be a list of columns; got 'id'; write dataset.drop=\[id\]"),
        (["dataset.target=null"], "got None; set dataset.target=COLUMN"),
        (["dataset.path=null"], "got None; set dataset.path=FILE"),
        (["+typo=1"], "unknown configuration key 'typo'"),
        (["models=[logistik]"], "unknown models 'logistik'; did you mean 'logistic'"),
        (["models=[]"], r"at least one model, e.g. models=.logistic.; got \[\]"),
        (["dataset=tabel"], "unknown dataset 'tabel'; did you mean 'table'"),
        (["cv=stratifed"], "unknown cv 'stratifed'; did you mean 'stratified'"),
        (["losses=[brier_los]"], "unknown loss 'brier_los'; did you mean 'brier_loss'"),
        (["primary=hinge_loss"], "hinge_loss is for two classes; there are 3"),
        (["dataset.target=grad"], "did you mean 'grade'"),
        (["dataset.path=absent.csv"], "the file .*absent.csv does not exist"),
        (["tracking.uri=sqlite:////proc/no/mlflow.db"], "cannot be created"),
        (["tracking.uri=http://127.0.0.1:9"], "does not respond"),
        (["models=["], r"models=\[ must be a complete list; close the bracket"),
        (["--config-dir", "absent"], "absent"),
        (["--config-name", "absent"], "absent"),
        (["cv=grouped"], "cv=grouped needs groups"),
        (["cv=null"], "cv must be a name; got null; see xentexp run --help"),
        (["models=[prior,null]"], "models|null|None"),
        (["cv.kind=[stratified]"], "unknown cv"),
        (
            ["models.logistic.preprocessing=[scaled]"],
            "models.logistic.preprocessing must be the name of a preprocessing; got ..scaled",
        ),
        (["losses=[brier_loss,brier_loss]", "primary=brier_loss"], "losses must be distinct"),
        (["seed=${nope}"], "nope"),
        (["seed=???"], "seed"),
        (["tracking.uri=[a]"], "tracking.uri must be text"),
        (["models.logistic=3"], "models.logistic must be a section with keys; got 3"),
        (["models.logistic.classifier=3"], "models.logistic.classifier must be a section"),
        (
            ["models.logistic.classifier._target_=null"],
            "models.logistic.classifier._target_ must be",
        ),
        (["tracking.uri=mysql+foo://x/y"], "failed"),
        (["cv=repeated", "cv.n_repeat=3"], "did you mean 'n_repeats'"),
        (["dataset.pth=x"], "did you mean 'path'"),
        (["hydra.run.dir=/proc/x"], "/proc/x|proc"),
        (["seed=x"], "seed must be an integer"),
        (["--jsn"], "--jsn is not an option of xentexp run; did you mean --json"),
        (["--quite"], "did you mean --quiet"),
        (["--json=1"], "--json does not have a value; got '--json=1'; write --json"),
        (["--shell-completion"], "is an option of Hydra that xentexp run does not have"),
        (["--config-path", "x"], "use --config-dir and --config-name"),
        (["--config-dir"], "--config-dir needs a value"),
        (["--cfg", "hydra"], "--cfg must be job; got 'hydra'"),
        (["--trust", "a b"], "--trust must be the name of a Python package"),
        (
            ["hydra/launcher=absent", "-m"],
            "hydra/launcher must be an installed plug-in .basic.*; got absent; install the plug-in",
        ),
        (
            ["engine=[local,dask]"],
            r"engine must be one name; got \[local,dask\]; .* -m engine=local",
        ),
        (["cv=[stratified,holdout]"], "cv must be one name; .* write -m cv=stratified,holdout"),
        (["seed=interval(0,1)", "-m"], r"seed=interval\(0,1\) must list its values with -m"),
        (["hydra/sweeper=ax", "-m"], "hydra/sweeper must .* got ax; install hydra-ax-sweeper"),
        (["hydra/launcher=basic"], "hydra/launcher=basic is only used with several jobs; add -m"),
        (["hydra.sweep.dir=x", "seed=0"], "hydra.sweep.dir=x is only used .*; add -m"),
        (["hydra.launcher.n_jobs=2", "-m"], "n_jobs"),
        (["seed=0,1"], "To sweep over it, add --multirun"),
        (
            ["models.logistic.classifier.C=a b)"],
            """put a value .* in quotes: 'models.logistic.classifier.C="a b.*"'""",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    words: list[str], message: str, table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    assert main([*RUN, *words]) == 2
    out, err = capsys.readouterr()
    assert re.search(message, err)
    assert err.startswith("xentexp: error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert out == ""
    assert runs("comparison") == []


@pytest.mark.long
def test_debug_shows_the_traceback(table_csv: Path) -> None:
    done = command(*RUN, "--debug", "losses=[brier_los]")
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    done = command(*RUN, "losses=[brier_los]")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        "SIGINT",
        pytest.param("SIGTERM", marks=pytest.mark.slow),
        pytest.param("SIGHUP", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_is_killed_in_the_store(
    name: str, table_csv: Path, default_signals: None
) -> None:
    words = ["models=[prior,mlp]", "models.mlp.classifier.max_iter=100000"]
    words += ["models.mlp.classifier.early_stopping=false"]
    words += ["+models.mlp.classifier.n_iter_no_change=100000"]
    process = subprocess.Popen(
        [*XENTEXP, *RUN, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(600):
            if [run.info.status for run in runs()] == ["FINISHED"]:  # during the second fit
                break
            time.sleep(0.1)
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 128 + getattr(signal, name)
    assert "Traceback" not in out + err
    assert [run.info.status for run in runs("comparison")] == ["KILLED"]
    assert [run.info.status for run in runs()] == ["FINISHED"]


@pytest.mark.long
def test_a_full_disk_is_reported_and_the_results_are_shown(table_csv: Path) -> None:
    """A limit on the file size has the same effect as a full disk."""
    limit = os.path.getsize("mlflow.db") + 4096
    done = subprocess.run(
        ["bash", "-c", f'ulimit -f {limit // 1024}; exec "$@"', "-", *XENTEXP, *RUN],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "xentexp: error: the tracking store" in done.stderr
    assert "is incomplete in MLflow" in done.stderr
    assert "logistic" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_environment_variable_sets_the_store(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch, migrated_store: Path
) -> None:
    other = table_csv.parent / "other.db"
    other.write_bytes(migrated_store.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}")
    assert main([*RUN, "models=[prior]", "-q"]) == 0
    assert runs() == []
    found = MlflowClient(tracking_uri=f"sqlite:///{other}")
    assert found.get_experiment_by_name("table table grade") is not None


# -- the other commands -----------------------------------------------------------------------


def test_losses_lists_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["losses"]) == 0
    out = capsys.readouterr().out
    for name, loss in LOSSES.items():
        (line,) = [line for line in out.splitlines() if line.split()[:1] == [name]]
        convex = "yes" if loss.properties.convex else "no"
        assert f" {convex} " in line
        assert loss.properties.formula.split()[0] in line
    assert main(["losses", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [*LOSSES, *DATASET_METRICS]
    (brier,) = [row for row in rows if row["name"] == "brier_loss"]
    assert brier["formula"] == LOSSES["brier_loss"].properties.formula


def test_losses_describes_one_loss(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["losses", "brier_loss"]) == 0
    assert "Brier, G. W. (1950)" in capsys.readouterr().out
    assert main(["losses", "brier_los"]) == 2
    assert "did you mean 'brier_loss'" in capsys.readouterr().err


def test_datasets_lists_the_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets"]) == 0
    assert "uci_default" in capsys.readouterr().out
    assert main(["datasets", "uci_default", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["rows"] == 30000
    assert card["licence"] == "CC BY 4.0"
    assert main(["datasets", "dacon"]) == 0
    out = capsys.readouterr().out
    assert "AGPL" not in out
    assert "known problems" in out
    assert main(["datasets", "table", "dataset.path=a.csv"]) == 2
    assert "leave out 'dataset.': write path=a.csv" in capsys.readouterr().err
    assert main(["datasets", "uci"]) == 2
    assert "did you mean 'uci_default'" in capsys.readouterr().err


def test_datasets_says_how_to_check_entities(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["datasets", "table", "path=table.csv", "target=grade"]) == 0
    assert "none found; add --key COLUMNS to check columns" in capsys.readouterr().out


def test_a_key_of_table_needs_the_data_set_table(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "dataset.path=loans.csv", "dataset.target=y"]) == 2
    err = capsys.readouterr().err
    assert "unknown key of dataset 'path' with dataset=uci_default" in err
    assert "for your own file add dataset=table" in err


def test_leaderboard_reads_the_store(table_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "-q"]) == 0
    first = capsys.readouterr().out
    assert main(["leaderboard"]) == 0
    again = capsys.readouterr().out
    assert first.splitlines()[2:] == again.splitlines()[2:]  # all but the title
    assert main(["leaderboard", "--losses", "all"]) == 0
    everything = capsys.readouterr().out
    assert "weston_watkins_hinge" in everything
    assert "equal to categorical_crossentropy on these data: sparse_categorical" in everything
    assert main(["leaderboard", "--losses", "entropy,d2_brier_loss"]) == 0
    shown = capsys.readouterr().out
    assert "entropy" in shown
    assert "d2_" in shown
    assert "roc_auc" not in shown
    assert main(["leaderboard", "--sort", "calibration_slope"]) == 0
    ranked = " ".join(capsys.readouterr().out.split())
    assert "has the calibration_slope nearest to 1" in ranked
    assert main(["leaderboard", "--sort", "zero_one_loss", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["primary"] == "zero_one_loss"
    means = [row["mean"]["zero_one_loss"] for row in document["leaderboard"]]
    assert means == sorted(means)
    assert main([*RUN, "-q", "seed=1"]) == 0
    capsys.readouterr()
    assert main(["leaderboard", "--all", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["leaderboard"]) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sort", "brier_los"], "did you mean 'brier_loss'"),
        (["--sort", "entropy"], "entropy does not rank models; choose one of"),
        (["--sort", "calibration_slope"], "no candidate has a value of calibration_slope; choose"),
        (
            ["--losses", "ginni"],
            "unknown loss or metric of this leaderboard 'ginni'; did you mean 'gini'",
        ),
        (["--losses", "hinge_loss"], "no candidate has a value of hinge_loss; choose one of"),
        (["--experiment", "no"], "unknown MLflow experiment 'no'"),
        (["--store", "absent.db"], "absent.db does not exist"),
    ],
)
def test_leaderboard_refuses_unknown_names(
    words: list[str], message: str, table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*RUN, "-q", "models=[prior]"])
    capsys.readouterr()
    assert main(["leaderboard", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_run_logs_the_git_commit_of_the_folder(table_csv: Path) -> None:
    for words in (["init", "-q"], ["add", "table.csv"], ["commit", "-qm", "x"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *words], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert main([*RUN, "-q", "models=[prior]"]) == 0
    (run,) = runs()
    assert run.data.tags["mlflow.source.git.commit"] == head.stdout.strip()
    assert run.data.tags["git_dirty"] == "True"  # mlflow.db is there and not committed


def test_output_that_cannot_be_written() -> None:
    for shell in ('exec "$@" >/dev/full', 'exec "$@" >&-'):
        done = subprocess.run(
            ["bash", "-c", shell, "-", *XENTEXP, "losses"], stderr=subprocess.PIPE, text=True
        )
        assert "Traceback" not in done.stderr
        assert done.returncode == (2 if "full" in shell else 0)


def test_class_weights_by_label(table_csv: Path) -> None:
    weights = "++models.logistic.classifier.class_weight={0:1,1:5,2:3}"
    assert main([*RUN, "-q", "models=[logistic]", weights]) == 0
    (run,) = runs()
    assert run.data.params["classifier.class_weight"] == "{0: 1, 1: 5, 2: 3}"


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 50)
    y = rng.choice(["bad", "fair", "good"], 50)
    frame = pd.DataFrame(p, columns=["p0", "p1", "p2"]).assign(y=y, w=rng.random(50))
    path = tmp_path / "scored.csv"
    frame.to_csv(path, index=False)
    frame.to_parquet(tmp_path / "scored.parquet")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_score_scores_a_file(
    suffix: str, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = predictions.with_suffix(suffix)
    words = ["score", str(file), "--target", "y", "--proba", "p0,p1,p2", "--weight", "w"]
    words += LABELS
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    table = pd.read_csv(predictions)
    p = table[["p0", "p1", "p2"]]
    expected = brier_loss(table["y"], p.to_numpy(), sample_weight=table["w"])
    assert document["losses"]["brier_loss"]["mean"] == pytest.approx(expected, rel=1e-12)
    assert document["classes"] == ["bad", "fair", "good"]
    assert main(words) == 0
    assert f"{expected:.6f}" in capsys.readouterr().out


def test_score_takes_the_classes_in_the_order_of_the_columns(
    predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score", str(predictions), "--target", "y", "--proba", "p2,p1,p0", "--json"]
    assert main([*words, "--labels", "good,fair,bad"]) == 0
    document = json.loads(capsys.readouterr().out)
    table = pd.read_csv(predictions)
    expected = categorical_crossentropy(table["y"], table[["p0", "p1", "p2"]].to_numpy())
    mean = document["losses"]["categorical_crossentropy"]["mean"]
    assert mean == pytest.approx(expected, rel=1e-12)


def test_score_shows_the_number_of_infinite_losses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("y,d\n0,-0.2\n1,-1000\n1,0.7\n")
    words = ["score", str(file), "--target", "y", "--decision", "d"]
    assert main(words) == 0
    out = capsys.readouterr().out
    header = next(line.split() for line in out.splitlines() if "std. error" in line)
    assert header[4] == "infinite"
    row = next(line.split() for line in out.splitlines() if "exponential_loss" in line)
    assert (row[1], row[3]) == ("inf", "1")
    file.write_text("y,d\n0,-0.2\n1,-1.0\n1,0.7\n")
    assert main(words) == 0
    assert "infinite" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "yy", "--proba", "p0,p1,p2"], "unknown column for --target 'yy'"),
        (["--target", "y", "--proba", "p0,p1,p3"], "unknown column for --proba 'p3'"),
        (["--target", "y"], "pass --proba or --decision with names of columns"),
        (
            ["--target", "y", "--proba", "p0,p1,p2"],
            "--labels must be set to the classes in the order",
        ),
        (["--target", "y", "--proba", "p0,p1", *LABELS], "there are 3 classes"),
        (["--target", "y", "--proba", "p0,p1,w", *LABELS], "pass --normalize to divide"),
        (
            ["--target", "y", "--proba", "p0,p1,p2", *LABELS, "--losses", "brier_los"],
            "did you mean",
        ),
        (
            ["--target", "y", "--proba", "p0,p1,p2", *LABELS, "--losses", "hinge_loss"],
            "is for two classes",
        ),
        (
            ["--target", "y", "--proba", "p0,p1,y", *LABELS],
            "column y of --proba must contain numbers; got 'fair' in row 0 (counted from 0)",
        ),
    ],
)
def test_score_refuses_bad_input(
    words: list[str], message: str, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(predictions), *words]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--proba", "p"], "are no, yes; write e.g. --labels no,yes: the second is the class"),
        (["--proba", "p", "--labels", "yes"], "got 'yes'; write e.g. --labels no,yes: the second"),
        (
            ["--proba", "p", "--labels", "no,maybe"],
            "column y must contain only the classes 'no', 'maybe'; got 'yes' in row 1; pass "
            "--labels with all classes",
        ),
        (
            ["--proba", "percent", "--labels", "no,yes"],
            "row 0 of column percent has 20; if they are percentages, divide by 100; if they "
            "are raw scores (logits), add --from-logits",
        ),
        (
            ["--proba", "comma", "--labels", "no,yes"],
            "column comma of --proba must contain numbers; got '0,2' in row 0 (counted from 0); "
            "write decimals with a point",
        ),
        (
            ["--proba", "p", "--labels", "no,yes", "--losses", "hinge_loss"],
            "hinge_loss needs decision scores; pass --decision COLUMN",
        ),
        (
            ["--decision", "p", "--labels", "no,yes", "--losses", "brier_loss"],
            "brier_loss needs probabilities; pass --proba COLUMNS",
        ),
        (["--proba", "empty", "--labels", "no,yes"], "column empty"),
    ],
)
def test_errors_of_score_name_columns_and_options(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.csv"
    file.write_text('y,p,percent,comma,empty\nno,0.2,20,"0,2",\nyes,0.7,70,seven,0.5\n')
    assert main(["score", str(file), "--target", "y", *words]) == 2
    err = capsys.readouterr().err
    assert message in err.replace("20.0", "20")
    for word in ("y_pred", "y_true", "ignore_label", "labels=", "from_logits"):
        assert word not in err


def test_score_without_a_label_does_not_offer_a_python_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.csv"
    file.write_text("y,p\n0,0.2\n,0.7\n1,0.5\n")
    assert main(["score", str(file), "--target", "y", "--proba", "p", "--labels", "0,1"]) == 2
    err = capsys.readouterr().err
    assert "column y must not have missing values" in err
    assert "ignore_label" not in err


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b""), ("a.csv", b"\x00\x01\x02"), ("a.parquet", b"y,p\n0,0.5\n"), ("a.txt", b"y")],
)
def test_score_rejects_a_file_with_a_wrong_suffix(
    name: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert main(["score", str(tmp_path / name), "--target", "y", "--proba", "p"]) == 2
    assert name in capsys.readouterr().err


@pytest.mark.slow
def test_ui_serves_the_store_it_is_given(table_csv: Path) -> None:
    import socket
    import urllib.request

    assert main([*RUN, "-q", "models=[prior]"]) == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [*XENTEXP, "ui", "--no-browser", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        (parent,) = runs("comparison")
        assert f"/#/experiments/{parent.info.experiment_id}/runs" in address
        assert f"-{parent.info.run_id[:8]}&" in address
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/health").read() == b"OK"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_ui_rejects_an_empty_store_and_an_invalid_port(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ui", "--no-browser"]) == 1
    assert "start one with `xentexp run`" in capsys.readouterr().err
    assert main([*RUN, "-q", "models=[prior]"]) == 0
    assert main(["ui", "--no-browser", "--port", "70000"]) == 2
    assert "--port must be between 1 and 65535; got 70000" in capsys.readouterr().err


# -- imports ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_does_not_import_heavy_packages(words: list[str]) -> None:
    code = (
        "import sys\nfrom xentexp.experiments._cli import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stderr
    for heavy in ("numpy", "pandas", "sklearn", "hydra", "mlflow", "rich", "scipy"):
        assert f"'{heavy}'" not in loaded
    assert done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"xentexp {__version__}\n"


def test_unknown_commands_and_missing_arguments_exit_with_2() -> None:
    for words in (["rnu"], [], ["score", "a.csv"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2


def test_a_signal_within_a_destructor_ends_the_run() -> None:
    class Connection:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)

    def fits() -> None:
        Connection()  # deleted immediately: an exception in __del__ is discarded
        time.sleep(10)

    with pytest.raises(SystemExit) as ended, _terminable():
        fits()
    assert ended.value.code == 128 + signal.SIGTERM
