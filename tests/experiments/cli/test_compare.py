"""`xentexp compare`: which models it finds, its numbers, its claims, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.support.stores import RESULTS_ONLY, client, new_workplace, runs
from xentexp.errors import InputError
from xentexp.experiments._cli import main
from xentexp.experiments._cli.compare import Margin, parse_claim, parse_margin

RUN = [
    *("run", "--quiet", "n_jobs=1"),
    *("dataset=table", "dataset.path=made.csv", "dataset.target=y"),
    *RESULTS_ONLY,
]
MODELS = "models=[prior,logistic,linear_svm]"
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, migrated_store: Path) -> Path:
    """Folder with a store of two runs on the same folds, made once."""
    folder = tmp_path_factory.mktemp("finished")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    y = (x[:, 0] + rng.normal(size=300) > 0).astype(int)
    table = {"a": x[:, 0], "b": x[:, 1], "y": y, "person": np.arange(300) // 3}
    pd.DataFrame(table).to_csv(folder / "made.csv", index=False)
    with new_workplace(folder, migrated_store):
        assert main([*RUN, "models=[logistic]", "models.logistic.classifier.C=0.01"]) == 0
        assert main([*RUN, MODELS]) == 0
    return folder


def ids(name: str) -> list[str]:
    """Ids of the runs of a model, latest first."""
    return [run.info.run_id for run in runs() if run.info.run_name == name]


@pytest.fixture
def document(place: Path, capsys: Output) -> Callable[..., dict]:
    def of(*words: str, code: int = 0) -> dict:
        assert main(["compare", "--json", *words]) == code
        return json.loads(capsys.readouterr().out)

    return of


def test_it_prints_the_difference_to_the_first_model(place: Path, capsys: Output) -> None:
    assert main(["compare", "logistic", "prior"]) == 0
    out = capsys.readouterr().out
    assert "logistic is better than prior: its categorical_crossentropy is" in out
    assert "reference" in out
    assert "1% of the best value" in out


def losses(name: str) -> pd.DataFrame:
    """Out-of-fold rows of a model with their log loss, from the stored file only."""
    (path,) = Path.cwd().glob(f"mlartifacts/{ids(name)[0]}/artifacts/predictions/oof.parquet")
    frame = pd.read_parquet(path)
    p = np.where(frame["y"] == 1, frame["proba_1"], frame["proba_0"])
    return frame.assign(loss=-np.log(p))


def test_the_numbers_are_those_of_a_calculation_by_hand(document: Callable[..., dict]) -> None:
    # Corrected t (Nadeau & Bengio 2003) of the differences of the folds, with SciPy.
    (found,) = document("logistic", "prior")["comparisons"]
    first, other = found["models"]
    folds = [losses(name).groupby("fold")["loss"].mean() for name in ("prior", "logistic")]
    d = (folds[0] - folds[1]).to_numpy()
    assert first["value"] == pytest.approx(folds[1].mean(), rel=1e-9)
    assert other["difference"]["difference"] == pytest.approx(d.mean(), rel=1e-9)
    error = np.sqrt(d.var(ddof=1) * (1 / 5 + 1 / 4))
    low, high = stats.t.interval(0.95, 4, d.mean(), error)
    rows = losses("prior")["loss"].to_numpy() - losses("logistic")["loss"].to_numpy()
    by_rows = 2 * stats.t.ppf(0.975, 299) * rows.std(ddof=1) / np.sqrt(300)
    assert other["difference"]["high"] - other["difference"]["low"] == pytest.approx(
        max(high - low, by_rows),
        rel=0.01,  # the variance over the rows leaves out that of folds
    )


def test_models_of_two_commands_are_told_apart_by_id(document: Callable[..., dict]) -> None:
    new, old = ids("logistic")
    found = document(new[:8], old[:8])
    labels = [model["model"] for model in found["models"]]
    assert labels == [f"logistic ({new[:8]})", f"logistic ({old[:8]})"]
    parents = {model["parent_run_id"] for model in found["models"]}
    assert len(parents) == 2


def test_the_id_of_a_run_stands_for_all_its_models(document: Callable[..., dict]) -> None:
    parent = runs("comparison")[0].info.run_id
    found = document(parent, "--losses", "log_loss,hinge_loss")
    assert {model["model"] for model in found["models"]} == {"prior", "logistic", "linear_svm"}
    assert [c["loss"] for c in found["comparisons"]] == ["categorical_crossentropy", "hinge_loss"]
    log_loss = {m["model"]: m for m in found["comparisons"][0]["models"]}
    assert log_loss["linear_svm"]["value"] is None
    assert "probabilities" in log_loss["linear_svm"]["reason"]


def test_models_can_be_chosen_by_a_filter(document: Callable[..., dict]) -> None:
    found = document("--filter", "params.model = 'logistic'", "--losses", "brier")
    assert len(found["models"]) == 2


@pytest.mark.parametrize(
    ("claim", "words", "code"),
    [
        ("better", ["logistic", "prior"], 0),
        ("better", ["prior", "logistic"], 1),
        ("not worse by 1%", ["prior", "logistic"], 1),
        ("not worse by 10", ["prior", "logistic"], 0),
        ("better", ["logistic", "logistic-old"], 1),
        ("not worse by 0.5", ["logistic", "logistic-old", "prior"], 0),
    ],
)
def test_the_exit_code_says_whether_a_claim_holds(
    place: Path, capsys: Output, claim: str, words: list[str], code: int
) -> None:
    words = [ids("logistic")[1] if word == "logistic-old" else word for word in words]
    assert main(["compare", *words, "--require", claim]) == code
    out = capsys.readouterr().out
    assert f'is {claim}" {"holds" if code == 0 else "does not hold"}. By ' in out


def test_a_claim_agrees_with_the_printed_interval(document: Callable[..., dict]) -> None:
    (found,) = document("logistic", "prior")["comparisons"]
    low = found["models"][1]["difference"]["low"]
    assert low > 0.0
    document("prior", "logistic", "--require", f"not worse by {-low + 10}", code=0)
    high = found["models"][1]["difference"]["high"]
    document("prior", "logistic", "--require", f"not worse by {high * 1.0001}", code=0)
    document("prior", "logistic", "--require", f"not worse by {high * 0.9999}", code=1)


def test_a_metric_of_which_higher_is_better(document: Callable[..., dict]) -> None:
    found = document("logistic", "prior", "--losses", "auc", "--require", "better")
    (comparison,) = found["comparisons"]
    assert comparison["models"][1]["difference"]["difference"] < 0.0
    assert "is better than prior" in comparison["answer"]
    assert found["require"]["holds"] is True


def test_what_is_refused(place: Path, capsys: Output) -> None:
    new, old = ids("logistic")

    def error(*words: str) -> str:
        assert main(["compare", *words]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        return captured.err

    assert "at least two models; got logistic" in error("logistic")
    assert "compare needs models" in error()
    assert "unknown model or run 'logistik'" in error("logistik", "prior")
    assert "unknown model or run 'ffffffff'" in error("ffffffff", "prior")
    assert "unknown loss or metric" in error("logistic", "prior", "--losses", "brierr")
    assert "--require must be" in error("logistic", "prior", "--require", "best")
    assert "--margin must be" in error("logistic", "prior", "--margin", "-1")
    assert "confidence must" in error("logistic", "prior", "--confidence", "2")
    assert "filter must match" in error("--filter", "params.model = 'x'")
    assert "filter must be a filter of MLflow" in error("--filter", "params.model = = 1")
    parent = runs("comparison")[0].info.run_id
    assert "--require is about one model" in error(parent, "--require", "better")
    client().delete_run(old)
    assert "is deleted; restore it with" in error(new, old)
    assert "does not exist" in error("logistic", "prior", "--store", "sqlite:///other.db")


def test_other_folds_are_refused_with_the_reason(place: Path, capsys: Output) -> None:
    assert main([*RUN, "models=[prior]", "seed=1"]) == 0
    capsys.readouterr()
    assert main(["compare", "prior", ids("prior")[1]]) == 2
    assert "the test rows of repeat 0, fold 0 differ" in capsys.readouterr().err
    # A name means the latest run; the error says how to name the models of others.
    assert main(["compare", "prior", "logistic"]) == 2
    error = capsys.readouterr().err
    assert "'logistic' must name one model; 2 runs fit" in error
    assert all(run_id[:8] in error for run_id in ids("logistic"))
    assert main(["compare", "prior", "linear_svm"]) == 2
    assert f"{ids('linear_svm')[0][:8]} (linear_svm, table" in capsys.readouterr().err


def test_groups_cluster_the_intervals(
    place: Path, document: Callable[..., dict], capsys: Output
) -> None:
    grouped = ["dataset.group=person", "cv=grouped"]
    assert main([*RUN, "models=[prior,logistic]", *grouped]) == 0
    capsys.readouterr()
    # 100 people with three rows each
    (found,) = document("logistic", "prior")["comparisons"]
    methods = [model["method"] for model in found["models"]]
    assert all("100" in method for method in methods), methods


def test_margins_and_claims_are_read() -> None:
    assert parse_margin("1%") == parse_margin(" 1 % ") == Margin(0.01, True)
    assert parse_margin("0.005") == Margin(0.005, False)
    assert parse_claim("not  worse by 2%").margin == Margin(0.02, True)
    for text in ("", "1%%", "nan", "inf", "-1", "1 2"):
        with pytest.raises(InputError, match="must be a number of at least 0"):
            parse_margin(text)
