"""Run the blocks of one page, in order, in an environment without the packages it does not name.

Reads a list of blocks as JSON and writes what it did as JSON; a block that fails raises.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import json
import re
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

SHOWN = re.compile(
    r"#\s+(?:(?P<digits>-?\d+(?:\.\d+)?)(?P<more>\.\.\.)?|(?P<text>'[^']*'|True|False))(?=[:,]|$)"
)
STATED = re.compile(r"# +(?:-?\d|'|True|False)")

HIDDEN: dict[str, ModuleType] = {}
"""Modules that were imported for an earlier block and that the present environment lacks."""


class Finder(PathFinder):
    """Finds installed modules except those of packages that the environment does not have."""

    blocked: frozenset[str] = frozenset()

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in cls.blocked:
            return None
        return super().find_spec(fullname, path, target)


def set_environment(blocked: Sequence[str]) -> None:
    """Hide packages, imported ones too, and bring back those that are not hidden any more."""
    Finder.blocked = frozenset(blocked)
    for name in list(sys.modules):
        if name.partition(".")[0] in Finder.blocked:
            HIDDEN[name] = sys.modules.pop(name)
    for name in list(HIDDEN):
        if name.partition(".")[0] not in Finder.blocked:
            sys.modules[name] = HIDDEN.pop(name)


def agrees(value: Any, shown: re.Match[str]) -> bool:
    """Whether a value is what its comment says: cut off at an ellipsis, else rounded."""
    digits, more, text = shown["digits"], shown["more"], shown["text"]
    if text:
        return repr(value) == text
    if more:
        return repr(float(value)).startswith(digits)
    return f"{value:.{len(digits.partition('.')[2])}f}" == digits


def run_python(source: str, where: str, namespace: dict[str, Any]) -> int:
    """Execute a block and compare the values that its comments state; return how many."""
    if source.lstrip().startswith(">>>"):
        flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
        test = doctest.DocTestParser().get_doctest(source, namespace, where, where, 0)
        runner = doctest.DocTestRunner(optionflags=flags, verbose=False)
        runner.run(test, clear_globs=False)
        namespace.update(test.globs)
        assert not runner.failures, f"{where}: {runner.failures} examples fail"
        return len(test.examples)
    compared, lines = 0, source.splitlines()
    for statement in ast.parse(source).body:
        shown = SHOWN.search(lines[statement.end_lineno - 1])
        if not (isinstance(statement, ast.Expr) and shown):
            exec(compile(ast.Module([statement], []), where, "exec"), namespace)
            continue
        value = eval(compile(ast.Expression(statement.value), where, "eval"), namespace)
        text = ast.unparse(statement)
        assert agrees(value, shown), f"{where}: {text} is {value!r}, not {shown[0]}"
        compared += 1
    stated = len(STATED.findall(source))
    assert compared == stated, f"{where}: {stated} values are stated, {compared} were compared"
    return compared


def validate_only(config: Any, **_: object) -> tuple[int, dict[str, Any]]:
    """What `run_job` does before it reads data; models that are not scikit-learn's are fitted."""
    import numpy as np
    import pandas as pd
    from omegaconf import OmegaConf
    from sklearn.base import clone

    from xentexp.experiments._config.schema import read
    from xentexp.experiments._config.training import read_candidates
    from xentexp.experiments._folds import CrossValidation

    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    given = read({str(key): value for key, value in plain.items()})
    CrossValidation(seed=given.seed, **given.cv.model_dump())
    if given.tune is not None:
        import optuna  # noqa: F401
    rows = pd.DataFrame({"x": np.arange(60.0), "z": np.arange(60.0) % 7})
    labels, fitted = np.arange(60) // 10 % 2, set()
    for candidate in read_candidates(given.models.files, given.train_on, given.curves):
        kind = candidate.family or candidate.name
        classifier = candidate.estimator.steps[-1][1]
        if kind not in fitted and not type(classifier).__module__.startswith("sklearn."):
            fitted.add(kind)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                clone(candidate.estimator).fit(rows, labels)
    return 0, {}


def run_command(words: list[str], *, really: bool) -> str:
    """Run a command of xentexp in this process and return what it prints."""
    from xentexp.experiments._cli import main
    from xentexp.experiments._cli.parser import build_parser

    needs_run = words[0] in ("leaderboard", "compare", "report", "rescore", "predict")
    if words[0] == "ui" or (needs_run and not really):
        build_parser().parse_args(words)  # ui serves until it is stopped
        return ""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if words[0] != "run":
            code = main(words)
        elif really:
            code = main([*words, "n_jobs=1", "--quiet"])
        else:
            import xentexp.experiments._cli.job as job

            original, job.run_job = job.run_job, validate_only
            try:
                code = main(words)
            finally:
                job.run_job = original
            assert not err.getvalue(), f"{shlex.join(words)} prints {err.getvalue()}"
    assert code == 0, f"{shlex.join(words)} has exit code {code}: {err.getvalue()}"
    return out.getvalue()


def check_output(stated: str, printed: Sequence[str], where: str) -> int:
    """Compare the lines of a text block with what the commands above it print."""
    lines = {" ".join(line.split()) for text in printed for line in text.splitlines()}
    wanted = [" ".join(line.split()) for line in stated.splitlines()]
    for line in filter(None, wanted):
        assert line in lines, f"{where}: {line!r} is not printed; printed: {sorted(lines)}"
    return len(wanted)


def run_page(blocks: Sequence[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """What each block was used for, and how many values were compared or commands run."""
    sys.meta_path[:] = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
    namespace: dict[str, Any] = {"__name__": "page"}
    printed: list[str] = []
    for block in blocks:
        where, text, language = block["where"], block["text"], block["language"]
        set_environment(block["blocked"])
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The ``noload``", DeprecationWarning)  # MLflow's
        if language == "python":
            yield language, run_python(text, where, namespace)
        elif language == "bash":
            printed = [run_command(words, really=really) for words, really in block["commands"]]
            yield language, len(printed)
        elif language == "text" and block["compared"]:
            yield language, check_output(text, printed, where)
        elif block["file"]:
            path = Path(block["file"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            yield "file", 1


if __name__ == "__main__":
    report = list(run_page(json.load(sys.stdin)))
    print(json.dumps(report))
