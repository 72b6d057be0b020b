"""`xentexp report` and report.html: pages of runs, made from stored results."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.stores import client, new_workplace, runs
from xentexp.experiments._cli import main

RUN = [
    *("run", "--quiet", "n_jobs=1"),
    *("dataset=table", "dataset.path=made.csv", "dataset.target=y"),
    *("report.pictures=false", "models.log=none"),
]
FEW = ["losses=[categorical_crossentropy,zero_one_loss]", "metrics=[roc_auc]"]
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, migrated_store: Path) -> Path:
    """Folder with a store of one run, made once."""
    folder = tmp_path_factory.mktemp("finished")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = (x[:, 0] + rng.normal(size=400) > 0).astype(int)
    frame = pd.DataFrame({"a": x[:, 0], "<b>": x[:, 1], "c": x[:, 2], "y": y})
    frame.to_csv(folder / "made.csv", index=False)
    with new_workplace(folder, migrated_store):
        assert main([*RUN, *FEW, "models=[prior,logistic,linear_svm]", "leaderboard=null"]) == 0
    return folder


def artifact(name: str) -> Path:
    (run,) = runs("comparison")
    return Path(f"mlartifacts/{run.info.run_id}/artifacts/{name}")


def test_the_page_of_a_run_is_the_one_made_later_from_the_store(
    place: Path, finished: Path
) -> None:
    assert main(["report"]) == 0
    page = artifact("report.html").read_text()
    # The store was copied.
    assert f"{finished}/mlflow.db" in page
    assert Path("report.html").read_text() == page.replace(str(finished), str(place))


def test_a_page_needs_nothing_but_itself(place: Path) -> None:
    page = artifact("report.html").read_text()
    assert "<script" not in page
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page)
    assert "@import" not in page
    assert "url(http" not in page


def test_names_from_data_are_escaped(place: Path) -> None:
    page = artifact("report.html").read_text()
    assert "<b>:" not in page
    assert "&lt;b&gt;" in page


def test_a_file_is_not_replaced_unless_told(place: Path, capsys: Output) -> None:
    Path("report.html").write_text("mine")
    assert main(["report"]) == 2
    assert "--out must be a new file; report.html exists" in capsys.readouterr().err
    assert Path("report.html").read_text() == "mine"
    assert main(["report", "--overwrite"]) == 0
    assert Path("report.html").read_text().startswith("<!doctype html>")


def test_a_file_that_cannot_be_written_is_one_sentence(place: Path, capsys: Output) -> None:
    assert main(["report", "--out", "missing/page.html"]) == 2
    assert "--out: the folder missing does not exist" in capsys.readouterr().err
    assert not Path("missing").exists()
    Path("folder").mkdir()
    assert main(["report", "--out", "folder", "--overwrite"]) == 2
    assert "--out must be a file; got the folder folder" in capsys.readouterr().err
    assert main(["report", "--out", "/dev/null", "--overwrite"]) == 2
    assert "--out must be a file; got the device /dev/null" in capsys.readouterr().err


def test_the_page_never_replaces_the_store(place: Path, capsys: Output) -> None:
    Path("link.html").symlink_to("mlflow.db")
    before = Path("mlflow.db").read_bytes()
    for name in ("mlflow.db", "./mlflow.db", "link.html"):
        assert main(["report", "--out", name, "--overwrite"]) == 2
        assert "must not be a file that the command reads" in capsys.readouterr().err
    assert Path("mlflow.db").read_bytes() == before


def test_a_link_is_replaced_and_its_target_kept(place: Path) -> None:
    Path("mine.html").write_text("mine")
    Path("link.html").symlink_to("mine.html")
    assert main(["report", "--out", "link.html", "--overwrite"]) == 0
    assert Path("mine.html").read_text() == "mine"
    assert Path("link.html").read_text().startswith("<!doctype html>")


def test_a_read_only_file_is_kept(
    place: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("page.html").write_text("mine")
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the user may be root
    assert main(["report", "--out", "page.html", "--overwrite"]) == 2
    assert "--out: page.html is read-only" in capsys.readouterr().err


def test_a_page_that_fails_is_one_sentence(
    place: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise KeyError("a fault")

    monkeypatch.setattr("xentexp.experiments._report.run_page", fail)
    assert main(["report"]) == 1
    error = capsys.readouterr().err
    assert re.search(r"the page of run \w{8} could not be made \(KeyError: 'a fault'\)", error)
    assert error.count("\n") == 1
    assert not Path("report.html").exists()
    # A run whose page fails has its results, in MLflow and on the screen.
    assert main([*RUN, *FEW, "models=[prior]"]) == 1
    out, error = capsys.readouterr()
    assert "prior" in out
    assert "xentexp: error: the page of run" in error
    assert "Traceback" not in error
    latest, _ = runs("comparison")
    assert latest.info.status == "FINISHED"
    assert main(["leaderboard"]) == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("record.json", b"[]"),
        ("record.json", b'{"version": 1}'),
        ("record.json", b"\xff"),
        ("uncertainty.json", b'"text"'),
        ("scores.parquet", b""),
        ("predictions/oof.parquet", b"PAR1"),
        ("explanations/importance.parquet", {"repeat": [0]}),
        ("explanations/segments.parquet", {"repeat": [0]}),
        ("scores.parquet", {"section": ["cv"], "name": ["a"], "value": ["b"]}),
    ],
)
def test_damaged_artifacts_are_one_sentence(
    place: Path, capsys: Output, name: str, content: bytes | dict[str, list[object]]
) -> None:
    for file in Path("mlartifacts").glob(f"*/artifacts/{name}"):
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            pd.DataFrame(content).to_parquet(file)
    assert main(["report", "--markdown"]) == 2
    error = capsys.readouterr().err
    assert re.search(rf"{name} of run \w{{8}} cannot be read, it is damaged: ", error)
    assert error.count("\n") == 1


def test_markdown_in_json(place: Path, capsys: Output) -> None:
    assert main(["report", "--markdown", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["markdown", "run_ids"]
    assert document["markdown"].startswith("# ")


def test_markdown_has_the_answer_first_and_at_most_60_lines(place: Path, capsys: Output) -> None:
    assert main(["report", "--markdown"]) == 0
    lines = capsys.readouterr().out.rstrip("\n").split("\n")
    (run,) = runs("comparison")
    assert lines[0].startswith("# logistic ")
    headline = lines[0].removeprefix("# ").removesuffix(").")
    assert run.data.tags["xentexp.answer"].startswith(headline)
    assert len(lines) <= 60


def test_several_runs_are_chapters_of_one_page(place: Path) -> None:
    assert main([*RUN, *FEW, "models=[prior,logistic]", "cv.n_splits=4"]) == 0
    ids = [run.info.run_id for run in runs("comparison")]
    assert main(["report", *(name[:8] for name in ids), "--out", "both.html"]) == 0
    page = Path("both.html").read_text()
    assert page.count("<article") == 2
    anchors = re.findall(r' id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(anchors)


def test_a_run_can_be_named_once_only(place: Path, capsys: Output) -> None:
    assert main(["report", "latest", "latest"]) == 2
    assert "runs must be different; got latest latest" in capsys.readouterr().err


def test_report_none_leaves_the_page_out_and_it_can_be_made_later(place: Path) -> None:
    assert main([*RUN, *FEW, "models=[prior,logistic]", "report=none"]) == 0
    newest = max(runs("comparison"), key=lambda run: run.info.start_time)
    names = {item.path for item in client().list_artifacts(newest.info.run_id)}
    assert "report.html" not in names
    assert main(["report", newest.info.run_id, "--out", "later.html"]) == 0
    assert Path("later.html").stat().st_size > 10_000


def test_runs_of_older_versions_have_a_page_too(place: Path) -> None:
    """They have no description of the data, no explanations and no importance."""
    artifact("record.json").unlink()
    for run in runs():
        shutil.rmtree(f"mlartifacts/{run.info.run_id}/artifacts/explanations", ignore_errors=True)
    assert main(["report", "--out", "old.html"]) == 0
    assert "logistic" in Path("old.html").read_text()


def test_the_page_of_a_run_whose_models_all_failed_says_so(place: Path) -> None:
    broken = "models.logistic.classifier.C=-1"
    assert main([*RUN, *FEW, "models=[logistic]", broken]) == 1
    newest = max(runs("comparison"), key=lambda run: run.info.start_time)
    page = Path(f"mlartifacts/{newest.info.run_id}/artifacts/report.html").read_text()
    assert "<h1>All models failed.</h1>" in page


def test_muted_checks_are_not_shown(place: Path, capsys: Output) -> None:
    assert main(["report", "--mute", "X999"]) == 2
    assert "X999" in capsys.readouterr().err


def test_the_page_of_an_interrupted_run_says_what_is_missing(place: Path, capsys: Output) -> None:
    (run,) = runs("comparison")
    client().set_terminated(run.info.run_id, "KILLED")
    assert main(["report", run.info.run_id, "--out", "killed.html"]) == 1
    assert "was interrupted" in capsys.readouterr().err
    assert "This run is incomplete: run" in Path("killed.html").read_text()


def test_the_leaderboard_says_why_a_run_has_no_intervals(
    place: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = "xentexp.experiments._tracking.read_back.stored_uncertainty"
    monkeypatch.setattr(stored, lambda *_: None)
    assert main(["leaderboard"]) == 0
    assert "for this run, which an older version of xentexp made" in capsys.readouterr().out
    (run,) = runs("comparison")
    client().set_terminated(run.info.run_id, "KILLED")
    assert main(["leaderboard"]) == 1
    assert "for this run, which is incomplete; to compute them: xent" in capsys.readouterr().out
