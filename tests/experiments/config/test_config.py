"""The configuration: composition by Hydra, and errors that name the nearest valid names."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args

import hydra
import pandas as pd
import pytest
from omegaconf import OmegaConf

from xentexp.errors import InputError
from xentexp.experiments._cli.conf import conf_folder
from xentexp.experiments._config import classifiers
from xentexp.experiments._config.schema import Grouped, Holdout, Repeated, Stratified, TimeOrdered
from xentexp.experiments._config.study import _submission, build
from xentexp.experiments._engines.choose import ENGINES
from xentexp.experiments._explain import Explain
from xentexp.experiments._folds import CV_OPTIONS
from xentexp.experiments.datasets import DATASETS, TestSet, load_dataset

SMALL = ["dataset=simulated_delinquency", "dataset.n_samples=300", "models=[prior,logistic]"]


def compose(*overrides: str) -> dict[str, Any]:
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = OmegaConf.to_container(hydra.compose("run", list(overrides)), resolve=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def test_the_default_configuration() -> None:
    config = compose()
    assert config["dataset"]["name"] == "uci_default"
    assert list(config["models"]) == [
        "prior",
        "logistic",
        "random_forest",
        "hist_gradient_boosting",
        "mlp",
        "linear_svm",
        "linear_svm_calibrated",
        "log",  # not a model
    ]
    assert config["cv"] == {"kind": "stratified", "n_splits": 5}


def test_build_makes_the_configured_objects() -> None:
    study = build(compose(*SMALL, "cv=repeated", "cv.n_splits=3", "cv.n_repeats=2", "seed=4"))
    assert [candidate.name for candidate in study.candidates] == ["prior", "logistic"]
    assert len(study.folds) == 6
    assert study.seed == 4
    assert study.losses is None
    assert study.metrics is None
    assert {"categorical_crossentropy", "gini", "calibration_slope"} < set(study.shown)
    assert study.experiment == "simulated_delinquency"
    logistic = study.candidates[1]
    assert logistic.parameters["classifier.C"] == 1.0
    assert logistic.parameters["classifier"] == "sklearn.linear_model.LogisticRegression"


@pytest.mark.long
def test_the_seed_reaches_models_data_and_folds() -> None:
    def study(seed: int) -> Any:
        return build(compose("dataset=simulated_delinquency", "models=[mlp]", f"seed={seed}"))

    one, two = study(1), study(2)
    assert one.candidates[0].estimator.named_steps["classifier"].random_state == 1
    assert one.dataset.digest != two.dataset.digest
    assert one.folds[0].test.tolist() != two.folds[0].test.tolist()


def test_the_hash_depends_on_what_changes_results() -> None:
    def digest(*overrides: str) -> str:
        return build(compose(*SMALL, *overrides)).config_hash

    assert digest() == digest("n_jobs=1", "tracking.experiment=x", "leaderboard=[gini]")
    assert digest() != digest("metrics=[gini]")
    assert digest() != digest("seed=1")
    assert digest() != digest("models.logistic.classifier.C=2.0")


@pytest.mark.parametrize(
    "overrides", [["engine=threads"], ["engine=dask"], ["engine=ray"], ["threads_per_fit=1"]]
)
def test_the_engine_does_not_change_the_hash(overrides: list[str]) -> None:
    assert build(compose(*SMALL, *overrides)).config_hash == build(compose(*SMALL)).config_hash


def test_the_engine_of_the_configuration() -> None:
    study = build(compose(*SMALL, "engine=dask", "engine.n_workers=3", "threads_per_fit=2"))
    assert (study.engine.name, study.engine.address, study.engine.n_workers) == ("dask", None, 3)
    assert study.threads_per_fit == 2
    assert study.config_hash != build(compose(*SMALL)).config_hash  # the last digits may differ
    ray = build(compose(*SMALL, "engine=ray", "engine.address=auto")).engine
    assert (ray.name, ray.address) == ("ray", "auto")
    assert build(compose(*SMALL)).engine.name == "local"


def test_every_choice_has_a_file() -> None:
    def stems(group: str) -> set[str]:
        return {path.stem for path in (conf_folder() / group).glob("*.yaml")}

    assert stems("dataset") == set(DATASETS)
    assert stems("cv") == set(CV_OPTIONS)
    assert stems("engine") == set(ENGINES)


def test_every_cv_file_has_the_options_of_its_kind() -> None:
    for kind, options in CV_OPTIONS.items():
        config = compose(f"cv={kind}")["cv"]
        assert set(config) == {"kind", *options}
        assert config["kind"] == kind


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["engine.name=dusk"], "unknown engine 'dusk'; did you mean 'dask'"),
        (["engine=dask", "engine.n_workers=0"], "engine.n_workers must be an integer >= 1, or nul"),
        (["engine=dask", "engine.address=3"], "engine.address must be an address such as tcp"),
        (
            ["engine=dask", "engine.address=tcp://127.0.0.1:8786", "engine.n_workers=2"],
            "n_workers is for workers on this computer; got n_workers=2 with address=tcp",
        ),
        (["engine=dask", "engine.address=tcp://me:secret@h:1"], "a user name or password; got ano"),
        (["engine=dask", "engine.address=auto"], "address of the Dask cluster must be tcp"),
        (["engine=dask", "engine.address=h:65536"], "address of the Dask cluster must be tcp"),
        (["engine=ray", "engine.address=here"], "address of the Ray cluster must be auto"),
        (["+engine.address=tcp://127.0.0.1:1"], "unknown key of engine=local 'address'"),
        (["threads_per_fit=0"], "threads_per_fit must be an integer from 1 to 4096; got 0"),
        (["+typo=1"], "unknown configuration key 'typo'"),
        (["+sed=1"], "unknown configuration key 'sed'; did you mean 'seed'"),
        (["+tracking.url=x"], "unknown key of tracking 'url'; did you mean 'uri'"),
        (["+cv.n_repeats=2"], "unknown key of cv=stratified 'n_repeats'"),
        (["+dataset.n_sampels=3"], "did you mean 'n_samples'"),
        (["+models.logistic.step=1"], "unknown key of models.logistic 'step'"),
        (["+models.logistic.classifier.tool=1"], "did you mean 'tol'"),
        (["~cv.n_splits"], "cv.n_splits must be set; it has no default"),
        (["dataset.name=nope"], "unknown data set 'nope'"),
        (["dataset.name=null"], "dataset.name must be the name of a data set"),
        (["models.logistic.preprocessing=scale"], "did you mean 'scaled'"),
        (["seed=1.5"], "seed must be an integer from 0 to 4294967295; got 1.5"),
        (["seed=true"], "seed must be an integer"),
        (
            ["n_jobs=0"],
            "n_jobs must be a number of fits from 1 to 4096, or -1 for all cores; got 0",
        ),
        (["losses=[]"], "losses must be a list of names, or null for all"),
        (["losses=[log_lost]"], "unknown loss 'log_lost'; did you mean 'log_loss'"),
        (["losses={a: 1}"], "losses must be a list of names"),
        (["leaderboard=[]"], "leaderboard must be a list of names, or null for all"),
        (["leaderboard=[ginni]"], "unknown loss or metric 'ginni'"),
        (["metrics=[ginni]"], "unknown loss or metric 'ginni'; did you mean 'gini'"),
        (["metrics=[brier_loss]"], "brier_loss is a loss; add it to losses instead"),
        (["metrics=[ks_statistic]"], "ks_statistic is for two classes; there are 3"),
        (["losses=[auc]"], "roc_auc is a metric of the whole data set; add it to metrics="),
        (["+samples=[gini]"], "samples is now called metrics; set metrics instead"),
        (["metrics=3"], "metrics must be a list of names"),
        (["primary=null"], "unknown loss or metric None"),
        (["cv.kind=x"], "unknown cv 'x'. Known: stratified, repeated, grouped"),
        (["cv=holdout", "cv.n_test=0.2"], "cv.n_test must be a number of rows, an integer >= 1"),
        (["cv=grouped", "cv.groups=age"], r"got 'age'; write cv.groups=\[age\]"),
        (["leakage.key=age"], r"got 'age'; write leakage.key=\[age\]"),
        (["~cv.kind"], "cv must have a 'kind'; choose cv=NAME"),
        (["cv.n_splits=true"], "cv.n_splits must be an integer >= 2; got True"),
        (["cv.n_splits='5'"], "cv.n_splits must be an integer >= 2; got '5'"),
        (["cv.n_splits=5.0"], "cv.n_splits must be an integer >= 2; got 5.0"),
        (["n_jobs=-2"], "n_jobs must be a number of fits from 1 to 4096, or -1"),
        (["losses=[brier_los]"], "losses: unknown loss 'brier_los'; did you mean 'brier_loss'"),
        (["published={}"], "published must be a section with keys; got {}"),
        (["published={prior:{}}"], "published.prior must be a section with keys; got {}"),
        (
            ["published={prior:{brier_loss:{value:nan,within:1}}}"],
            "published.prior.brier_loss.value must be a finite number; got nan",
        ),
        (
            ["published={prior:{brier_loss:{value:0,within:inf}}}"],
            "published.prior.brier_loss.within must be a finite number >= 0; got inf",
        ),
        (
            ["published={prior:{brier_loss:{value:true,within:1}}}"],
            "published.prior.brier_loss.value must be a finite number; got True",
        ),
        (["train_on=[]"], "train_on must be a list of losses, or null; got \\[\\]"),
        (["train_on=3"], "train_on must be a list of losses, or null; got 3"),
        (["train_on=[3]"], "train_on must be a list of losses: names, or sections with a loss"),
        (["train_on={los:brier_loss}"], "unknown key of train_on 'los'; did you mean 'loss'"),
        (["train_on={name:mine}"], "train_on.loss must be set"),
        (["train_on={loss:brier_loss,loss_params:3}"], "train_on.loss_params must be a section"),
        (
            ["train_on={loss:brier_loss,label_smoothing:x}"],
            "train_on.label_smoothing must be a fin",
        ),
        (
            ["leakage.key=[3]"],
            "leakage.key must be a list of columns, e.g. .age,job., or null; got 3",
        ),
        (["curves=3"], "curves must be a list of names, or null; got 3"),
        (["leakage.check=compar"], "unknown leakage.check 'compar'; did you mean 'compare'"),
        (["leakage.key=[]"], "leakage.key must be a list of columns"),
        (["report.mute=[X2O5]"], "unknown check 'X2O5'; did you mean 'X205'"),
        (["submission=[a]"], "submission must be text; got"),
        (["submission=x.csv"], "submission needs test rows, but data set simulated_del"),
    ],
)
def test_invalid_configurations_are_rejected(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(compose(*SMALL, *overrides))


def test_each_kind_of_cv_has_the_keys_that_cross_validation_takes() -> None:
    kinds = (Stratified, Repeated, Grouped, TimeOrdered, Holdout)
    keys = {get_args(kind.model_fields["kind"].annotation)[0]: kind.model_fields for kind in kinds}
    assert {kind: tuple(fields)[1:] for kind, fields in keys.items()} == CV_OPTIONS


def test_each_model_is_instantiated_once_for_each_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    instantiate = classifiers.instantiate

    def counted(node: Any, *trusted: Any) -> Any:
        if isinstance(node, dict) and "_target_" in node:  # its parameters are instantiated too
            made.append(node.get("loss", "-"))
        return instantiate(node, *trusted)

    monkeypatch.setattr(classifiers, "instantiate", counted)
    crossed = ["train_on=[brier_loss,exponential_loss]", "curves=[]", "models=[linear]"]
    build(compose(*SMALL, *crossed))
    assert made == ["brier_loss", "exponential_loss"]
    made.clear()
    build(compose(*SMALL, "models=[prior,linear]", "curves=[brier_loss]"))
    assert made == ["-", "categorical_crossentropy"]
    made.clear()
    with pytest.raises(
        InputError, match="train_on needs models with the parameter loss, but model logistic"
    ):
        build(compose(*SMALL, "models=[logistic]", "train_on=[brier_loss]"))
    assert made == []


def test_a_number_is_not_a_section() -> None:
    with pytest.raises(InputError, match="cv must be a section with keys; got 3"):
        build({**compose(*SMALL), "cv": 3})


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        (
            {"_target_": "os.system", "command": "true"},
            "must be in a trusted package .*got 'os.system'",
        ),
        (
            {"_target_": "joblib.load", "filename": "x"},
            "must be in a trusted package .*got 'joblib.load'",
        ),
        ({"_target_": "sklearn.os.system"}, "must be the class of an estimator|does not exist"),
        ({"_target_": "sklearn.datasets.load_iris"}, "must be the class of an estimator"),
        (
            {"_target_": "sklearn.linear_model.LogisticRegresion"},
            "sklearn.linear_model has no class LogisticRegresion; did you mean LogisticRegression",
        ),
        ({"_target_": "sklearn.tree.Stump"}, "sklearn.tree has no class Stump; check _target_"),
        ({"_target_": "sklearn.nothing.Here"}, "the module sklearn.nothing does not exist"),
        ({"_target_": "sklearn.linear_model.LinearRegression"}, "must be a classifier"),
        (
            {"C": 1.0},
            r"models.mine.classifier._target_ must be the import path of a class; got None",
        ),
        ("logistic", "models.mine.classifier must be a section with keys; got 'logistic'"),
        (
            {"_target_": "sklearn.linear_model.LogisticRegression", "_partial_": True},
            "the key _partial_ is not allowed",
        ),
        (
            {
                "_target_": "sklearn.calibration.CalibratedClassifierCV",
                "estimator": {"_target_": "os.system", "command": "true"},
            },
            "must be in a trusted package .*got 'os.system'",
        ),
        (
            {
                "_target_": "sklearn.pipeline.Pipeline",
                "steps": [["a", {"_target_": "os.system", "command": "true"}]],
            },
            "must be in a trusted package .*got 'os.system'",
        ),
    ],
)
def test_a_model_file_may_only_name_trusted_classifiers(classifier: Any, message: str) -> None:
    config = compose(*SMALL)
    config["models"] = {"mine": {"preprocessing": "none", "classifier": classifier}}
    with pytest.raises(InputError, match=message):
        build(config)


def test_a_submission_is_checked_before_anything_is_fitted(tmp_path: Path) -> None:
    data = load_dataset("simulated_delinquency", n_samples=300)
    rows = TestSet(data.X[:5], pd.Series(range(5)), "index", ("0", "1", "2"))
    data = dataclasses.replace(data, test=rows)
    assert _submission(str(tmp_path / "a.csv"), data) == tmp_path / "a.csv"
    with pytest.raises(InputError, match=r"the folder .* does not exist"):
        _submission(str(tmp_path / "absent" / "a.csv"), data)
    with pytest.raises(InputError, match="must be a file"):
        _submission(str(tmp_path), data)
    with pytest.raises(InputError, match="have only the classes 0, 1"):
        _submission("a.csv", dataclasses.replace(data, classes=(0, 1)))


def test_errors_and_notes_of_a_table_name_keys_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "loans.csv"
    path.write_text("day,y\n" + "01/02/2020,1\n03/04/2020,0\n" * 10)
    table = ["dataset=table", f"dataset.path='{path}'", "dataset.target=y", "models=[prior]"]
    study = build(compose(*table))
    assert study.dataset.card.notes[0].endswith(
        "set dataset.dayfirst=true or dataset.dayfirst=false"
    )
    with pytest.raises(InputError, match=r"^dataset.target must not be in dataset.drop; got 'y'"):
        build(compose(*table, "dataset.drop=[y]"))


@pytest.mark.parametrize(
    "words", [["cv=time_ordered", "cv.time_column=day"], ["leakage.key=[day]"]]
)
def test_a_column_that_orders_or_groups_rows_must_not_be_dropped(
    words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "loans.csv"
    path.write_text("day,x,y\n" + "2020-01-02,1,1\n2020-01-03,2,0\n" * 10)
    table = ["dataset=table", f"dataset.path='{path}'", "dataset.target=y", "models=[prior]"]
    with pytest.raises(InputError, match=r"must be features; got 'day', which is in dataset.drop"):
        build(compose(*table, "dataset.drop=[day]", *words))


def test_explanations_can_be_switched_off() -> None:
    study = build(compose(*SMALL, "explain.n_rows=100", "seed=3"))
    assert study.explain == Explain(importance=True, segments=True, n_rows=100, seed=3)
    for override in ("explain=null", "explain=false"):
        off = build(compose(*SMALL, override, "seed=3"))
        assert off.explain is None
        assert off.config_hash == study.config_hash
    neither = ("explain.importance=false", "explain.segments=false")
    assert build(compose(*SMALL, *neither)).explain is None
    assert compose("experiment=loss_matrix")["explain"] is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("explain=true", "explain must be a section with importance, segments and n_rows, or null"),
        ("explain.n_rows=0", "explain.n_rows must be an integer from 1 to 1000000; got 0"),
        ("explain.segments=maybe", "explain.segments must be true or false; got 'maybe'"),
    ],
)
def test_bad_sections_of_explanations(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(compose(*SMALL, override))
