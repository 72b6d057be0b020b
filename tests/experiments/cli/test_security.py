"""What SECURITY.md claims: code, files, secrets and hostile text."""

from __future__ import annotations

import inspect
import json
import os
import re
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import all_estimators

from tests.experiments.cli.test_cli import dacon_like
from tests.support.stores import RESULTS_ONLY, client, runs
from xentexp.errors import InputError
from xentexp.experiments._cli import main
from xentexp.experiments._cli.composition import RESOLVERS, check_resolvers
from xentexp.experiments._config.classifiers import TRUSTED, read_candidate
from xentexp.experiments._config.schema import ModelFile

RUN = ["run", *RESULTS_ONLY, "n_jobs=1", "cv.n_splits=2", "dataset=table"]
RUN += ["dataset.path=table.csv", "dataset.target=grade"]
SECRET = "s3cret-Zq9"
ADDRESS = f"http://user:{SECRET}@localhost:1"


@pytest.fixture
def victim(table_csv: Path) -> Path:
    """A file that an attack would copy to ``copied.txt``."""
    (table_csv.parent / "victim.txt").write_text("private")
    return table_csv.parent / "copied.txt"


def model_file(name: str, text: str) -> list[str]:
    folder = Path("mine/models")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(text)
    return ["--config-dir", "mine", f"models=[{name}]"]


# -- code -------------------------------------------------------------------------------------

COPY = "{_target_:shutil.copyfile,src:victim.txt,dst:copied.txt}"


@pytest.mark.parametrize(
    "words",
    [
        [rf'models.logistic.classifier.C="\${{oc.create:{COPY}}}"'],
        [rf'models.logistic.classifier.C="\\\${{oc.create:{COPY}}}"'],
        [f'models.logistic.classifier.C="${{oc.create:{COPY}}}"'],
        [f"models.logistic.classifier.C={COPY}"],
        [f"+models.logistic.classifier.class_weight=[{COPY}]"],
        [f"++models.logistic.classifier={COPY}"],
        [f"++models.logistic.space={{C:[{COPY}]}}", "tune={}"],
        ["+models.logistic.classifier._partial_=true"],
        ["models.logistic.classifier._target_=joblib.load"],
        ["models.logistic.classifier._target_=pandas.read_pickle"],
        ["models.logistic.classifier._target_=hydra.utils.get_method"],
        ["models.logistic.classifier._target_=sklearn.utils._joblib.joblib.load"],
        [f"+hydra.callbacks.x={COPY}"],
        [f"hydra.launcher={COPY}"],
        ["hydra.sweeper._target_=shutil.copyfile", "-m"],
        ["hydra/job_logging=default"],
        ["+hydra.callbacks.x._target_=os.system", "-m"],
        ["hydra.callbacks.x._target_=os.system"],
        ["hydra.launcher._target_=shutil.copyfile", "-m"],
        ["++hydra.launcher._target_=logging.FileHandler", "-m"],
        [f"++hydra.launcher.x={COPY}", "-m"],
        [f"++hydra.sweeper.params.seed={COPY}", "-m"],
        ["++hydra.sweeper.params.seed=${now:%Y}", "-m"],
        [f"++hydra.sweeper.params={{models.logistic.classifier.C: {COPY!r}}}", "-m"],
        ["hydra.job_logging.handlers.x.class=logging.FileHandler"],
        ["++hydra.job_logging.handlers.x.class=logging.FileHandler", "-m"],
        ["++hydra.hydra_logging.formatters.x={'()':os.system}", "-m"],
        ["hydra.searchpath=[pkg://os]"],
        ["hydra.mode=MULTIRUN"],
        ["hydra.help.template=x"],
        ["hydra.job.env_copy=[HOME]"],
        ["hydra.run.dir=${oc.create:{}}"],
        ["hydra/launcher@hydra.callbacks.x=basic", "-m"],
        ["++hydra.job.env_set.LD_PRELOAD=x.so"],
        ["--experimental-rerun", "victim.txt"],
        ["seed=${now:%Y}"],
    ],
)
def test_a_value_cannot_call_code(
    words: list[str], victim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "models=[prior,logistic]", *words]) == 2
    err = capsys.readouterr().err
    assert err.startswith("xentexp: error: ")
    assert err.count("\n") == 1
    assert not victim.exists()
    assert runs("comparison") == []


PIPELINE = "a:\n  preprocessing: none\n  classifier:\n    _target_: sklearn.pipeline.Pipeline\n"
STEP = "    steps: [[a, {_target_: sklearn.linear_model.LogisticRegression, C: %s}]]\n"


@pytest.mark.parametrize(
    "text",
    [
        PIPELINE + STEP % f"'\\${{oc.create:{COPY}}}'",
        PIPELINE + STEP % COPY.replace(":", ": "),
        PIPELINE + STEP % "1.0" + "    memory: folder\n",
        "a:\n  preprocessing: none\n  classifier:\n"
        "    _target_: sklearn.preprocessing.FunctionTransformer\n    func: os.system\n",
        "a:\n  preprocessing: none\n  classifier:\n"
        "    _target_: catboost.CatBoostClassifier\n    output_borders: victim.txt\n",
        "a:\n  preprocessing: none\n  classifier:\n"
        "    _target_: sklearn.model_selection.GridSearchCV\n"
        "    estimator: {_target_: sklearn.pipeline.Pipeline, steps: []}\n"
        "    param_grid: [{memory: [folder]}]\n",
        "a:\n  preprocessing: none\n  classifier:\n"
        "    _target_: sklearn.calibration.CalibratedClassifierCV\n"
        "    estimator: {_target_: catboost.CatBoost, params: {train_dir: folder}}\n",
        # LightGBM joins its parameters to one text, and reads that again.
        "a:\n  preprocessing: none\n  classifier:\n"
        "    _target_: lightgbm.LGBMClassifier\n"
        "    boosting_type: gbdt forcedsplits_filename=victim.txt\n",
        "a:\n  preprocessing: none\n  classifier:\n"
        "    _target_: lightgbm.LGBMClassifier\n    x forcedsplits_filename: victim.txt\n",
        "a:\n  preprocessing: none\n  classifier:\n    _target_: sklearn.dummy.DummyClassifier\n"
        "  space: {strategy: ['prior', 'prior fs=victim.txt']}\n",
        PIPELINE + "    steps: [[v, {_target_: sklearn.feature_extraction.text.CountVectorizer, "
        "input: filename}], [c, {_target_: sklearn.dummy.DummyClassifier}]]\n",
        "# @package _global_\nmodels:\n  a:\n    preprocessing: none\n    classifier:\n"
        "      _target_: sklearn.dummy.DummyClassifier\n"
        f"hydra:\n  callbacks: {{x: {COPY.replace(':', ': ')}}}\n",
        "# @package _global_\nmodels:\n  a:\n    preprocessing: none\n    classifier:\n"
        "      _target_: sklearn.dummy.DummyClassifier\n"
        f"hydra:\n  launcher: {COPY.replace(':', ': ')}\n",
        "# @package _global_\nmodels:\n  a:\n    preprocessing: none\n    classifier:\n"
        "      _target_: sklearn.dummy.DummyClassifier\n"
        "hydra: {job_logging: {handlers: {x: {class: logging.FileHandler, filename: folder}}}}\n",
        "# @package _global_\nmodels:\n  a:\n    preprocessing: none\n    classifier:\n"
        "      _target_: sklearn.dummy.DummyClassifier\n"
        "hydra: {job: {env_set: {LD_PRELOAD: x.so}}}\n",
    ],
)
def test_a_model_file_cannot_call_code(
    text: str, victim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("catboost", "lightgbm"):
        if package in text:
            pytest.importorskip(package)
    assert main([*RUN, *model_file("a", text)]) == 2
    assert capsys.readouterr().err.startswith("xentexp: error: ")
    assert not victim.exists()
    assert Path("victim.txt").read_text() == "private"
    assert not Path("folder").exists()


def _classifiers() -> list[tuple[str, type]]:
    return [(f"{c.__module__}.{name}", c) for name, c in all_estimators(type_filter="classifier")]


@pytest.mark.filterwarnings("ignore:Class PassiveAggressiveClassifier:FutureWarning")
@pytest.mark.parametrize(("target", "cls"), _classifiers())
def test_every_classifier_of_scikit_learn_is_allowed(target: str, cls: type) -> None:
    logistic = {"_target_": "sklearn.linear_model.LogisticRegression"}
    pair = [["a", logistic], ["b", {"_target_": "sklearn.tree.DecisionTreeClassifier"}]]
    parameters = inspect.signature(cls).parameters
    given = {
        key: {"estimator": logistic, "estimators": pair}.get(key, parameter.default)
        for key, parameter in parameters.items()
        if key in ("estimator", "estimators")
        or isinstance(parameter.default, (bool, int, float, str, type(None)))
    }
    model = ModelFile(preprocessing="scaled", classifier={"_target_": target, **given})
    assert type(read_candidate("m", model).estimator["classifier"]) is cls


@pytest.mark.parametrize(
    "classifier",
    [
        {
            "_target_": "sklearn.gaussian_process.GaussianProcessClassifier",
            "kernel": {"_target_": "sklearn.gaussian_process.kernels.RBF", "length_scale": 2.0},
        },
        {
            "_target_": "sklearn.calibration.CalibratedClassifierCV",
            "estimator": {"_target_": "sklearn.svm.LinearSVC"},
            "cv": {"_target_": "sklearn.model_selection.StratifiedKFold", "n_splits": 3},
        },
        {
            "_target_": "sklearn.linear_model.LogisticRegression",
            "class_weight": {"path": 2.0, "_x": 1.0, "> 50K": 1.0},  # labels
        },
        {
            "_target_": "sklearn.model_selection.GridSearchCV",
            "estimator": {"_target_": "sklearn.linear_model.LogisticRegression"},
            "param_grid": [{"C": [0.1, 1.0]}],
        },
    ],
)
def test_parts_of_everyday_models_are_allowed(classifier: dict[str, Any]) -> None:
    candidate = read_candidate("m", ModelFile(preprocessing="scaled", classifier=classifier))
    name = classifier["_target_"].rpartition(".")[2]
    assert type(candidate.estimator["classifier"]).__name__ == name


def test_an_estimator_that_cannot_be_copied_is_an_error_of_the_model() -> None:
    pytest.importorskip("catboost")
    classifier = {"_target_": "catboost.CatBoostClassifier", "loss_function": "x"}
    with pytest.raises(InputError, match=r"^model m: .*x loss is not supported"):
        read_candidate("m", ModelFile(preprocessing="none", classifier=classifier))


def test_a_module_that_is_a_program_does_not_run_when_it_is_named() -> None:
    classifier = {"_target_": "xentexp.__main__.X"}
    with pytest.raises(InputError, match="has no class X"):
        read_candidate("m", ModelFile(preprocessing="none", classifier=classifier))


def test_a_file_that_one_job_of_a_sweep_chooses_is_checked_before_the_first_job(
    victim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "models:\n  a:\n    preprocessing: none\n    classifier: "
    model += "{_target_: sklearn.dummy.DummyClassifier}\n"
    logging = "hydra: {job_logging: {root: {handlers: []}, handlers: {x: {class: os.system}}}}\n"
    words = model_file("a", f"# @package _global_\n{model}{logging}")[:2]
    assert main([*RUN, *words, "-m", "models=[prior],[a]"]) == 2
    assert "hydra.job_logging must not be set" in capsys.readouterr().err
    assert runs("comparison") == []


def test_a_file_cannot_replace_or_choose_a_plug_in(
    victim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path("mine/hydra/launcher")
    folder.mkdir(parents=True)
    file = folder / "basic.yaml"
    file.write_text("_target_: shutil.copyfile\nsrc: victim.txt\n")
    words = [*RUN, "--config-dir", "mine", "models=[prior]", "-m"]
    assert main(words) == 2
    assert "must not have files of the group hydra" in capsys.readouterr().err
    file.unlink()
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    Path("mine/study.yaml").write_text("defaults: [run, override hydra/launcher: joblib, _self_]\n")
    assert main([*words, "--config-name", "study"]) == 2
    assert "hydra/launcher must be chosen on the command line" in capsys.readouterr().err
    assert runs("comparison") == []


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("submitit_launcher", ["hydra/launcher=submitit_slurm", "hydra.launcher.setup=[touch x]"]),
        ("submitit_launcher", ["hydra/launcher=submitit_slurm", 'hydra.launcher.qos="a\nb"']),
        ("joblib_launcher", ["hydra/launcher=joblib", 'hydra.launcher.pre_dispatch="f()"']),
        ("optuna_sweeper", ["hydra/sweeper=optuna", "hydra.sweeper.custom_search_space=os.system"]),
        (
            "optuna_sweeper",
            ["hydra/sweeper=optuna", "hydra.sweeper.sampler._target_=shutil.copyfile"],
        ),
    ],
)
def test_parameters_of_a_plug_in_are_data(
    package: str, words: list[str], victim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{package}")
    assert main([*RUN, "models=[prior]", "-m", *words]) == 2
    err = capsys.readouterr().err
    assert "hydra.launcher." in err or "hydra.sweeper." in err
    assert runs("comparison") == []


@pytest.mark.slow
def test_a_secret_is_hidden_in_jobs_of_other_processes(
    table_csv: Path,
    new_workers: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    monkeypatch.setenv("MY_PASS", SECRET)
    words = ["models=[prior]", "-m", "seed=0,1", "hydra/launcher=joblib"]
    assert main([*RUN, *words, "dataset.target=${oc.env:MY_PASS}", "--json"]) == 2
    assert main([*RUN, *words, "tracking.experiment=to ${oc.env:MY_PASS}", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err.count("dataset.target") >= 2
    assert SECRET not in out + err
    assert SECRET.encode() not in stored_bytes()


def test_a_package_is_imported_only_if_the_user_trusts_it(
    table_csv: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("own_package.py").write_text(
        "from pathlib import Path\nfrom sklearn.dummy import DummyClassifier\n"
        "Path('imported.txt').touch()\nclass Own(DummyClassifier):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(table_csv.parent))
    own = "own:\n  preprocessing: none\n  classifier: {_target_: own_package.Own}\n"
    words = [*RUN, *model_file("own", own), "-q"]
    assert main(words) == 2
    assert "name it with --trust PACKAGE" in capsys.readouterr().err
    assert not Path("imported.txt").exists()
    assert main([*words, "--trust", "own"]) == 2  # a package, not the start of its name
    assert not Path("imported.txt").exists()
    assert main([*words, "--trust", "own_package"]) == 0
    assert Path("imported.txt").exists()


def test_a_search_path_in_a_file_is_not_used(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine/own_configs").mkdir(parents=True)
    Path("mine/own_configs/__init__.py").write_text("raise SystemExit('imported')")
    Path("mine/study.yaml").write_text(
        "defaults: [run, _self_]\nhydra: {searchpath: ['pkg://own_configs']}\n"
    )
    monkeypatch.syspath_prepend(str(table_csv.parent / "mine"))
    words = ["--config-dir", "mine", "--config-name", "study", "models=[prior]", "-q"]
    assert main([*RUN, *words]) == 0


@pytest.mark.parametrize(
    "text", ["${oc.${x}:1}", "${${x}:1}", "${oc.env:A,${oc.create:1}}", "${${x}.create:{a: 1}}"]
)
def test_the_name_of_a_resolver_cannot_be_computed(text: str) -> None:
    with pytest.raises(InputError, match="interpolations must name another key or use"):
        check_resolvers({"a": [text]})


@pytest.mark.parametrize("text", ["${a.${b}}", "${a}:${b}", "${oc.env:A,${b}}", "${oc.env:A}:1"])
def test_references_to_keys_are_allowed(text: str) -> None:
    check_resolvers({"a": [text]})


def _bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefghi")]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_bomb(), "the aliases of .*study.yaml must stand for at most 100000 values"),
        ("defaults: [run, _self_]\nseed: !!python/name:os.system\n", "constructor for the tag"),
        (f"defaults: [run, _self_]\nseed: {'[' * 3000}{']' * 3000}\n", "is nested too deeply"),
        ("defaults: [study]\n", "its defaults list names itself"),
        ("defaults: ['pkg://os@x']\n", "the configuration has no group 'pkg:'"),
        ("seed: 1\n", r"must begin with defaults: \[run, _self_\]"),
    ],
)
def test_a_configuration_file_cannot_run_code_or_expand_without_bound(
    text: str, message: str, table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").mkdir()
    Path("mine/study.yaml").write_text(text)
    assert main([*RUN, "models=[prior]", "--config-dir", "mine", "--config-name", "study"]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_aliases_of_a_file_are_values(table_csv: Path) -> None:
    Path("mine").mkdir()
    Path("mine/study.yaml").write_text(
        "defaults: [run, _self_]\nleaderboard: &shown [brier_loss]\nlosses: *shown\n"
        "metrics: []\nprimary: brier_loss\n"
    )
    words = ["--config-dir", "mine", "--config-name", "study", "models=[prior]", "-q"]
    assert main([*RUN, *words]) == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_among_the_configuration_files_is_not_read(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").mkdir()
    os.mkfifo("mine/study.yaml")
    assert main([*RUN, "--config-dir", "mine", "--config-name", "study"]) == 2
    assert "--config-dir must have only files and folders" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../study", "/etc/passwd", "missing", ""])
def test_a_configuration_outside_the_folder_is_not_read(
    name: str, table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").mkdir()
    Path("study.yaml").write_text("defaults: [run]\n")
    assert main([*RUN, "--config-dir", "mine", "--config-name", name]) == 2
    assert "must be the name of a file of --config-dir" in capsys.readouterr().err


def test_the_document_names_what_the_code_allows() -> None:
    text = (Path(__file__).parents[3] / "SECURITY.md").read_text()
    for name in (*RESOLVERS, "--trust", "overwrite=true", "xentexp.losses"):
        assert f"{name}`" in text or f" {name} " in text, name
    names = {"sklearn": "scikit-learn", "lightgbm": "LightGBM"}
    names |= {"xgboost": "XGBoost", "catboost": "CatBoost"}
    for package in TRUSTED:
        assert names.get(package, package) in text


# -- files ------------------------------------------------------------------------------------


@pytest.fixture
def dacon(workplace: Path) -> list[str]:
    dacon_like(workplace)
    words = ["run", "dataset=dacon", f"dataset.path={workplace}", "models=[prior]"]
    return [*words, "n_jobs=1", "cv.n_splits=2", "-q"]


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
@pytest.mark.parametrize("more", [[], ["overwrite=true"]])
def test_a_submission_never_replaces_a_file_that_was_read(
    link: object, more: list[str], dacon: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("train.csv").read_bytes()
    if callable(link):
        link("train.csv", "other.csv")
    name = "other.csv" if link else "train.csv"
    assert main([*dacon, f"submission={name}", *more]) == 2
    assert "must not be a file that the command reads" in capsys.readouterr().err
    assert Path("train.csv").read_bytes() == before
    assert main([*dacon, "submission=mlflow.db", "overwrite=true"]) == 2
    assert "mlflow.db; choose another name" in capsys.readouterr().err


def test_a_submission_replaces_a_file_only_if_allowed(
    dacon: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("sub.csv").write_text("mine")
    assert main([*dacon, "submission=sub.csv"]) == 2
    assert "sub.csv exists; choose another name, or set overwrite=true" in capsys.readouterr().err
    assert Path("sub.csv").read_text() == "mine"
    assert runs("comparison") == []  # before any fit
    assert main([*dacon, "submission=sub.csv", "overwrite=true"]) == 0
    assert list(pd.read_csv("sub.csv").columns) == ["index", "0", "1", "2"]
    assert not list(Path().glob(".sub.csv*"))


def test_a_database_of_another_program_is_not_changed(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = sqlite3.connect("other.db")
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    before = Path("other.db").read_bytes()
    for words in ([*RUN, "models=[prior]", "tracking.uri=other.db"], ["ui", "--store", "other.db"]):
        assert main(words) == 2
        assert "it has tables of another program" in capsys.readouterr().err
    assert Path("other.db").read_bytes() == before


# -- secrets ----------------------------------------------------------------------------------


def stored_bytes() -> bytes:
    """All files that a run left, except the table and the model files of the user."""
    files = [p for p in Path().rglob("*") if p.is_file() and p.parts[0] != "mine"]
    return b"".join(p.read_bytes() for p in files if p.name not in ("table.csv", "hidden.csv"))


@pytest.mark.parametrize("more", [[], ["--json"], ["--debug"], ["-m", "seed=0,1"]])
@pytest.mark.parametrize(
    "word",
    [
        f"tracking.uri=postgresql://ann:{SECRET}@db.invalid/runs",
        f"tracking.uri=http://ann:{SECRET}@127.0.0.1:9/x",
        f"tracking.uri=https://127.0.0.1:9/?token={SECRET}",
        f"tracking.uri=ftp://ann:{SECRET}@h/x",
        f"tracking.experiment=${{oc.env:MY_PASS}}{'x' * 600}",
        "dataset.target=${oc.env:MY_PASS}",
        "seed=${oc.env:MY_PASS}",
        f"seed=https://ann:{SECRET}@h/x",
    ],
)
def test_a_secret_is_in_no_error(
    word: str,
    more: list[str],
    table_csv: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_PASS", SECRET)
    main([*RUN, "models=[prior]", word, *more])
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert SECRET.encode() not in stored_bytes()


@pytest.mark.parametrize("storage", [f"postgresql://ann:{SECRET}@h/x", f"mysql://h/?pwd={SECRET}"])
def test_the_storage_of_trials_is_shown_without_its_password(
    storage: str, table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    assert main([*RUN, "experiment=tune", f"tune.storage={storage}"]) == 2
    err = capsys.readouterr().err
    assert "storage must be an SQLite file" in err
    assert SECRET not in err


def test_a_secret_is_in_no_output_and_not_in_the_store(
    table_csv: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret is a value of oc.env, a token in the environment and part of an address."""
    monkeypatch.setenv("MY_PASS", SECRET)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", f"tok-{SECRET[::-1]}")
    text = (
        "own:\n  preprocessing: none\n  classifier:\n"
        "    _target_: sklearn.dummy.DummyClassifier\n    strategy: constant\n"
        "    constant: x ${oc.env:MY_PASS}\n"  # its error shows the value
        "good:\n  preprocessing: none\n  classifier:\n"
        "    _target_: sklearn.dummy.DummyClassifier\n"
    )
    words = [
        *RUN,
        *model_file("own", text),
        f"+models.own.classifier.random_state=tok-{SECRET[::-1]}",
    ]
    words += ["tracking.experiment=to ${oc.env:MY_PASS}"]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert "own" in err
    assert main([*words, "--json", "--quiet"]) == 1
    for text in (out + err, "".join(capsys.readouterr())):
        assert SECRET not in text
        assert SECRET[::-1] not in text
    assert SECRET.encode() not in stored_bytes()
    assert SECRET[::-1].encode() not in stored_bytes()
    (run, *_) = runs("comparison")
    config = Path(client().download_artifacts(run.info.run_id, "config/config.yaml")).read_text()
    assert "constant: x ${oc.env:MY_PASS}" in config


def test_numbers_of_the_environment_are_not_stored_in_the_configuration(
    table_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_C", "0.125")
    words = [
        "models=[logistic]",
        'models.logistic.classifier.C="${oc.decode:${oc.env:MY_C}}"',
        "-q",
    ]
    assert main([*RUN, *words]) == 0
    (run,) = runs()
    config = Path(client().download_artifacts(run.info.run_id, "config/config.yaml")).read_text()
    assert "${oc.env:MY_C}" in config
    assert "0.125" not in config


def test_cfg_shows_no_password(table_csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, f"tracking.uri=mysql://ann:{SECRET}@h/x", "--cfg", "job"]) == 0
    out = capsys.readouterr().out
    assert "uri: mysql://ann:***@h/x" in out
    assert SECRET not in out


# -- hostile text -----------------------------------------------------------------------------

HOSTILE = [
    "[b]bold[/b]",
    "[/b]",
    "a\x1b[31mred\x07",
    "<script>alert(1)</script>",
    "=1+1|x",
    "\u202eevil",
]


def test_hostile_labels_columns_and_file_names_are_shown_as_they_are(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame({name: rng.normal(size=n) for name in HOSTILE})
    frame["[/red] class"] = rng.choice(HOSTILE[:4], n)
    frame.to_csv("[b]a <i>.csv", index=False)
    words = ["run", "dataset=table", "dataset.path=[b]a <i>.csv", "n_jobs=1"]
    words += ["dataset.target=[/red] class", "models=[prior]", "cv.n_splits=2"]
    assert main(words) == 0
    shown = "".join(capsys.readouterr())
    assert "[b]a <i>.csv" in shown
    (run,) = runs("comparison")
    note = run.data.tags["mlflow.note.content"]
    assert "<i>" not in note
    assert "&lt;i>" in note
    for command in (
        ["datasets", "table", "path=[b]a <i>.csv", "target=[/red] class"],
        ["leaderboard"],
        [
            "score",
            "[b]a <i>.csv",
            "--target",
            "[/red] class",
            "--decision",
            ",".join(HOSTILE[:4]),
            "--labels",
            ",".join(HOSTILE[:4]),
        ],
    ):
        code = main(command)
        shown = "".join(capsys.readouterr())
        assert code == 0, shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        if command[0] == "score":
            assert "class [b]bold[/b]" in shown.replace("\n", " ")
            assert r"a\x1b[31mred" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["leaderboard", ADDRESS],
        ["ui", "--port", ADDRESS],
        ["score", "table.csv", "--target", "y", "--header", ADDRESS],
        ["losses", "brier_loss", ADDRESS],
        ["datasets", f"--jsn={ADDRESS}"],
        [ADDRESS],
    ],
)
def test_errors_about_the_syntax_of_a_command_have_no_password(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*words, "\x1b[31m"])
    err = capsys.readouterr().err
    assert "http://user:***@localhost" in err
    assert SECRET not in err
    assert "\x1b" not in err


def test_errors_have_one_line_whatever_the_names_contain(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, 'dataset.drop=["x\ny\x1b[31m"]']) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_formulas_are_text_in_a_submission() -> None:
    from xentexp.experiments._formatting import harmless

    for cell in ("=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)", " =1"):
        assert str(harmless(cell)).startswith("'")
        assert harmless(cell) == f"'{cell}"
    for cell in ("-5", "+1e3", "a=b", 3, -2.5):
        assert harmless(cell) == cell


def test_a_submission_of_a_sweep_keeps_the_first_file(
    dacon: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*dacon, "-m", "seed=0,1", "submission=sub.csv", "--json"]) == 2
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 1
    assert "[dataset=dacon" in err  # the job that failed
    assert "seed=1 " in err
