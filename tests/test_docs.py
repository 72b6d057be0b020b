"""README and guides: their code runs in the environment that they name, their names exist.

What the tests expect of a page:

- A line "Environment: `pip install '.[EXTRA]'`" precedes the code; it applies until the next one.
  Packages of other extras cannot be imported.
- Python blocks of a page share a namespace. A value in a comment ("# 0.25", "# 'text'") is
  compared with the expression before it, and so is the output of a block of ">>>" lines.
- Commands of xentexp are run. Of ``xentexp run`` only those with few rows and fast models are; the
  others are validated, and run by the slow tests unless they take minutes or need files. Pages with
  such commands are slow tests, the README aside.
- A text block after such commands has lines that they print. A YAML block that starts with
  "# FOLDER/FILE.yaml" is written to that file. The table loans.csv is the one of own_data.md.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support import pages
from tests.support.page_runner import STATED
from tests.support.pages import EXTRAS, PAGES, ROOT, Block
from xentexp import get_metric
from xentexp.losses import LOSSES
from xentexp.metrics._registry import DATASET_METRICS

README = ROOT / "README.md"
RUNNER = ROOT / "tests" / "support" / "page_runner.py"
MINUTES = {"experiment=loss_matrix", "experiment=uci_benchmark", "experiment=tune"}
NEED_A_RUN = {"leaderboard", "compare", "report", "rescore", "predict"}
FAST = {"prior", "logistic", "linear_svm", "stump"}

each_page = pytest.mark.parametrize("page", PAGES, ids=pages.name)


def commands(block: Block) -> list[list[str]]:
    """Words of each line of a shell block, without comments."""
    lines = (shlex.split(line, comments=True) for line in block.text.splitlines())
    return [words for words in lines if words]


def is_run(words: list[str]) -> bool:
    return words[:2] == ["xentexp", "run"]


def is_short(words: list[str]) -> bool:
    """Whether a run takes few seconds: few rows, and models that are fitted fast."""
    few_rows = "dataset=table" in words or any("n_samples" in word for word in words)
    models = re.findall(r"models=\[([\w,]+)\]", " ".join(words))
    fast = bool(models) and set(models[0].split(",")) <= FAST
    return few_rows and fast and not (MINUTES.intersection(words) or needs_cluster(words))


def needs_cluster(words: list[str]) -> bool:
    return any(word.startswith("engine.address=") for word in words)


def missing_packages(block: Block) -> set[str]:
    given, _ = pages.optional_modules(block.extras or ())
    return {module for module in given if not find_spec(module)}


def for_runner(block: Block, *, stored: bool, compared: bool) -> dict[str, Any]:
    """A block as the runner reads it."""
    todo = [
        (words[1:], is_short(words) if is_run(words) else words[1] not in NEED_A_RUN or stored)
        for words in (commands(block) if block.language == "bash" else [])
        if words[0] == "xentexp"
    ]
    file = re.match(r"# ([\w/]+\.yaml)\n", block.text)
    return {
        "where": f"{block.page}:{block.line}",
        "language": block.language,
        "text": block.text,
        "blocked": sorted(pages.optional_modules(block.extras or ())[1]),
        "commands": todo,
        "compared": compared,
        "file": file and file.group(1),
    }


@pytest.fixture
def files(workplace: Path) -> Path:
    """A working directory with an MLflow store and the table that own_data.md writes."""
    block = next(b for b in pages.blocks(ROOT / "docs" / "own_data.md") if b.language == "python")
    exec(compile(block.text, "own_data.md", "exec"), {})
    return workplace


def run(command: list[str], folder: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, **options
    )


def runs_models(page: Path) -> bool:
    """Whether a page has commands that fit models, besides the first ones of the README."""
    bash = [block for block in pages.blocks(page) if block.language == "bash"]
    return page != README and any(is_run(w) and is_short(w) for b in bash for w in commands(b))


@pytest.mark.long
@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[pytest.mark.slow] if runs_models(p) else []) for p in PAGES],
    ids=pages.name,
)
def test_blocks_run_in_the_environment_that_the_page_names(page: Path, files: Path) -> None:
    chosen: list[dict[str, Any]] = []
    left_out = set()
    stored = compared = False
    for block in pages.blocks(page):
        if missing := missing_packages(block):
            left_out |= missing
            continue
        item = for_runner(block, stored=stored, compared=compared and block.language == "text")
        compared = any(really for _, really in item["commands"])
        stored |= any(words[0] == "run" and really for words, really in item["commands"])
        chosen.append(item)
    before = {path.name for path in files.iterdir()}
    done = run([sys.executable, str(RUNNER)], files, input=json.dumps(chosen))
    assert done.returncode == 0, done.stderr
    if page == README:  # its blocks do not write files
        assert {path.name for path in files.iterdir()} == before
    if left_out:
        pytest.skip(f"blocks that need {', '.join(sorted(left_out))} were left out")


def test_all_kinds_of_code_occur() -> None:
    blocks = [block for page in PAGES for block in pages.blocks(page)]
    assert {block.language for block in blocks} == {"python", "bash", "text", "yaml", "toml"}
    stated = [line for b in blocks if b.language == "python" for line in STATED.findall(b.text)]
    assert len(stated) > 60
    words = [line for b in blocks if b.language == "bash" for line in commands(b)]
    of_xentexp = {line[1] for line in words if line[0] == "xentexp"}
    assert of_xentexp == {
        *("run", "leaderboard", "compare", "rescore", "report", "checks", "predict"),
        *("score", "losses", "datasets", "ui"),
    }
    assert sum(is_run(line) and is_short(line) for line in words) > 3


@each_page
def test_each_page_names_an_environment_before_its_code(page: Path) -> None:
    blocks = pages.blocks(page)
    lines = [line for line in pages.prose(page).splitlines() if line.startswith("Environment")]
    assert lines
    assert all(pages.ENVIRONMENT.match(line) for line in lines), lines
    for block in blocks:
        if block.language == "python" or ("xentexp " in block.text and block.language == "bash"):
            assert block.extras is not None, f"{block.page}:{block.line}"
        for extra in block.extras or ():
            assert extra in EXTRAS


@each_page
def test_scripts_and_extras_exist(page: Path) -> None:
    text = page.read_text()
    for script in re.findall(r"(?:\./)?(scripts/[\w-]+(?:\.py)?)", text):
        assert (ROOT / script).is_file(), script
        assert script.endswith(".py") or os.access(ROOT / script, os.X_OK), script
    named = re.findall(r"\.\[([\w,]+)\]", text) + re.findall(r"scripts/install ([\w,]+)", text)
    assert {extra for names in named for extra in names.split(",")} <= set(EXTRAS)
    for block in pages.blocks(page):
        for words in commands(block) if block.language == "bash" else ():
            assert words[0] == "xentexp" or (ROOT / words[0]).is_file(), words
        if block.language == "toml":
            assert tomllib.loads(block.text)


@each_page
def test_links_and_images_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.is_file(), target
        assert linked.is_relative_to(ROOT)
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


def test_the_index_and_the_readme_link_every_guide() -> None:
    guides = {path.name for path in PAGES if path.parent.name == "docs"} - {"index.md"}
    index = (ROOT / "docs" / "index.md").read_text()
    assert {name for name in guides if f"]({name})" in index} == guides
    assert {name for name in guides if f"](docs/{name})" in README.read_text()} == guides


def test_the_readme_is_short() -> None:
    assert len(README.read_text().split()) <= 1200


def test_pictures_are_small() -> None:
    for path in (ROOT / "docs" / "images").iterdir():
        assert path.stat().st_size < 150_000, path


def resolves(dotted: str) -> bool:
    """Whether a dotted name is a module of xentexp, or an attribute of one."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(value, part):
                return False
            value = getattr(value, part)
        return True
    return False


@each_page
def test_names_of_xentexp_exist(page: Path) -> None:
    spans = " ".join(pages.inline_code(page))
    # Tags of MLflow, and a group of entry points.
    tags = {"xentexp.aliases", "xentexp.leak", "xentexp.findings", "xentexp.losses"}
    tags |= {"xentexp.model", "xentexp.model_trust", "xentexp.missing"}
    own = {"xentexp.metrics.squared_miss"}  # what the guide registers
    for name in set(re.findall(r"\bxentexp(?:\.\w+)+", spans)) - tags - own:
        assert resolves(name), name


SOURCES = "\n".join(
    path.read_text()
    for folder in ("xentexp", "conf", "scripts", "tests/support")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".yaml", ".pyi")
)
OTHERS = {  # names of other libraries, and what a guide defines
    "BCELoss", "LogisticRegression", "base_score", "check_estimator", "client_max_body_size",
    "cohen_kappa_score",
    "cross_val_score", "error_score", "log_loss", "neg_log_loss", "serving_input_example",
    "squared_miss", "youden_index",
}  # fmt: skip
MODELS = {path.stem for path in (ROOT / "conf" / "models").iterdir()}
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
IDENTIFIER = re.compile(r"[A-Za-z]\w*")
ENDS = (
    "_loss", "_crossentropy", "_score", "_divergence", "_hinge", "_deviance", "_error", "_auc",
)  # fmt: skip


@pytest.mark.parametrize(
    "page", [*pages.PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem
)
def test_identifiers_in_code_spans_occur_in_the_sources(page: Path) -> None:
    written = set(IDENTIFIER.findall(SOURCES)) | OTHERS
    for span in pages.inline_code(page):
        if re.search(r"\b\w*_ij?\b", span) or (ROOT / span).exists():  # a formula; a file
            continue
        for word in IDENTIFIER.findall(span):
            if "_" in word.strip("_") or re.search(r"[a-z][A-Z]", word):
                assert word.removeprefix("neg_") in written or word.isupper(), f"{word} in `{span}`"


@each_page
def test_losses_and_metrics_that_are_named_exist(page: Path) -> None:
    code = "\n".join(block.text for block in pages.blocks(page) if block.language != "text")
    text = code + "\n" + "\n".join(pages.inline_code(page))
    words = {word.removeprefix("neg_") for word in IDENTIFIER.findall(text)}
    options = {"get_loss", "register_loss", "standard_error"} | OTHERS | MODELS
    for word in sorted(words - options):
        if word.endswith(ENDS):
            get_metric(word)


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "docs/options.md"])
def test_the_numbers_of_losses_and_metrics_are_right(name: str) -> None:
    text = (ROOT / name).read_text()
    assert set(re.findall(r"(\d+) losses", text)) == {str(len(LOSSES))}
    assert set(re.findall(r"(\d+) metrics", text)) == {str(len(DATASET_METRICS))}


@each_page
def test_options_of_the_command_exist(page: Path) -> None:
    sources = [*(ROOT / "xentexp/experiments/_cli").rglob("*.py"), *(ROOT / "scripts").iterdir()]
    known = " ".join(path.read_text() for path in sources if path.is_file())
    others = {"--cfg", "--config-dir", "--config-name", "--multirun"}  # of Hydra
    others |= {"--host", "--port", "--nthreads"}  # of Dask
    others |= {"--model-uri", "--env-manager", "--data"}  # of MLflow and curl
    others |= {"--allowed-hosts", "--cors-allowed-origins"}  # of MLflow
    others |= {"--format", "--file", "--archive"}  # of pg_dump and rsync
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text())) - others:
        assert re.search(rf"{option}(?![\w-])", known), option


def test_each_number_of_the_parity_table_is_stated_beside_its_call() -> None:
    page = ROOT / "docs" / "conventions.md"
    text = page.read_text()
    rows = re.findall(r"^\| (\d+) \|[^|]+\|(.+)\|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 12))
    for number, cells in rows:
        (section,) = re.findall(
            rf"^### Row {number}\n(.*?)(?=^###|\Z)", text, re.DOTALL | re.MULTILINE
        )
        code = "".join(re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE))
        stated = {float(x) for x in re.findall(r"(?:# |^)(\d+(?:\.\d+)?)$", code, re.MULTILINE)}
        for value in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", cells):
            assert float(value) in stated, f"row {number}: {value}"
        assert ("raises" in cells) == ("Traceback" in code)


def long_runs() -> list[Any]:
    """Runs that the default tests only validate, each once, without those of minutes."""
    found: dict[str, Block] = {}
    for block in (block for page in PAGES for block in pages.blocks(page)):
        for words in commands(block) if block.language == "bash" else ():
            needs_files = "FOLDER" in " ".join(words)
            left_out = needs_files or needs_cluster(words) or MINUTES & set(words)
            if is_run(words) and not (is_short(words) or left_out):
                found.setdefault(shlex.join(words[1:]), block)
    return [pytest.param(line, block, id=line) for line, block in found.items()]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "block"), long_runs())
def test_long_runs(line: str, block: Block, files: Path) -> None:
    if missing := missing_packages(block):
        pytest.skip(f"needs {', '.join(sorted(missing))}")
    done = run([sys.executable, "-m", "xentexp", *shlex.split(line)], files)
    assert done.returncode == 0, done.stderr
    if line == "run":  # the README shows its result
        (stated,) = (b.text for b in pages.blocks(README) if b.language == "text")
        # The README leaves out the last column: the time of the fits.
        printed = [" ".join(text.split()) for text in done.stdout.splitlines()]
        for text in stated.splitlines():
            words = " ".join(text.split())
            assert words == "..." or any(line.startswith(words) for line in printed), words


INLINE = sorted(
    {
        span
        for page in PAGES
        for span in pages.inline_code(page)
        if span.partition(" ")[0].endswith("xentexp") and " " in span
    }
)


@pytest.mark.parametrize("span", INLINE)
def test_commands_in_the_text_are_understood(
    span: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from xentexp.experiments._cli import main
    from xentexp.experiments._cli.parser import build_parser

    words = shlex.split(span)[1:]
    if len(words) == 1 and words[0] != "run":  # a command without its arguments
        assert words[0] in build_parser().format_help()
    elif words[0] != "run" and "--help" in words:
        with pytest.raises(SystemExit) as ended:
            build_parser().parse_args(words)
        assert ended.value.code == 0
    elif words[0] != "run":
        assert build_parser().parse_args(words).command == words[0]
    else:
        assert main(words if "--help" in words else [*words, "--cfg", "job"]) == 0
        assert not capsys.readouterr().err
