"""The README runs: its Python from the first line to the last, its commands up to the work."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from xentexp import metrics
from xentexp.experiments._cli import _parser, main
from xentexp.metrics._evaluation import evaluate
from xentexp.scorers import get_scorer

TEXT = (Path(__file__).parents[1] / "README.md").read_text()
SHOWN = re.compile(r"#\s+(?:(?P<digits>-?\d+\.\d+)(?P<more>\.\.\.)?|(?P<text>'.*'))(?=:|$)")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def agrees(value, shown):
    """Whether a value is what its comment says: cut off at an ellipsis, else rounded."""
    digits, more, text = shown["digits"], shown["more"], shown["text"]
    if text:
        return repr(value) == text
    if more:
        return repr(float(value)).startswith(digits)
    return f"{value:.{len(digits.partition('.')[2])}f}" == digits


def run_block(source, namespace):
    """The comments whose value was compared."""
    compared, lines = [], source.splitlines()
    for statement in ast.parse(source).body:
        shown = SHOWN.search(lines[statement.end_lineno - 1])
        if not (isinstance(statement, ast.Expr) and shown):
            exec(compile(ast.Module([statement], []), "README.md", "exec"), namespace)
            continue
        value = eval(compile(ast.Expression(statement.value), "README.md", "eval"), namespace)
        assert agrees(value, shown), f"{ast.unparse(statement)} is {value!r}, not {shown[0]}"
        compared.append(shown[0])
    return compared


def test_the_python_runs_and_returns_what_the_comments_say(tmp_path, monkeypatch, restored_losses):
    monkeypatch.chdir(tmp_path)
    namespace, compared = {"__name__": "readme"}, []
    for source in blocks("python"):
        compared += run_block(source, namespace)
    assert len(compared) == len(re.findall(r"# +[-\d']", "".join(blocks("python")))) > 5
    assert not list(tmp_path.iterdir())
    # "It then has every face", with the value of its own example.
    example = namespace["SquaredMiss"].properties.example
    assert metrics.squared_miss([1], [0.5]) == float(example.rpartition("\n")[2])
    assert get_scorer("neg_squared_miss")
    assert evaluate([1], [0.5]).mean["squared_miss"] == 0.25


def commands():
    """What is typed after ``xentexp``, in blocks and in the running text."""
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    inline = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", TEXT)]
    words = [shlex.split(line, comments=True) for line in [*lines, *inline] if "xentexp " in line]
    return [line[1:] for line in words if line[0].endswith("xentexp")]


def test_there_are_commands_of_every_kind():
    assert {line[0] for line in commands()} == {
        "run", "leaderboard", "score", "losses", "datasets", "ui",
    }  # fmt: skip


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_are_understood(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "models").mkdir(parents=True)
    (tmp_path / "mine" / "models" / "stump.yaml").write_text(blocks("yaml")[0])
    if words[0] != "run":
        assert _parser().parse_args(words).command == words[0]
        return
    if "-m" in words:  # the first of its runs
        words = [re.sub(r"(=[^\[,]*),.*", r"\1", word) for word in words if word != "-m"]
    assert main([*words, "--cfg", "job"]) == 0  # composed, and no more
    assert not capsys.readouterr().err
