"""What editors and type checkers read about xentexp.metrics: the stub, and mistakes it reveals."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import jedi
import pytest

from xentexp import metrics
from xentexp.metrics._registry import ALIASES

ROOT = Path(__file__).parents[2]
STUB = ROOT / "xentexp" / "metrics" / "__init__.pyi"

HEAD = """
from typing import Literal

import numpy as np
import pandas as pd
import xentexp
from xentexp import metrics
from xentexp.metrics import binary_crossentropy, brier_loss, entropy, evaluate, roc_auc

y, p = [0, 1], np.array([0.2, 0.7])
how: Literal["mean", "none"] = "mean" if len(y) else "none"
"""
MISTAKES = {
    "mistyped keyword": "brier_loss(y, p, sample_wieght=[1, 2])",
    "mistyped keyword, with conventions": "binary_crossentropy(y, p, label_smothing=0.1)",
    "mistyped keyword of a metric": "roc_auc(y, p, lables=[0, 1])",
    "mistyped keyword of evaluate": "evaluate(y, p, lables=[0, 1])",
    "mistyped keyword of a loss": "xentexp.get_loss('brier_loss')(y, p, lables=[0, 1])",
    "keyword of a peer without its convention": "binary_crossentropy(y, p, weight=[1, 2])",
    "keyword of another peer": "binary_crossentropy(y, p, convention='keras', weight=[1, 2])",
    "unknown convention": "binary_crossentropy(y, p, convention='jax')",
    "convention where there is none": "entropy(p, convention='torch')",
    "wrong reduction": "brier_loss(y, p, reduction='median')",
    "wrong choice": "roc_auc(y, p, multiclass='ovx')",
    "wrong type of a parameter": "metrics.power_loss(y, p, beta='3')",
    "missing argument": "brier_loss(y)",
    "missing argument of a metric": "roc_auc(y)",
    "third positional argument": "brier_loss(y, p, [1, 2])",
    "third positional argument of a metric": "roc_auc(y, p, [1, 2])",
    "mistyped function": "metrics.brier_los(y, p)",
    "mistyped module": "xentexp.metrcs",
    "mistyped name of experiments": "xentexp.experiments.run_experment",
}
CORRECT = [
    ("brier_loss(y, p)", "float"),
    ("brier_loss(['a', 'b'], p, labels=['b', 'a'], reduction='sum')", "float"),
    ("brier_loss(pd.Series(y), pd.DataFrame({'a': p, 'b': p}), sample_weight=p)", "float"),
    ("brier_loss(y, p, reduction='none')", "ndarray"),
    ("brier_loss(y, p, reduction=how)", "float | ndarray"),
    ("binary_crossentropy(y, p, convention='torch', weight=[1, 2])", "float | ndarray"),
    ("entropy(p)", "float"),
    ("roc_auc(y, p)", "float"),
    ("metrics.nll(y, p, reduction='none')", "ndarray"),
    ("metrics.get_metric('auc')", "Metric"),
    ("xentexp.evaluate(y, p).state + xentexp.evaluate(y, p).state", "LossState"),
    ("metrics.d2_score(y, p, loss=xentexp.get_loss('brier_loss'))", "float"),
    ("xentexp.metrics.evaluate(y, p, ['nll'], class_weight='balanced')", "Evaluation"),
    ("xentexp.evaluate(y, p)['brier_loss']", "float"),
    ("xentexp.get_loss('brier_loss').gradient(y, p)", "ndarray"),
]


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """A user's script: one line for each mistake, then one for each correct call."""
    path = tmp_path_factory.mktemp("user") / "script.py"
    lines = [*MISTAKES.values(), *(f"reveal_type({call})" for call, _ in CORRECT)]
    path.write_text("\n".join([HEAD, *lines, "reveal_type(brier_loss)", ""]))
    return path


def line_of(script, code):
    return script.read_text().splitlines().index(code) + 1


def run_checker(script, *command):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command, script.name],
        cwd=script.parent, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return done.stdout


def check_found(script, errors, revealed):
    """Assert that exactly the mistakes are reported, and that correct calls have their types."""
    assert errors == {line_of(script, code) for code in MISTAKES.values()}
    for call, kind in CORRECT:
        text = revealed[line_of(script, f"reveal_type({call})")]
        shown = re.sub(r"\[.*?\]+(?=$| \|)|\w+\.(?=\w)", "", text)
        assert shown == kind, call
    signature = revealed[line_of(script, "reveal_type(brier_loss)")]
    for part in ("y_true: ", "from_logits: bool", "'none'", "Literal['sklearn']"):
        assert part in signature.replace('"', "'")


def test_the_stub_is_current():
    build = runpy.run_path(str(ROOT / "scripts" / "build_metrics_stub.py"))["build"]
    assert STUB.read_text() == build(), "run python scripts/build_metrics_stub.py"


def test_the_stub_declares_every_public_name_and_every_short_name():
    text = STUB.read_text()
    declared = set(re.findall(r"^def (\w+)|^from .* as (\w+)$", text, re.MULTILINE))
    assert {function or name for function, name in declared} == set(metrics.__all__)
    assert dict(re.findall(r"^(\w+) = (\w+)$", text, re.MULTILINE)) == ALIASES


def test_the_module_behind_the_stub_has_only_imports_and_two_hooks():
    _, *body = ast.parse(STUB.with_suffix(".py").read_text()).body
    rest = [node for node in body if not isinstance(node, ast.ImportFrom)]
    names = [getattr(node, "name", None) or ast.unparse(node.targets[0]) for node in rest]
    assert names == ["__all__", "__getattr__", "__dir__"]
    assert sum(len(ast.unparse(node).splitlines()) for node in rest) < 15


@pytest.mark.long
def test_pyright_finds_mistakes_and_shows_types(script):
    (script.parent / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    command = ["basedpyright", "--pythonpath", sys.executable, "--outputjson"]
    found = json.loads(run_checker(script, *command))["generalDiagnostics"]
    places = [(one["severity"], one["range"]["start"]["line"] + 1, one["message"]) for one in found]
    revealed = {
        line: re.fullmatch(r'Type of ".*" is "(.*)"', message, re.DOTALL)[1]
        for severity, line, message in places
        if severity == "information"
    }
    check_found(script, {line for severity, line, _ in places if severity == "error"}, revealed)


@pytest.mark.slow
def test_mypy_finds_mistakes_and_shows_types(script):
    command = ["mypy", "--config-file", str(ROOT / "pyproject.toml")]
    command += ["--cache-dir", str(ROOT / ".mypy_cache")]
    output = run_checker(script, *command)
    places = re.findall(r"^script\.py:(\d+): (\w+): (.*)$", output, re.MULTILINE)
    revealed = {
        int(line): message.partition('"')[2][:-1]
        for line, _, message in places
        if message.startswith("Revealed type")
    }
    check_found(script, {int(line) for line, kind, _ in places if kind == "error"}, revealed)


# -- editors -----------------------------------------------------------------------------------


def editor(code):
    """What jedi knows at the end of the code."""
    project = jedi.Project(ROOT, sys_path=[str(ROOT), *sys.path])
    return jedi.Script(code, project=project)


@pytest.mark.parametrize(
    "code",
    ["from xentexp.metrics import NAME", "import xentexp\nxentexp.metrics.NAME",
     "from xentexp import metrics\nmetrics.NAME"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["brier_loss", "binary_crossentropy", "roc_auc", "evaluate"])
def test_jedi_shows_signature_and_docstring(name, code):
    summary = inspect.getdoc(getattr(metrics, name)).partition("\n")[0]
    known = editor(code.replace("NAME", name))
    (helped,) = known.help()
    (completed,) = [one for one in known.complete() if one.name == name]
    for shown in (helped.docstring(), completed.docstring()):
        assert shown.startswith(f"{name}(y_true: ArrayLike, y_pred: ArrayLike")
        assert "from_logits: bool=False" in shown
        assert summary in shown
        assert "Examples\n--------" in shown


def test_jedi_shows_the_signature_within_a_call():
    signatures = editor("from xentexp.metrics import brier_loss\nbrier_loss(").get_signatures()
    assert "from_logits: bool=False" in signatures[0].to_string()
    assert any("Brier score: squared distance" in one.docstring() for one in signatures)


def test_jedi_completes_modules_and_functions():
    names = {one.name for one in editor("import xentexp\nxentexp.").complete()}
    assert {"metrics", "scorers", "experiments", "evaluate", "InputError"} <= names
    names = {one.name for one in editor("from xentexp import metrics\nmetrics.").complete()}
    assert set(metrics.__all__) <= names
