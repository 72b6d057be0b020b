"""Published values: a run reproduces them within their tolerances, or exits with code 1."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from tests.support.stores import RESULTS_ONLY
from xentexp.errors import InputError
from xentexp.experiments._cli import main
from xentexp.experiments._folds import CrossValidation
from xentexp.experiments.datasets import load_dataset

SMALL = [
    *RESULTS_ONLY,
    *("dataset=simulated_delinquency", "dataset.n_samples=400", "models=[prior]", "n_jobs=1"),
    *("cv=holdout", "cv.n_test=100", "primary=brier_loss", "--quiet"),
]


def published(value: float, within: float, measure: str = "brier_loss") -> str:
    return f"published={{prior:{{{measure}:{{value:{value},within:{within}}}}}}}"


def hand_made() -> float:
    """Brier score (sum over classes) of the class proportions of the training part, by hand."""
    y = load_dataset("simulated_delinquency", n_samples=400).y.to_numpy()
    order = np.random.default_rng(0).permutation(400)
    test, train = y[order[:100]], y[order[100:]]
    shares = np.bincount(train, minlength=3) / 300
    return float(np.mean([((shares - np.eye(3)[label]) ** 2).sum() for label in test]))


@pytest.mark.usefixtures("workplace")
def test_a_value_outside_its_tolerance_gives_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = hand_made()
    assert main(["run", *SMALL, published(value + 0.9e-4, 1e-4), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["published"]
    assert row["met"]
    assert row["ours"] == pytest.approx(value, abs=1e-12)
    assert main(["run", *SMALL, published(value + 1.1e-4, 1e-4)]) == 1
    out = capsys.readouterr().out
    assert "0 of 1 reproduced" in out
    assert "NOT REPRODUCED" in out


@pytest.mark.usefixtures("workplace")
def test_a_missing_value_is_not_reproduced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*SMALL, "losses=[brier_loss,categorical_hinge]"]
    assert main(["run", *words, published(1.0, 1.0, "categorical_hinge"), "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["published"]
    assert row["ours"] is None
    assert not row["met"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            published(0.1, -1),
            "published.prior.brier_loss.within must be a finite number >= 0; got -1",
        ),
        (published(0.1, 1, "brier_los"), "brier_los"),
        (
            "published={prier:{brier_loss:{value:1,within:1}}}",
            "at least one model of this run (prior); got values for prier",
        ),
        ("published={prior:{brier_loss:1}}", "must be a section with keys; got 1"),
        ("published={prior:{brier_loss:{value:1}}}", "within must be set"),
        ("published={prior:{brier_loss:{value:x,within:1}}}", "must be a finite number; got 'x'"),
        ("cv.n_test=400", "cv: n_test must be less than the number of rows, 400; got 400"),
        ("cv.n_test=null", "cv=holdout needs the number of test rows; set cv.n_test=ROWS"),
        ("+cv.n_splits=3", "unknown key of cv=holdout 'n_splits'"),
    ],
)
@pytest.mark.usefixtures("workplace")
def test_invalid_published_values_are_rejected(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *SMALL, words]) == 2
    assert message in capsys.readouterr().err


def test_a_held_out_part_is_the_head_of_numpys_permutation() -> None:
    data = load_dataset("simulated_delinquency", n_samples=200)
    (fold,) = CrossValidation("holdout", n_test=50, seed=42).folds(data)
    order = np.random.default_rng(42).permutation(200)
    assert fold.test.tolist() == order[:50].tolist()
    assert fold.train.tolist() == order[50:].tolist()
    with pytest.raises(InputError, match="n_splits is not used with kind='holdout'"):
        CrossValidation("holdout", n_splits=3, n_test=50)


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
def test_the_packaged_benchmark_is_reproduced(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "experiment=uci_benchmark", "--quiet"]) == 0
    assert "10 of 10 reproduced" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
def test_benchmark_with_a_changed_value_and_with_fewer_models(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["run", "experiment=uci_benchmark", "models=[lightgbm]", "--quiet"]
    assert main(words) == 0
    assert "2 of 2 reproduced" in capsys.readouterr().out
    assert main([*words, "published.lightgbm.roc_auc.value=0.777"]) == 1
    assert "1 of 2 reproduced" in capsys.readouterr().out
    assert main([*words, "models.xgboost.classifier.estimator.max_depth=3"]) == 2
    assert "a model that is not run; add xgboost to models=" in capsys.readouterr().err


@pytest.mark.usefixtures("workplace")
def test_missing_boosters_are_reported_with_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    assert main(["run", "experiment=uci_benchmark", "--quiet"]) == 2
    assert "pip install 'xentexp[boosters]'" in capsys.readouterr().err
