"""Random command lines: exit code 0, 1 or 2, never a traceback or a warning."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.support import fuzzed
from tests.support.stores import RESULTS_ONLY
from xentexp.experiments._cli import main

pytestmark = pytest.mark.slow

ODD = [
    "",
    " ",
    "a",
    "-1",
    "1e999",
    "[b]",
    "[/b]",
    "\x1b[31mred",
    "연체여부",
    "'",
    '"',
    "{",
    "]",
    "$",
]
ODD += ["${oc.env:HOME}", "\\${x}", "--jsn", "--", "-", "=", "a=b", "+a=b", "~models", "null", "%s"]
FILES = ["scores.csv", "table.csv", "none.csv", ".", "broken.csv"]
COLUMNS = ["y", "p0", "p1", "p0,p1", "p1,p0", "w", "x", "p0,p0", "p0,", ","]
NAMES = ["brier_loss", "roc_auc", "nll", "brier_loss,roc_auc", "all", "log_los"]

words_of = {
    "losses": [st.sampled_from([*NAMES, "--json", *ODD])],
    "datasets": [
        st.sampled_from(["table", "uci_default", "dacon", "simulated_delinquency", *ODD]),
        st.builds("path={}".format, st.sampled_from(FILES)),
        st.builds("target={}".format, st.sampled_from([*COLUMNS, *ODD])),
        st.builds("n_samples={}".format, st.sampled_from(["50", "0", "-1", "x", "1e3"])),
        st.sampled_from(["--json", "--key", "x", *ODD]),
    ],
    "leaderboard": [
        st.sampled_from(["--sort", "--losses", "--experiment", "--all", "--json", "--store"]),
        st.sampled_from([*NAMES, *ODD, "sqlite:///none.db", "http://user:secret@localhost:1"]),
    ],
    "score": [
        st.sampled_from(FILES),
        st.just("--target"),
        st.sampled_from(COLUMNS),
        st.sampled_from(["--proba", "--decision"]),
        st.sampled_from(COLUMNS),
        st.sampled_from(["--labels", "--weight", "--losses", "--json", "--normalize"]),
        st.sampled_from([*NAMES, *COLUMNS, "0,1", "-1,1", "1,0", *ODD]),
        st.sampled_from(["--from-logits", "--ordered", *ODD]),
    ],
    "run": [
        st.builds("dataset.path={}".format, st.sampled_from(FILES)),
        st.builds("dataset.target={}".format, st.sampled_from([*COLUMNS, *ODD])),
        st.sampled_from(["models=[prior]", "models=[]", "models=prior", "models=[x]", *ODD]),
        st.builds("cv.n_splits={}".format, st.sampled_from(["2", "1", "0", "x", "999"])),
        st.builds("primary={}".format, st.sampled_from([*NAMES, *ODD])),
        st.builds("seed={}".format, st.sampled_from(["1", "-1", "x", "2.5", "99999999999"])),
        st.sampled_from(["--json", "--quiet", "--cfg", "--cfg=job", "--info", *ODD]),
    ],
}
# Without these, `run` would train seven models on 30,000 rows.
SMALL = [
    *("dataset=table", "dataset.path=scores.csv", "dataset.target=y", "models=[prior]"),
    *RESULTS_ONLY,
]
SMALL += ["cv.n_splits=2", "n_jobs=1"]


@st.composite
def command_lines(draw: st.DrawFn, command: str) -> list[str]:
    # Each word is left out in one of five cases.
    words = [draw(word) for word in words_of[command] if draw(st.integers(0, 4))]
    keys = [word.partition("=")[0] for word in words]
    small = [word for word in SMALL if command == "run" and word.partition("=")[0] not in keys]
    return [command, *small, *words]


@pytest.fixture(scope="module")
def folder(migrated_store: Path) -> Any:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        (path / "mlflow.db").write_bytes(migrated_store.read_bytes())
        y, p = rng.permutation(np.arange(40) % 2), rng.uniform(0.01, 0.99, 40)
        frame = pd.DataFrame({"x": rng.normal(size=40), "y": y, "w": rng.uniform(size=40)})
        frame.to_csv(path / "table.csv", index=False)
        frame.assign(p0=1 - p, p1=p).to_csv(path / "scores.csv", index=False)
        (path / "broken.csv").write_bytes(b'a,"b\n\xff\x00,1\n')
        yield path


def run_command(words: list[str], folder: Path) -> None:
    here = Path.cwd()
    out, err = io.StringIO(), io.StringIO()
    os.chdir(folder)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "The ``noload`` loader", DeprecationWarning)
            try:
                code: Any = main(words)
            except SystemExit as stopped:  # argparse
                code = stopped.code or 0
    finally:
        os.chdir(here)
    assert code in (0, 1, 2), code
    printed = err.getvalue()
    assert "Traceback" not in printed + out.getvalue(), printed
    if code == 2:
        assert printed.strip(), "an error without a message"
    assert "\x1b[31mred" not in out.getvalue() + printed
    assert "secret" not in out.getvalue() + printed


@pytest.mark.parametrize(
    ("command", "examples"),
    [("losses", 60), ("datasets", 150), ("leaderboard", 60), ("score", 400), ("run", 120)],
)
def test_random_command_lines(command: str, examples: int, folder: Path) -> None:
    @fuzzed(examples)
    @given(words=command_lines(command))
    def check(words: list[str]) -> None:
        run_command(words, folder)

    check()
