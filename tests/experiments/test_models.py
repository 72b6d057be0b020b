"""Models by name: each file makes a pipeline that accepts categories and missing values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import clone
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from xentexp.errors import InputError
from xentexp.experiments._cli.conf import conf_folder
from xentexp.experiments._config.classifiers import read_candidate
from xentexp.experiments._config.schema import ModelFile
from xentexp.experiments._models import (
    PREPROCESSING,
    EncodedLabels,
    FrequentCategories,
    seeded,
    tabular_pipeline,
)

MODELS = sorted((conf_folder() / "models").glob("*.yaml"))
PACKAGES = {  # model file: the package of an extra that it requires
    "lightgbm": "lightgbm",
    "lightgbm_loss": "lightgbm",
    "xgboost": "xgboost",
    "xgboost_loss": "xgboost",
    "catboost": "catboost",
    "catboost_entity": "catboost",
    "catboost_loss": "catboost",
    "network": "torch",
}


def messy(n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers, categories and missing values; `empty` has no value at all."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    frame = pd.DataFrame(
        {
            "income": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(size=n) + y),
            "count": rng.integers(0, 9, n),
            "empty": np.full(n, np.nan),
            "job": pd.Categorical(rng.choice(["cook", "clerk", None], n)),
        }
    )
    return frame, y


def load(path: Path, seed: int = 0) -> dict:
    return yaml.safe_load(path.read_text().replace("${seed}", str(seed)))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_each_model_file_fits_messy_tables(path: Path) -> None:
    (name, config), *others = load(path).items()
    assert name == path.stem
    assert not others
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    built = read_candidate(name, ModelFile(**config))
    X, y = messy(150, 0)
    model = clone(built.estimator).fit(X, y)
    new, _ = messy(40, 1)
    new["job"] = new["job"].cat.add_categories("pilot").where(new.index > 3, "pilot")
    if hasattr(model, "predict_proba"):
        proba = np.asarray(model.predict_proba(new))
        assert proba.shape == (40, 3)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-6)
    else:
        assert model.decision_function(new).shape == (40, 3)
    assert list(np.asarray(model.classes_)) == [0, 1, 2]


def test_labels_of_any_kind_are_encoded_for_those_that_need_it() -> None:
    X, codes = messy(150, 0)
    y = np.array(["good", "bad", "fair"])[codes]
    inner = DecisionTreeClassifier(max_depth=2, random_state=0)
    model = tabular_pipeline(EncodedLabels(inner), "ordinal").fit(X, y)
    plain = tabular_pipeline(inner, "ordinal").fit(X, y)
    assert list(model.classes_) == ["bad", "fair", "good"]
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))
    assert model.named_steps["classifier"].estimator_.classes_.tolist() == [0, 1, 2]


def test_only_the_svm_has_no_probabilities() -> None:
    without = []
    for path in MODELS:
        ((name, config),) = load(path).items()
        if name not in PACKAGES:
            estimator = read_candidate(name, ModelFile(**config)).estimator
            X, y = messy(150, 0)
            if not hasattr(estimator.fit(X, y), "predict_proba"):
                without.append(name)
    assert without == ["linear_svm"]


def test_scaling_uses_the_median_mean_and_deviation_of_the_training_rows() -> None:
    X = pd.DataFrame({"a": [0.0, 2.0, np.nan], "b": pd.Categorical(["x", "y", "x"])})
    pipeline = tabular_pipeline(LogisticRegression(), "scaled").fit(X, [0, 1, 0])
    step = pipeline.named_steps["preprocessing"]
    # The missing value becomes the median, 1. The mean is 1: (-1, 1, 0) / standard deviation.
    scaled = step.transform(X)[:, 0]
    np.testing.assert_allclose(scaled, np.array([-1.0, 1.0, 0.0]) / np.sqrt(2 / 3))


def test_frequent_categories_are_those_of_the_training_part() -> None:
    train = pd.DataFrame({"job": list("aaabbc"), "n": range(6)})
    step = FrequentCategories(max_categories=2).fit(train)
    new = step.transform(pd.DataFrame({"job": ["a", "b", "c", "d"], "n": range(4)}))
    assert new["job"].cat.categories.tolist() == ["a", "b"]
    assert new["job"].isna().tolist() == [False, False, True, True]
    assert new["n"].tolist() == [0, 1, 2, 3]


def test_unknown_preprocessing_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'scaled'"):
        tabular_pipeline(LogisticRegression(), "scale")
    assert set(PREPROCESSING) == {
        "scaled", "ordinal", "native", "entity", "entity_ordinal", "none"
    }  # fmt: skip


def test_missing_seeds_are_set_at_every_depth_and_others_stay() -> None:
    model = VotingClassifier(
        [
            ("bag", BaggingClassifier(SGDClassifier(), random_state=3)),
            ("nystroem", make_pipeline(Nystroem(), SGDClassifier(random_state=4))),
            ("boost", EncodedLabels(HistGradientBoostingClassifier())),
            ("prior", LinearSVC()),
        ]
    )
    pipeline = tabular_pipeline(model)
    copy, names = seeded(pipeline, 7)
    assert {name: value for name, value in copy.get_params().items() if "random_state" in name} == {
        "classifier__bag__random_state": 3,
        "classifier__bag__estimator__random_state": 7,
        "classifier__nystroem__nystroem__random_state": 7,
        "classifier__nystroem__sgdclassifier__random_state": 4,
        "classifier__boost__estimator__random_state": 7,
        "classifier__prior__random_state": 7,
    }
    assert sorted(names) == sorted(
        name for name, value in copy.get_params().items() if "random_state" in name and value == 7
    )
    assert pipeline.get_params()["classifier__prior__random_state"] is None  # a copy was changed


@pytest.mark.parametrize(
    ("module", "name", "given", "added"),
    [
        ("catboost", "CatBoostClassifier", {}, True),
        ("catboost", "CatBoostClassifier", {"random_seed": 5}, False),
        ("lightgbm", "LGBMClassifier", {}, True),
        ("lightgbm", "LGBMClassifier", {"seed": 5}, False),
        ("xgboost", "XGBClassifier", {}, True),
        ("xgboost", "XGBClassifier", {"random_state": 0}, False),
    ],
)
def test_seeds_of_boosters_have_several_names(module, name, given, added) -> None:
    booster = getattr(pytest.importorskip(module), name)(**given)
    copy, names = seeded(booster, 7)
    expected = {**given, "random_state": 7} if added else given
    seeds = {"random_state", "random_seed", "seed"}
    found = {k: v for k, v in copy.get_params().items() if k in seeds and v is not None}
    assert found == expected
    assert names == ["random_state"] * added


def test_columns_are_filled_with_the_medians_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(101, 3)), columns=["odd", "even", "ties"])
    X["ties"] = X["ties"].round()
    X["empty"] = np.nan
    X.loc[:10, "odd"] = np.nan
    X.loc[:6, "even"] = np.nan
    scaled = tabular_pipeline("passthrough").fit(X)[0].named_transformers_["numeric"][0]
    known = SimpleImputer(strategy="median", keep_empty_features=True).fit(X)
    np.testing.assert_array_equal(scaled.statistics_, known.statistics_)
