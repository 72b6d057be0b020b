"""`xentexp run calibration=...`: leaderboard, section, logged parameters, metrics and the page."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.support.stores import RESULTS_ONLY, client, runs
from xentexp.experiments._cli import main
from xentexp.experiments._report.calibration import calibration_section
from xentexp.experiments._tracking.stored_record import read_record

TABLE = [
    *RESULTS_ONLY,
    *("dataset=table", "dataset.path=table.csv", "dataset.target=grade", "n_jobs=1"),
]
RUN = ["run", *TABLE, "cv.n_splits=3", "losses=[categorical_crossentropy,zero_one_loss]"]


@pytest.mark.long
def test_calibrated_models_stand_beside_the_others_with_what_was_saved(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["models=[prior,logistic,linear_svm]", "calibration=[sigmoid,temperature]"]
    words += ["report=page", "report.pictures=false"]
    assert main([*RUN, *words, "metrics=[]", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    means = {
        row["model"]: row["mean"].get("categorical_crossentropy") for row in document["leaderboard"]
    }
    assert set(means) == {
        "prior",
        *(f"logistic{end}" for end in ("", "_sigmoid", "_temperature")),
        *(f"linear_svm{end}" for end in ("", "_sigmoid", "_temperature")),
    }
    found = {row["calibrated"]: row for row in document["calibration"]}
    assert set(found) == {name for name in means if name.endswith(("_sigmoid", "_temperature"))}
    for name, row in found.items():
        assert row["after"] == pytest.approx(means[name])
        if row["model"] == "logistic":
            assert row["saved"] == pytest.approx(means["logistic"] - means[name])
            assert row["low"] < row["saved"] < row["high"]
        else:
            assert row["saved"] is None
            assert row["reason"] == "linear_svm has no probabilities"

    (parent,) = runs("comparison")
    note = parent.data.tags["mlflow.note.content"]
    assert "What calibration saved of categorical_crossentropy" in note
    assert "calibration of logistic" in note
    children = {run.info.run_name: run.data for run in runs()}
    made = children["logistic_temperature"]
    assert made.params["calibration.method"] == "temperature"
    assert made.params["calibration.folds"] == "5"
    assert made.params["calibration.of"] == "logistic"
    assert made.metrics["calibration/saved"] == pytest.approx(
        found["logistic_temperature"]["saved"]
    )
    assert "calibration.method" not in children["logistic"].params
    table = client().download_artifacts(parent.info.run_id, "calibration.json")
    assert len(json.loads(Path(table).read_text())["data"]) == 4
    page = Path(client().download_artifacts(parent.info.run_id, "report.html")).read_text()
    assert "What calibration saved" in page

    # The stored run gives the same section.
    store = client()
    stored = read_record(store, store.tracking_uri, None, parent.info.run_id)
    section = calibration_section(stored)
    assert section is not None
    assert str(section.blocks[0].sentences[0]) in page.replace("<wbr>", "")


@pytest.mark.long
def test_the_terminal_shows_the_table_and_a_sentence_for_each_model(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(table_csv)
    frame["grade"] = frame["grade"].clip(upper=1)
    frame.to_csv(table_csv, index=False)
    words = ["models=[logistic]", "calibration=isotonic", "report=none", "explain=null"]
    assert main([*RUN, *words, "leakage.check=ignore"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "What calibration saved of categorical_crossentropy" in out
    assert "model before after saved 95% interval" in out
    assert "Isotonic calibration of logistic" in out
    assert "the decomposition promised at most" in out
    assert "Promised at most: the miscalibration of the model" in out
    assert "Promised for the method" not in out


def test_bad_input_ends_with_exit_code_2_and_one_sentence(
    table_csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "models=[logistic]", "calibration=isotonc"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "unknown calibration 'isotonc'; did you mean 'isotonic'" in err
    assert "Traceback" not in err
    assert runs("comparison") == []
