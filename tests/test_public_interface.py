"""The public names: available, listed, imported on first use, and documented."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys

import pytest

import xentexp
from xentexp import evaluate, experiments, inference
from xentexp.errors import InputError

MODULES = [
    "displays", "errors", "estimators", "experiments", "inference", "losses", "metrics",
    "objectives", "scorers", "tuning",
]  # fmt: skip


def public_objects():
    """Every public class and function by its full name, each once."""
    found = {}
    names = [*MODULES, "experiments.datasets", "metrics.credit"]
    for module in [xentexp, *(importlib.import_module(f"xentexp.{name}") for name in names)]:
        for name in module.__all__:
            try:
                thing = getattr(module, name)
            except InputError:  # of TorchLoss, where torch is not installed
                continue
            if inspect.isclass(thing) or inspect.isfunction(inspect.unwrap(thing)):
                found.setdefault(thing, f"{module.__name__}.{name}")
    return [pytest.param(thing, id=name) for thing, name in found.items()]


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_public_module_and_name_is_listed_at_the_top():
    assert set(MODULES) < set(xentexp.__all__)
    assert dir(xentexp) == sorted(xentexp.__all__)
    assert {"Loss", "InputError", "evaluate", "get_loss", "get_metric"} < set(dir(xentexp))


@pytest.mark.parametrize("module", [xentexp, experiments, inference], ids=lambda m: m.__name__)
def test_type_checkers_see_the_names_that_are_imported_on_first_use(module):
    tree = ast.parse(inspect.getsource(module))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        (f"{node.module}.{alias.name}", alias.asname) for node in block.body for alias in node.names
    }
    names = {
        (f"{module.__name__}.{part}.{name}", name)
        for part, listed in module._NAMES.items()
        for name in listed
    }
    if module is xentexp:
        names |= {(f"xentexp.{part}", part) for part in module._NAMES}
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    assert imported == names
    assert set(module.__all__) - {"__version__"} == {name for _, name in names}


@pytest.mark.long
def test_every_listed_name_is_an_attribute():
    code = "import xentexp; [getattr(xentexp, name) for name in dir(xentexp)]; print('ok')"
    assert run_python(code) == ["ok"]


@pytest.mark.long
def test_the_star_import_has_every_name():
    code = "from xentexp import *; import xentexp; print(all(n in globals() for n in dir(xentexp)))"
    assert run_python(code) == ["True"]


@pytest.mark.parametrize("module", ["xentexp", "xentexp.experiments", "xentexp.metrics"])
def test_an_unknown_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'evaluat'"):
        importlib.import_module(module).evaluat  # noqa: B018


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("xentexp", ["numpy", "argparse", "inspect", "importlib.metadata"]),
        ("xentexp.metrics", ["pandas", "scipy", "sklearn", "joblib", "matplotlib", "torch"]),
        ("xentexp.experiments", ["numpy", "pandas", "mlflow", "hydra"]),
    ],
)
def test_an_import_does_not_load_heavy_packages(module, absent):
    loaded = f"import sys, {module}; print(*sorted(set({absent}) & set(sys.modules)))"
    assert run_python(loaded) == []


# -- documentation -----------------------------------------------------------------------------

HEADING = re.compile(r"^(\w[\w ]+)\n-{3,}$", re.MULTILINE)


def sections(thing):
    """Sections of a numpydoc docstring by heading; of a base class if it has no docstring."""
    pieces = HEADING.split(inspect.getdoc(thing) or "")
    assert len(set(pieces[1::2])) == len(pieces[1::2]), "a section occurs twice"
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def documented_names(thing):
    """Names under Parameters and Attributes, also of base classes."""
    bases = thing.__mro__[:-1] if inspect.isclass(thing) else [thing]
    headings = ("Parameters", "Attributes")
    text = "".join(sections(base).get(heading, "") for base in bases for heading in headings)
    entries = re.findall(r"^\S.*$", text, re.MULTILINE)
    return {name.strip(" *") for entry in entries for name in entry.partition(" :")[0].split(",")}


@pytest.mark.parametrize("thing", public_objects())
def test_a_public_name_has_a_complete_docstring(thing):
    found = sections(thing)
    assert doctest.DocTestParser().get_examples(found.get("Examples", "")), "no example"
    exception = inspect.isclass(thing) and issubclass(thing, Exception)
    parameters = {} if exception else dict(inspect.signature(thing).parameters)
    assert documented_names(thing) >= set(parameters) - {"self"}
    if inspect.isfunction(thing) and inspect.signature(thing).return_annotation != "None":
        assert "Returns" in found


# -- notebooks ---------------------------------------------------------------------------------


def test_an_evaluation_is_a_table_in_a_notebook():
    html = evaluate([0, 1, 1], [0.1, 0.8, 0.4], ["brier_loss", "roc_auc"])._repr_html_()
    assert html.count("<tr") == 1 + 1 + 2  # columns, name of the index, two rows
    for text in ("brier_loss", "roc_auc", "standard_error", "0.136667", "1.000000"):
        assert text in html
