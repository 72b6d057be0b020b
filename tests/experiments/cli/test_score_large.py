"""`xentexp score` of files that are read in batches: the same output as of all rows at once."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from xentexp.experiments import _file_columns
from xentexp.experiments._cli import main
from xentexp.metrics import _metric_input, _sorted_scores

N = 700
RNG = np.random.default_rng(5)
P = RNG.dirichlet([1, 1, 1], N)
CODE = np.array([RNG.choice(3, p=p) for p in P])
BINARY = RNG.beta(2, 2, N)
BIT = (RNG.random(N) < BINARY).astype(int)
TABLE = {
    "y": CODE,
    "name": np.array(["bad", "fair", "good"])[CODE],
    "p0": P[:, 0],
    "p1": P[:, 1],
    "p2": P[:, 2],
    "d0": np.log(P[:, 0]),
    "d1": np.log(P[:, 1]),
    "d2": np.log(P[:, 2]),
    "w": RNG.random(N) * (np.arange(N) > 100),  # a whole batch without weight
    "bit": BIT,
    "p": BINARY,
    "p32": BINARY.astype(np.float32),
    "truth": BIT.astype(bool),
    "some": np.where(np.arange(N) % 50 == 7, np.nan, BIT),
    "rounded": BINARY.round(2),
}
THREE = ["--target", "y", "--proba", "p0,p1,p2"]
CASES = {
    "one loss": [*THREE, "--losses", "log_loss"],
    "losses and what follows from them": [*THREE, "--decision", "d0,d1,d2",
                                          "--losses", "brier_loss,perplexity,multi_margin_loss"],
    "skill without its loss": [*THREE, "--losses", "perplexity"],
    "all that apply": THREE,
    "ordered": [*THREE, "--ordered"],
    "weights": [*THREE, "--weight", "w"],
    "loss with weights": [*THREE, "--weight", "w", "--losses", "brier_loss"],
    "logits": ["--target", "y", "--proba", "d0,d1,d2", "--from-logits"],
    "texts": ["--target", "name", "--proba", "p0,p1,p2", "--labels", "bad,fair,good"],
    "loss of texts": ["--target", "name", "--proba", "p2,p0,p1", "--labels", "good,bad,fair",
                      "--losses", "log_loss"],
    "two classes": ["--target", "bit", "--proba", "p"],
    "two classes, loss": ["--target", "bit", "--proba", "p", "--losses", "nll"],
    "single precision": ["--target", "bit", "--proba", "p32"],
    "booleans": ["--target", "truth", "--proba", "p", "--labels", "False,True"],
    "missing": ["--target", "some", "--proba", "p", "--drop-missing"],
    "missing, loss": ["--target", "some", "--proba", "p", "--drop-missing", "--losses", "nll"],
    "decision scores": ["--target", "bit", "--decision", "d1"],
    "ties": ["--target", "bit", "--proba", "rounded", "--losses",
             "auc,average_precision,h_measure,ks_statistic,f1_score,matthews_corrcoef"],
}  # fmt: skip


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def set_limits() -> None:
        monkeypatch.setattr(_file_columns, "SMALL", 0)
        monkeypatch.setattr(_file_columns, "BATCH_NUMBERS", 64)
        monkeypatch.setattr(_metric_input, "PIECE_NUMBERS", 200)
        monkeypatch.setattr(_sorted_scores, "_IN_MEMORY", 128)
        monkeypatch.setattr(_sorted_scores, "_LEAST", 8)

    return set_limits


def write(folder: Path, kind: str, columns: dict[str, Any] = TABLE) -> Path:
    frame = pd.DataFrame(columns)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    path = folder / f"scored.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    elif kind == "parquet":
        pq.write_table(table, path, row_group_size=90)
    elif kind == "arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=150)
    elif kind == "ipc":
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=150)
    else:
        path.mkdir()
        for i, start in enumerate(range(0, N, 200)):
            pq.write_table(table.slice(start, 200), path / f"part-{i}.parquet")
    return path


def score(path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["score", str(path), "--json", *words]) == 0, capsys.readouterr().err
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def assert_same(found: Any, expected: Any, where: str = "") -> None:
    if isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key in expected:
            assert_same(found[key], expected[key], f"{where}/{key}")
    elif isinstance(expected, float) and isinstance(found, float):
        # The intercept of calibration is near 0: its root is found to 1e-14.
        assert math.isclose(found, expected, rel_tol=1e-12, abs_tol=2e-14), (where, found, expected)
    else:
        assert found == expected, where


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_output_is_that_of_all_rows_at_once(
    kind: str,
    case: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    large: Callable[[], None],
) -> None:
    path = write(tmp_path, kind)
    expected = score(path, CASES[case], capsys)
    large()
    assert_same(score(path, CASES[case], capsys), expected)


@pytest.mark.parametrize("kind", ["csv.gz", "arrow", "ipc", "folder"])
def test_other_formats_are_read_alike(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], large: Callable[[], None]
) -> None:
    large()
    document = score(write(tmp_path, kind), THREE, capsys)
    found = document["losses"]["categorical_crossentropy"]["mean"]
    assert found == pytest.approx(log_loss(CODE, P), rel=1e-12)
    area = roc_auc_score(CODE, P, multi_class="ovr")
    assert document["metrics"]["roc_auc"] == pytest.approx(area, rel=1e-12)
    assert document["rows"] == N


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "above 1": ({"p": np.where(np.arange(N) == 333, 1.5, BINARY)}, ["--proba", "p"]),
    "missing value": ({"p": np.where(np.arange(N) == 333, np.nan, BINARY)}, ["--proba", "p"]),
    "negative weight": (
        {"w": np.where(np.arange(N) == 500, -1.0, 1.0)},
        ["--proba", "p", "--weight", "w"],
    ),
    "no weight": ({"w": np.zeros(N)}, ["--proba", "p", "--weight", "w"]),
    "sums": (
        {"p": np.where(np.arange(N) % 300 == 299, BINARY + 1e-4, BINARY), "q": 1 - BINARY},
        ["--proba", "q,p", "--labels", "0,1"],
    ),
    "unknown label": (
        {"bit": np.where(np.arange(N) == 600, 2, BIT)},
        ["--proba", "p", "--labels", "0,1"],
    ),
    "infinite score": ({"p": np.where(np.arange(N) == 400, np.inf, BINARY)}, ["--decision", "p"]),
    "missing label": ({"bit": np.where(np.arange(N) % 99 == 98, np.nan, BIT)}, ["--proba", "p"]),
    "row after missing labels": (
        {
            "bit": np.where(np.arange(N) % 99 == 98, np.nan, BIT),
            "p": np.where(np.arange(N) == 444, 1.5, BINARY),
        },
        ["--proba", "p", "--drop-missing"],
    ),
    "loss that does not apply": ({}, ["--proba", "p", "--losses", "log_loss,hinge_loss"]),
    "text": ({"p": np.where(np.arange(N) == 333, "high", "0.5")}, ["--proba", "p"]),
    "unknown column": ({}, ["--proba", "pp"]),
    "all labels missing": ({"bit": np.full(N, np.nan)}, ["--proba", "p", "--drop-missing"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("losses", [[], ["--losses", "brier_loss"]])
def test_errors_are_those_of_all_rows(
    case: str,
    losses: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    large: Callable[[], None],
) -> None:
    columns, words = BAD[case]
    kind = "csv" if case == "text" else "parquet"
    path = write(tmp_path, kind, {**TABLE, **columns})
    command = ["score", str(path), "--target", "bit", *words]
    command += [] if "--losses" in words else losses
    messages = []
    for step in (lambda: None, large):
        step()
        assert main(command) == 2
        messages.append(capsys.readouterr().err)
        assert messages[-1].count("\n") == 1
    if case == "text":  # at once, pandas reads no number of such a column
        assert "contain numbers; got 'high' in row 333 (counted from 0)" in messages[1]
    else:
        assert messages[1] == messages[0]


def test_probabilities_with_few_digits_have_the_tolerance_of_all_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], large: Callable[[], None]
) -> None:
    columns = {"y": CODE, **{f"p{i}": P[:, i].round(3) for i in range(3)}}
    path = write(tmp_path, "csv", columns)
    words = [*THREE, "--losses", "brier_loss"]
    expected = score(path, words, capsys)
    large()
    assert_same(score(path, words, capsys), expected)
    # One number with more digits: the sums are wrong, in any batch.
    columns["p0"][-1] += 1e-9
    path = write(tmp_path, "parquet", columns)
    assert main(["score", str(path), *words]) == 2
    message = capsys.readouterr().err
    assert f"of {N} do not" in message
    assert "--normalize" in message


def test_rows_of_single_precision_beside_others_have_the_tolerance_of_all_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], large: Callable[[], None]
) -> None:
    p = P.copy()
    p[:320] = (P[:320] * (1 + 1e-5)).astype(np.float32)  # some batches are of single precision
    path = write(tmp_path, "parquet", {"y": CODE, **{f"p{i}": p[:, i] for i in range(3)}})
    messages = []
    for step in (lambda: None, large):
        step()
        assert main(["score", str(path), *THREE, "--losses", "brier_loss"]) == 2
        messages.append(capsys.readouterr().err)
    assert f"320 of {N} do not" in messages[0]
    assert messages[1] == messages[0]


def test_decimal_commas_are_read_in_each_batch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], large: Callable[[], None]
) -> None:
    text = pd.DataFrame({"y": BIT, "p": BINARY}).to_csv(index=False, sep=";", decimal=",")
    path = tmp_path / "scored.csv"
    path.write_text(text)
    expected = score(path, ["--target", "y", "--proba", "p"], capsys)
    large()
    found = score(path, ["--target", "y", "--proba", "p"], capsys)
    assert_same(found, expected)
    assert any("decimal commas" in note for note in found["notes"])
    lines = text.splitlines()
    lines[513:577] = [line.replace(",", ".") for line in lines[513:577]]  # a whole batch
    path.write_text("\n".join(lines))
    assert main(["score", str(path), "--target", "y", "--proba", "p"]) == 2
    assert "column p of --proba must have one decimal mark" in capsys.readouterr().err


@pytest.mark.parametrize("losses", [[], ["--losses", "nll"]])
def test_integers_beside_missing_labels_are_shown_alike(
    losses: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    large: Callable[[], None],
) -> None:
    path = tmp_path / "scored.parquet"
    y = pa.array(BIT + 1, mask=np.arange(N) == 600)
    pq.write_table(pa.table({"y": y, "p": BINARY}), path)
    words = ["--target", "y", "--proba", "p", "--labels", "1,2", "--drop-missing", *losses]
    expected = score(path, words, capsys)
    large()
    assert_same(score(path, words, capsys), expected)


def test_rows_are_named_as_in_the_file() -> None:
    found = _file_columns.LabelColumn()
    labels = np.array([np.nan, 1, 0, np.nan, np.nan, 1, 0, 0, np.nan, 1])
    for part in (labels[:4], labels[4:]):
        found.rows_of_parts.append(0)
        found.add(part)
    names = _file_columns.RowNames(found, ["a", "b"])
    assert list(names) == ["1 of a", "2 of a", "1 of b", "2 of b", "3 of b", "5 of b"]


# -- folders -----------------------------------------------------------------------------------


def test_an_error_names_the_file_of_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], large: Callable[[], None]
) -> None:
    large()
    bad = np.where(np.arange(N) == 333, 1.5, BINARY)
    path = write(tmp_path, "folder", {**TABLE, "p": bad})
    for losses in ([], ["--losses", "nll"]):
        assert main(["score", str(path), "--target", "bit", "--proba", "p", *losses]) == 2
        assert "row 133 of part-1.parquet of column p has 1.5" in capsys.readouterr().err
    assert main(["score", str(path), "--target", "some", "--proba", "p"]) == 2
    assert "the first in row 7 of part-0.parquet" in capsys.readouterr().err


def test_folders_of_partitions_have_their_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame(TABLE)
    for part in (0, 1):
        for weight in (1, 2):
            folder = tmp_path / "scored" / f"bit={part}" / f"times={weight}"
            folder.mkdir(parents=True)
            rows = frame[(frame["bit"] == part) & (np.arange(N) % 2 + 1 == weight)]
            rows.drop(columns="bit").to_parquet(folder / "a.parquet", index=False)
    words = ["--target", "bit", "--proba", "p", "--weight", "times", "--losses", "nll"]
    document = score(tmp_path / "scored", words, capsys)
    expected = log_loss(BIT, BINARY, sample_weight=np.arange(N) % 2 + 1)
    assert document["losses"]["categorical_crossentropy"]["mean"] == pytest.approx(expected)


def test_columns_of_folders_and_files_may_have_other_types(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame(TABLE)  # `bit` is int64 in the files, int32 in the names
    for part in (0, 1):
        folder = tmp_path / "scored" / f"bit={part}"
        folder.mkdir(parents=True)
        frame[frame["bit"] == part].to_parquet(folder / "a.parquet", index=False)
    document = score(tmp_path / "scored", ["--target", "bit", "--proba", "p"], capsys)
    assert document["metrics"]["roc_auc"] == pytest.approx(roc_auc_score(BIT, BINARY))


def test_a_folder_in_a_folder_may_have_the_name_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "folder").rename(tmp_path / "scored.parquet")
    assert score(tmp_path, [*THREE, "--losses", "nll"], capsys)["rows"] == N


def test_two_columns_with_one_name_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pa.table([pa.array(BIT), pa.array(BINARY), pa.array(BINARY)], ["bit", "p", "p"])
    pq.write_table(table, tmp_path / "a.parquet")
    for path in (tmp_path / "a.parquet", tmp_path):
        assert main(["score", str(path), "--target", "bit", "--proba", "p"]) == 2
        assert "names of a.parquet must be unique; duplicates: 'p'" in capsys.readouterr().err


def test_labels_that_are_all_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], large: Callable[[], None]
) -> None:
    path = write(tmp_path, "parquet", {"y": [None] * 9, "p": BINARY[:9]})
    for limits in (lambda: None, large):
        limits()
        assert main(["score", str(path), "--target", "y", "--proba", "p", "--drop-missing"]) == 2
        assert "column y must have labels; got none in 9 rows" in capsys.readouterr().err


@pytest.mark.parametrize("losses", [[], ["--losses", "nll"]])
def test_decimals_of_databases(
    losses: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    large: Callable[[], None],
) -> None:
    rounded = BINARY.round(3)
    columns = {
        "y": [Decimal(int(bit)) for bit in BIT],
        "p": [Decimal(str(p)) for p in rounded],
        "w": [Decimal("0.5")] * N,
    }
    path = write(tmp_path, "parquet", columns)
    words = ["--target", "y", "--proba", "p", "--weight", "w", *losses]
    expected = score(path, words, capsys)
    large()
    found = score(path, words, capsys)
    assert_same(found, expected)
    mean = found["losses"]["categorical_crossentropy"]["mean"]
    assert mean == pytest.approx(log_loss(BIT, rounded), rel=1e-12)


def test_an_infinite_metric_is_null_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "csv", {"y": [1, 0], "p0": [900.0, 0.0], "p1": [0.0, 900.0]})
    words = ["--target", "y", "--proba", "p0,p1", "--from-logits", "--losses", "perplexity"]
    assert score(path, words, capsys)["metrics"] == {"perplexity": None}


def test_labels_that_are_lists_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], large: Callable[[], None]
) -> None:
    path = write(tmp_path, "parquet", {"y": [[0, 1]] * 9, "p": BINARY[:9]})
    for limits in (lambda: None, large):
        limits()
        assert main(["score", str(path), "--target", "y", "--proba", "p"]) == 2
        assert "must have labels that are numbers or text" in capsys.readouterr().err


def test_the_text_among_numbers_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], large: Callable[[], None]
) -> None:
    proba = [*BINARY[:20].astype(str)]
    proba[7] = "abc"
    path = write(tmp_path, "csv", {"y": BIT[:20], "p": proba})
    for limits in (lambda: None, large):
        limits()
        assert main(["score", str(path), "--target", "y", "--proba", "p"]) == 2
        assert "must contain numbers; got 'abc' in row 7" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: [p.unlink() for p in folder.iterdir()], "at least one .parquet file"),
        (
            lambda folder: (folder / "part-1.parquet").write_bytes(b"PAR1 cut off"),
            "part-1.parquet is a damaged Parquet file",
        ),
        (
            lambda folder: (folder / "part-2.parquet").write_text("y,p\n"),
            "part-2.parquet is not Parquet",
        ),
        (
            lambda folder: pd.DataFrame(TABLE).drop(columns="w").to_parquet(folder / "q.parquet"),
            "q.parquet does not have the column 'w' of part-0.parquet",
        ),
        (
            lambda folder: pd.DataFrame({**TABLE, "new": 1}).to_parquet(folder / "q.parquet"),
            "q.parquet has the column 'new', which part-0.parquet does not have",
        ),
        (
            lambda folder: pd.DataFrame({**TABLE, "w": "a"}).to_parquet(folder / "q.parquet"),
            "the column 'w' has the type",
        ),
    ],
)  # fmt: skip
def test_folders_that_are_no_table_are_refused(
    change: Callable[[Path], Any],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = write(tmp_path, "folder")
    change(folder)
    assert main(["score", str(folder), *THREE]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_file_that_is_damaged_in_the_middle_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], large: Callable[[], None]
) -> None:
    large()
    folder = write(tmp_path, "folder")
    path = folder / "part-1.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    assert main(["score", str(folder), *THREE]) == 2
    assert "part-1.parquet is a damaged Parquet file" in capsys.readouterr().err


# -- temporary files ---------------------------------------------------------------------------


def test_temporary_files_have_no_name(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    large: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tempfile

    large()
    path = write(tmp_path, "csv")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    named = []
    original = tempfile.TemporaryFile

    def watched(*arguments: Any, **options: Any) -> Any:
        file = original(*arguments, **options)
        named.extend(os.listdir(tmp_path / "temporary"))
        return file

    monkeypatch.setattr(tempfile, "TemporaryFile", watched)
    score(path, THREE, capsys)
    assert named == []


@pytest.mark.slow
def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path, "parquet")
    code = (
        "import resource, signal, sys\n"
        "from xentexp.experiments import _file_columns\n"
        "from xentexp.experiments._cli import main\n"
        "_file_columns.SMALL = 0\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = [sys.executable, "-c", code, "score", str(path), *THREE]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "the folder of temporary files" in done.stderr
    assert "TMPDIR" in done.stderr


def test_without_a_folder_for_temporary_files(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    large: Callable[[], None],
) -> None:
    large()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert main(["score", str(write(tmp_path, "parquet")), *THREE]) == 2
    err = capsys.readouterr().err
    assert "set the environment variable TMPDIR" in err
    assert err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    n, block = 4_000_000, 100_000
    rng = np.random.default_rng(0)
    schema = pa.schema([("y", pa.int8()), *((f"p{i}", pa.float64()) for i in range(3))])
    path = tmp_path / "large.parquet"
    with pq.ParquetWriter(path, schema) as writer:
        for _ in range(n // block):
            p = rng.dirichlet([1, 1, 1], block)
            y = (rng.random(block)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(0, 2)
            writer.write_table(pa.table([y.astype(np.int8), *p.T.copy()], schema=schema))
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from xentexp.experiments._cli import main\n"
        "code = main(sys.argv[1:])\n"
        # Not ru_maxrss, which begins with the memory of the process that started this one.
        "status = Path('/proc/self/status').read_text()\n"
        "print('PEAK', status.partition('VmHWM:')[2].split()[0])\n"
        "sys.exit(code)\n"
    )
    losses = "log_loss,auc"
    words = ["score", str(path), *THREE, "--losses", losses]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    peak = int(done.stdout.rpartition("PEAK ")[2]) * 1024
    assert peak < 380e6  # of the 400 MB for any number of rows


# -- Dask --------------------------------------------------------------------------------------


def test_the_options_of_dask_are_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "parquet")
    for words, message in (
        (["--address", "tcp://127.0.0.1:1"], "add --engine dask"),
        (["--engine", "dask", "--losses", "auc"], "got roc_auc, which needs all rows"),
        (["--engine", "dask", "--address", "nonsense"], "address of the Dask cluster must be"),
        (["--engine", "dask", "--address", "tls://127.0.0.1:1", "--losses", "nll"], "ssl_context"),
    ):
        assert main(["score", str(path), *THREE, *words]) == 2
        assert message in capsys.readouterr().err
    assert main(["score", str(write(tmp_path, "csv")), *THREE, "--engine", "dask"]) == 2
    assert "--engine dask reads a folder of Parquet files" in capsys.readouterr().err


@pytest.mark.slow
def test_dask_computes_the_same_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    folder = write(tmp_path, "folder")
    words = [*THREE, "--losses", "log_loss,brier_loss,perplexity", "--weight", "w"]
    alone = score(folder, words, capsys)
    assert score(folder, [*words, "--engine", "dask"], capsys) == alone
    document = score(folder, [*THREE, "--engine", "dask"], capsys)
    assert "roc_auc, gini" in document["notes"][0]
    assert "roc_auc" not in document["metrics"]
    bad = np.where(np.arange(N) == 333, 1.5, BINARY)
    pd.DataFrame({**TABLE, "p": bad})[200:400].to_parquet(folder / "part-1.parquet", index=False)
    command = ["score", str(folder), "--target", "bit", "--proba", "p", "--engine", "dask"]
    assert main(command) == 2
    assert "row 133 of part-1.parquet of column p has 1.5" in capsys.readouterr().err


@pytest.mark.slow
def test_an_error_on_a_worker_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    folder = write(tmp_path, "folder")
    bad = np.where(np.arange(N) == 333, np.nan, BINARY)
    pd.DataFrame({**TABLE, "p": bad})[200:400].to_parquet(folder / "part-1.parquet", index=False)
    command = ["score", str(folder), "--target", "bit", "--proba", "p", "--engine", "dask"]
    assert main([*command, "--losses", "log_loss"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "row 133 of part-1.parquet of column p" in line


def test_a_worker_that_ends_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = pytest.importorskip("distributed.scheduler")

    def gather(_: object) -> None:
        worker = SimpleNamespace(address="tcp://127.0.0.1:1")
        raise scheduler.KilledWorker("_sum_file-1", worker, 3)

    engine = contextlib.nullcontext(
        SimpleNamespace(client=SimpleNamespace(submit=lambda *_, **__: None, gather=gather))
    )
    monkeypatch.setattr("xentexp.experiments._engines.by_dask.DaskEngine", lambda address: engine)
    folder = write(tmp_path, "folder")
    assert main(["score", str(folder), *THREE, "--losses", "log_loss", "--engine", "dask"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Dask did not complete the sums of all files: " in line
