"""Pictures and tables that `xentexp run` logs, and runs that log none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from PIL import Image

from tests.support.stores import new_workplace, runs
from xentexp.experiments._cli import main
from xentexp.experiments._tracking.connect import open_client, store_uri
from xentexp.experiments._tracking.stored_record import read_record

RUN = ["run", "--quiet", "dataset=table", "dataset.path=made.csv", "dataset.target=y", "n_jobs=1"]
RUN += ["models.log=none"]
FEW = ["losses=[categorical_crossentropy,zero_one_loss]", "metrics=[roc_auc]", "leaderboard=null"]
MODELS = "models=[prior,logistic,linear_svm]"
BROKEN = "models.logistic.classifier.C=-1"
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, migrated_store: Path) -> Path:
    """Folder with a store of one run, made once."""
    folder = tmp_path_factory.mktemp("finished")
    write_table(folder)
    with new_workplace(folder, migrated_store):
        assert main([*RUN, *FEW, MODELS]) == 0
    return folder


def write_table(folder: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = (x[:, 0] + rng.normal(size=400) > 0).astype(int)
    frame = pd.DataFrame({"a": x[:, 0], "<b>": x[:, 1], "c": x[:, 2], "y": y})
    frame.to_csv(folder / "made.csv", index=False)


def files(run: Run) -> set[str]:
    """Names of the artifacts of a run, without folders."""
    return {file.name for file in Path(f"mlartifacts/{run.info.run_id}/artifacts").glob("*.*")}


def images(run: Run) -> dict[str, Path]:
    """PNG files of the images of a run, by key."""
    found = Path(f"mlartifacts/{run.info.run_id}/artifacts/images").glob("*.png")
    return {file.name.partition("+")[0]: file for file in found}


def named(name: str) -> Run:
    (run,) = [run for run in runs() if run.info.run_name == name]
    return run


def test_the_run_and_its_models_have_pictures(place: Path) -> None:
    (parent,) = runs("comparison")
    assert {"2_differences.svg", "3_murphy.svg", "4_reliability.svg"} <= files(parent)
    assert {"1_leaderboard.json", "checks.md", "report.html"} <= files(parent)
    assert set(images(parent)) == {"differences", "murphy", "reliability"}
    logistic = named("logistic")
    assert {"1_reliability.svg", "6_importance.svg", "gains.csv", "card.md"} <= files(logistic)
    assert set(images(logistic)) == {"reliability", "cost", "roc", "segments"}
    assert "1_reliability.svg" in files(named("prior"))
    assert not images(named("prior"))  # the dashboard's cards are of models that are not constant
    assert set(images(named("linear_svm"))) == {"roc"}
    assert logistic.data.tags["mlflow.loggedImages"] == "True"


def test_images_are_stored_with_600_pixels(place: Path) -> None:
    for run in (*runs("comparison"), *runs()):
        for file in images(run).values():
            with Image.open(file) as image:
                assert image.size == (600, 600)
                assert image.mode == "RGB"


def test_no_artifact_has_a_row_of_the_data(place: Path) -> None:
    values = {f"{value:.6f}"[:7] for value in pd.read_csv("made.csv")["a"] if abs(value) > 0.1}
    for run in (*runs("comparison"), *runs()):
        for name in files(run):
            if name.endswith((".csv", ".md", ".json")):
                text = Path(f"mlartifacts/{run.info.run_id}/artifacts/{name}").read_text()
                assert not [value for value in values if value in text]


def test_pictures_are_those_of_the_stored_results(place: Path) -> None:
    from xentexp.experiments._report.pictures import model_artifacts

    uri = store_uri(None)
    record = read_record(open_client(uri, create=False), uri, None, None)
    folder = Path(f"mlartifacts/{named('logistic').info.run_id}/artifacts")
    for name, text in model_artifacts(record, "logistic").files.items():
        assert (folder / name).read_text() == text


def test_a_failed_model_has_no_pictures_and_the_others_have(workplace: Path) -> None:
    write_table(workplace)
    assert main([*RUN, *FEW, "models=[prior,logistic]", BROKEN]) == 1
    assert files(named("logistic")) == {"error.txt"}
    assert not images(named("logistic"))
    assert {"1_reliability.svg", "5_segments.svg"} <= files(named("prior"))
    (parent,) = runs("comparison")
    assert "checks.md" in files(parent)


def test_a_run_whose_models_all_fail_is_one_sentence(workplace: Path, capsys: Output) -> None:
    write_table(workplace)
    assert main([*RUN, *FEW, "models=[logistic]", BROKEN]) == 1
    error = capsys.readouterr().err
    assert "all models failed" in error
    assert "Traceback" not in error
    assert "pictures" not in error


@pytest.mark.parametrize("number", ["1", "2"])
def test_a_number_of_models_has_pictures(workplace: Path, number: str) -> None:
    write_table(workplace)
    models = "models=[prior,logistic,linear_svm_calibrated]"
    assert main([*RUN, *FEW, models, f"report.pictures={number}"]) == 0
    drawn = {run.info.run_name for run in runs() if "1_reliability.svg" in files(run)}
    # The constant model is drawn beside them.
    assert len(drawn) == int(number) + 1
    assert "prior" in drawn
    for run in runs():
        text = Path(f"mlartifacts/{run.info.run_id}/artifacts/checks.md").read_text()
        assert ("`report.pictures=NUMBER` makes more" in text) == (run.info.run_name not in drawn)


@pytest.mark.parametrize("option", ["report.pictures=false", "report=none"])
def test_nothing_is_drawn_without_pictures(workplace: Path, option: str) -> None:
    write_table(workplace)
    assert main([*RUN, *FEW, "models=[prior,logistic]", option]) == 0
    for run in (*runs("comparison"), *runs()):
        assert not images(run)
        assert not [name for name in files(run) if name.endswith((".svg", ".csv"))]
        assert "checks.md" not in files(run)
    (parent,) = runs("comparison")
    assert "1_leaderboard.json" in files(parent)


@pytest.mark.slow
def test_a_run_without_a_page_and_pictures_does_not_import_matplotlib(workplace: Path) -> None:
    write_table(workplace)
    arguments = [*RUN, *FEW, "models=[prior]", "report=none"]
    code = (
        "import sys; from xentexp.experiments._cli import main; "
        f"assert main({arguments!r}) == 0; print('matplotlib' in sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert output.split()[-1] == "False"


@pytest.mark.parametrize("value", ["0", "-1", "yes please", "1.5", "null"])
def test_other_values_are_refused_before_the_fits(
    workplace: Path, capsys: Output, value: str
) -> None:
    write_table(workplace)
    assert main([*RUN, *FEW, "models=[prior]", f"report.pictures={value}"]) == 2
    error = capsys.readouterr().err
    assert "report.pictures must be true, false or the number of models with pictures" in error
    assert not runs()


def test_pictures_that_fail_are_one_sentence_and_the_results_stay(
    workplace: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise KeyError("a fault")

    monkeypatch.setattr("xentexp.experiments._report.pictures.run_artifacts", fail)
    write_table(workplace)
    assert main([*RUN, *FEW, "models=[prior]"]) == 1
    out, error = capsys.readouterr()
    assert "prior" in out
    assert re.search(r"not all pictures of run \w{8} could be made \(KeyError: 'a fault'\)", error)
    assert "Traceback" not in error
    (parent,) = runs("comparison")
    assert parent.info.status == "FINISHED"
    assert main(["leaderboard"]) == 0
