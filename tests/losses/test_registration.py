"""Losses from outside the package, by decorator or entry point, and errors in their definition."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

import xentexp
from xentexp import Loss, Properties, metrics, register_loss
from xentexp.errors import InputError
from xentexp.estimators import LinearLossClassifier
from xentexp.losses import LOSSES
from xentexp.losses._regression import DistanceLoss
from xentexp.metrics._evaluation import evaluate
from xentexp.scorers import get_scorer, get_scorer_names, loss_scorers

pytestmark = pytest.mark.usefixtures("restored_tables")

FACTS = {
    "summary": "Missing probability of the true class, to a power.",
    "formula": "(1 - p_y)^power",
    "range": "[0, 1]",
    "properness": "improper",
    "response": "predict_proba",
    "targets": "one-hot",
    "gradient": "none",
    "reference": "a test",
}


def properties_of(name, **changes):
    facts = {**FACTS, "example": f">>> {name}([1], [0.5])\n0.25", **changes}
    return Properties(**{key: value for key, value in facts.items() if value is not None})


@dataclasses.dataclass(frozen=True)
class MissingPower(Loss):
    """Missing probability, to a power.

    Parameters
    ----------
    power : float
        The power.
    """

    name: ClassVar[str] = "missing_power"
    properties: ClassVar[Properties] = properties_of("missing_power", peers=("elsewhere.Missing",))
    power: float = 2.0

    def block_values(self, block):
        return block.true_miss**self.power


def test_a_registered_loss_has_a_function_and_is_found_by_name():
    assert register_loss(MissingPower) is MissingPower
    from xentexp.metrics import missing_power

    assert missing_power([1, 0], [0.5, 0.2]) == pytest.approx((0.25 + 0.04) / 2)
    assert missing_power([1, 0], [0.5, 0.2], power=1.0) == pytest.approx(0.35)
    assert missing_power.__module__ == "xentexp.metrics"
    assert "(1 - p_y)^power" in missing_power.__doc__
    assert "power : float, default=2.0" in missing_power.__doc__
    assert pickle.loads(pickle.dumps(missing_power)) is missing_power
    loss = xentexp.get_loss("missing_power", power=1.0)
    assert loss == MissingPower(1.0)
    assert xentexp.get_loss("elsewhere.Missing") == MissingPower()
    np.testing.assert_allclose(loss.per_sample([1, 0], [0.0, 0.0], from_logits=True), [0.5, 0.5])
    with pytest.raises(InputError, match="missing_power has no gradient"):
        loss.gradient([1, 0], [0.0, 0.0])
    result = evaluate([1, 0], [0.5, 0.2])
    assert result.mean["missing_power"] == pytest.approx(0.145)
    assert evaluate([1, 0], [0.5, 0.2], [MissingPower(1.0)]).mean == {
        "missing_power": pytest.approx(0.35)
    }


def test_a_registered_loss_has_scorers():
    register_loss(MissingPower)
    X, y = make_classification(120, 5, random_state=0)
    model = LogisticRegression().fit(X, y)
    expected = -(np.abs(y - model.predict_proba(X)[:, 1]) ** 2).mean()
    scorer = get_scorer("neg_missing_power")
    assert scorer(model, X, y) == pytest.approx(expected)
    assert loss_scorers()(model, X, y)["neg_missing_power"] == pytest.approx(expected)
    assert loss_scorers(["missing_power"])(model, X, y) == {
        "neg_missing_power": pytest.approx(expected)
    }
    assert "neg_missing_power" in get_scorer_names()
    assert (cross_val_score(LogisticRegression(), X, y, scoring=scorer, cv=3) < 0).all()


def test_registering_the_same_class_again_replaces_it():
    def define(power):
        @register_loss
        @dataclasses.dataclass(frozen=True)
        class Renewed(Loss):
            name: ClassVar[str] = "renewed"
            properties: ClassVar[Properties] = properties_of("renewed")

            def block_values(self, block):
                return block.true_miss**power

    define(1)
    assert metrics.renewed([1], [0.25]) == 0.75
    define(2)
    assert metrics.renewed([1], [0.25]) == 0.5625
    del LOSSES["renewed"]
    with pytest.raises(AttributeError, match="no attribute 'renewed'"):
        metrics.renewed  # noqa: B018


# -- errors in a definition ------------------------------------------------------------------


def make(*, bases=(Loss,), decorate=True, name="mine", **members):
    """Class `Mine`, a complete loss except for some members (None: left out)."""
    members = {
        "name": name,
        "properties": properties_of(name),
        "block_values": lambda self, block: block.true_miss,
        "__module__": __name__,
        **members,
    }
    loss = type(Loss)("Mine", bases, {key: v for key, v in members.items() if v is not None})
    return dataclasses.dataclass(frozen=True)(loss) if decorate else loss


NOT_A_LOSS = "a loss must be a class derived from xentexp.Loss, with @dataclass"


@pytest.mark.parametrize(
    ("loss", "rule"),
    [
        (type("Mine", (), {}), NOT_A_LOSS),
        (MissingPower(), NOT_A_LOSS),
        ("brier_loss", NOT_A_LOSS),
        (make(decorate=False), r"Mine must be a dataclass; write @dataclass\(frozen=True\)"),
        (make(name=None), "Mine must have a name .* got None"),
        (make(name="my loss"), "Mine must have a name that is a Python identifier.* got 'my loss'"),
        *(
            (make(name=name), f"the name {name} is taken")
            for name in (
                "gini", "auc", "nll", "evaluate", "d2_mine", "balanced_mine", "neg_mine",
            )
        ),
        (make(name="brier_loss"), "brier_loss is taken by xentexp.losses._proper.BrierLoss"),
        (make(properties=None), r"Mine must have properties, as in properties = Properties\(...\)"),
        (make(properties={"summary": "x"}), "Mine must have properties, .* got {'summary': 'x'}"),
        (
            make(properties=properties_of("other")),
            r"the example of Mine must call its function mine\(...\); got '>>> other",
        ),
        (  # the name is checked before the example
            make(name="brier_loss", properties=properties_of("other")),
            "brier_loss is taken by xentexp.losses._proper.BrierLoss",
        ),
        *(
            (
                make(properties=properties_of("mine", direction=direction)),
                f"direction of Mine must be 'lower' or 'none', .*; got '{direction}'; negate",
            )
            for direction in ("higher", "nearest")
        ),
        *(
            (
                make(properties=properties_of("mine", peers=("a.b", peer))),
                f"peers of Mine must be .*; '{peer}' is a name of {name}; leave it out",
            )
            for peer, name in (
                ("sklearn.metrics.log_loss", "categorical_crossentropy"),
                ("mine.BCELoss", "binary_crossentropy"),
            )
        ),
        (make(block_values=None), "Mine must define block_values"),
        (
            make(properties=properties_of("mine", gradient="smooth")),
            "Mine must define block_gradient_hessian, because its properties have gradient=",
        ),
        (
            make(__annotations__={"power": float, "base": float}),
            "parameters of Mine must have defaults; missing for power, base",
        ),
        (
            make(__annotations__={"name": str}),
            "name of Mine must not be a parameter; write name: ClassVar, or leave out the",
        ),
        (
            make(clip=0.5, __annotations__={"clip": float}),
            "Mine must not have a parameter clip, because its function has an argument",
        ),
    ],
)  # fmt: skip
def test_register_loss_refuses_an_incomplete_definition(loss, rule):
    before = dict(LOSSES)
    with pytest.raises(InputError, match=rule):
        register_loss(loss)
    assert before == LOSSES


def test_a_class_that_is_not_frozen_is_an_input_error():
    for decorate in (dataclasses.dataclass, dataclasses.dataclass(frozen=False)):
        with pytest.raises(
            InputError, match=r"Mine must be frozen; write @dataclass\(frozen=True\)"
        ):
            decorate(make(decorate=False))


def test_a_parameter_without_default_after_one_of_the_base_is_an_input_error():
    # Python raises a TypeError that does not name the class.
    with pytest.raises(
        InputError, match="parameters of Mine must have defaults; missing for delta"
    ):
        make(bases=(DistanceLoss,), __annotations__={"delta": float})


def test_a_loss_that_is_not_registered_may_have_parameters_without_default():
    assert make(__annotations__={"power": float})(3.0).power == 3.0
    assert make(__annotations__={"power": float})(power=3.0).name == "mine"


REQUIRED = "summary, formula, range, response, reference, example, properness"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"properness": None}, f"must have values for {REQUIRED}; missing: properness"),
        ({"formula": None, "example": None}, f"values for {REQUIRED}; missing: formula, example"),
        (
            {"properness": None, "propernes": "proper"},
            "unknown field 'propernes' in Properties of Mine; did you mean 'properness'",
        ),
        (
            {"properness": "strict"},
            "properness in Properties of Mine must be 'strictly proper' or 'proper' or 'improper' "
            "or '-'; got 'strict'",
        ),
        ({"response": "proba"}, "response in Properties of Mine must be 'predict_proba' or .*"),
        ({"numbers": "reals"}, "must be 'real' or 'counts' or 'above -1'; got 'reals'"),
        ({"peers": ("keras.losses.Mine")}, "must be a tuple of strings; got 'keras.losses.Mine'"),
        ({"summary": 1}, "summary in Properties of Mine must be of type str; got 1"),
        ({"convex": "yes"}, "convex in Properties of Mine must be of type bool; got 'yes'"),
    ],
)
def test_a_wrong_field_of_properties_is_an_input_error_that_names_the_class(changes, error):
    facts = {**FACTS, "example": ">>> mine([1], [0.5])", **changes}
    facts = {key: value for key, value in facts.items() if value is not None}
    with pytest.raises(InputError, match=error) as caught:

        class Mine(Loss):
            name: ClassVar[str] = "mine"
            properties: ClassVar[Properties] = Properties(**facts)

    assert "Properties of Mine" in str(caught.value)


def test_wrong_fields_of_properties_outside_a_class():
    with pytest.raises(InputError, match=r"^unknown field 'sumary' in Properties; did you mean"):
        Properties(sumary="x")
    with pytest.raises(InputError, match=r"^Properties must have keyword arguments; got 1 without"):
        Properties("Missing probability.")
    with pytest.raises(InputError, match=r"^gradient in Properties must be 'smooth' or .*'no'"):
        dataclasses.replace(MissingPower.properties, gradient="no")


def test_properties_are_copied_and_pickled():
    properties = MissingPower.properties
    assert pickle.loads(pickle.dumps(properties)) == copy.deepcopy(properties) == properties
    assert dataclasses.replace(properties, convex=True).convex


def test_a_class_of_the_same_name_in_another_module_does_not_replace_ours():
    other = make(name="brier_loss", __qualname__="BrierLoss")
    with pytest.raises(InputError, match="the name brier_loss is taken by xentexp"):
        register_loss(other)


@pytest.fixture
def run_with_broken_losses(tmp_path: Path):
    """Runs the command on a copy of the package in which a loss is changed."""

    def run(old: str, new: str) -> subprocess.CompletedProcess[str]:
        source = Path(xentexp.__file__).parent
        shutil.copytree(source, tmp_path / "xentexp", ignore=shutil.ignore_patterns("__pycache__"))
        file = tmp_path / "xentexp/losses/_focal.py"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
        return subprocess.run(
            [sys.executable, "-m", "xentexp", "losses"],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )  # fmt: skip

    return run


@pytest.mark.long
@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            '        properness="improper",\n',
            "",
            f"Properties of BinaryFocalCrossentropy must have values for {REQUIRED}; missing: "
            "properness",
        ),
        (
            "@dataclass(frozen=True)\n",
            "@dataclass\n",
            "BinaryFocalCrossentropy must be frozen; write @dataclass(frozen=True)",
        ),
        (
            "    gamma: float = 2.0\n",
            "    gamma: float\n",
            "parameters of BinaryFocalCrossentropy must have defaults; missing for gamma",
        ),
    ],
)
def test_the_command_reports_a_broken_loss_of_the_package_in_one_sentence(
    run_with_broken_losses, old, new, error
):
    process = run_with_broken_losses(old, new)
    assert process.returncode == 2
    assert process.stderr == f"xentexp: error: {error}\n"


# -- entry points ----------------------------------------------------------------------------

PLUGIN = '''
from dataclasses import dataclass
from typing import ClassVar

from xentexp import Properties, Loss


@dataclass(frozen=True)
class Missed(Loss):
    """Missing probability of the true class."""

    name: ClassVar[str] = "missed"
    properties: ClassVar[Properties] = Properties(
        summary="Missing probability of the true class.", formula="1 - p_y", range="[0, 1]",
        properness="improper", response="predict_proba", targets="one-hot", gradient="none",
        reference="a plug-in", peers=("elsewhere.Missed",), example=">>> missed([1], [0.5])",
    )

    def block_values(self, block):
        return block.true_miss
'''


@pytest.fixture
def installed(tmp_path: Path):
    """Runs Python with an installed package whose entry point is a loss."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "missed_plugin.py").write_text(PLUGIN)

    def install(
        entry: str = "missed = missed_plugin:Missed", change: tuple[str, str] | None = None
    ) -> None:
        if change is not None:
            assert change[0] in PLUGIN
            (site / "missed_plugin.py").write_text(PLUGIN.replace(*change))
        info = site / "missed_plugin-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: missed-plugin\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[xentexp.losses]\n{entry}\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        paths = [
            str(site),
            str(Path(xentexp.__file__).parents[1]),
            os.environ.get("PYTHONPATH", ""),
        ]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        return subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, env=environment, check=False
        )

    install()
    run.install = install  # type: ignore[attr-defined]
    return run


@pytest.mark.long
def test_a_plugin_is_listed_and_shown(installed):
    listed = installed("-m", "xentexp", "losses")
    assert "missed" in listed.stdout.split()
    assert "missed_plugin" in listed.stdout
    rows = json.loads(installed("-m", "xentexp", "losses", "--json").stdout)
    (row,) = [row for row in rows if row["name"] == "missed"]
    assert row["formula"] == "1 - p_y"
    for name in ("missed", "elsewhere.Missed"):
        shown = installed("-m", "xentexp", "losses", name).stdout
        assert "Missing probability of the true class." in shown
        assert "xentexp.metrics.missed" in shown


USES = """
import pickle
import xentexp
from xentexp import metrics
from xentexp.metrics._evaluation import evaluate
from xentexp.scorers import get_scorer

print(evaluate([1, 0], [0.5, 0.25]).mean["missed"])
print(metrics.missed([1, 0], [0.5, 0.25]))
print(pickle.loads(pickle.dumps(metrics.missed)) is metrics.missed)
print(xentexp.get_loss("Missed").per_sample([1], [0.0], from_logits=True)[0])
print(get_scorer("neg_missed"))
"""


def test_a_plugin_has_a_function_an_alias_and_a_scorer(installed):
    process = installed("-c", USES)
    assert process.stdout.splitlines() == [
        "0.375", "0.375", "True", "0.5", "MetricScorer(metric=Missed())",
    ], process.stderr  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    "first", ["get_scorer('neg_missed')", "get_scorer_names().index('neg_missed')"]
)
def test_a_scorer_of_a_plugin_is_found_without_other_imports(installed, first):
    process = installed("-c", f"from xentexp.scorers import *; {first}; print('ok')")
    assert process.stdout == "ok\n", process.stderr


@pytest.mark.long
def test_a_plugin_is_logged_in_an_experiment(installed, table_csv):
    process = installed(
        "-m", "xentexp", "run", "dataset=table", f"dataset.path={table_csv}",
        "dataset.target=grade", "models=[prior]", "cv.n_splits=2", "n_jobs=1",
        "losses=[brier_loss,missed]", "primary=brier_loss", "--json", "--quiet",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    (row,) = json.loads(process.stdout)["leaderboard"]
    assert row["mean"]["missed"] == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize(
    ("entry", "change", "reason"),
    [
        ("broken = no_such_module:Loss", None, "No module named 'no_such_module'"),
        ("broken = missed_plugin:Nothing", None, "has no attribute 'Nothing'"),
        ("broken = missed_plugin:dataclass", None, NOT_A_LOSS),
        (
            "missed = missed_plugin:Missed",
            ('properness="improper", ', ""),
            f"Properties of Missed must have values for {REQUIRED}; missing: properness",
        ),
        (
            "missed = missed_plugin:Missed",
            ("@dataclass(frozen=True)", "@dataclass"),
            "Missed must be frozen; write @dataclass(frozen=True)",
        ),
        (
            "missed = missed_plugin:Missed",
            ("def block_values", "def values"),
            "Missed must define block_values",
        ),
    ],
)
def test_the_command_reports_a_broken_plugin_in_one_sentence(installed, entry, change, reason):
    installed.install(entry, change)
    process = installed("-m", "xentexp", "losses")
    assert process.returncode == 2
    (sentence,) = process.stderr.strip().splitlines()
    assert f"entry point {entry} of group xentexp.losses cannot be loaded" in sentence
    assert reason in sentence
    assert sentence.endswith("fix or uninstall its package")
    ours = installed("-c", "from xentexp.metrics import brier_loss; print(brier_loss([1], [0.5]))")
    assert ours.stdout == "0.25\n"  # the losses of the package still work


@pytest.mark.parametrize("derivatives", [
    lambda block: (np.zeros(block.n_rows), np.zeros(block.n_rows)),
    lambda block: (np.zeros((block.n_rows, 2)), np.zeros((block.n_rows, 2))),
])  # fmt: skip
def test_derivatives_of_a_wrong_shape_are_refused(derivatives):
    properties = properties_of("mine", gradient="smooth")
    loss = make(
        properties=properties, block_gradient_hessian=lambda self, block: derivatives(block)
    )()
    y, raw = [0, 1, 1], [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
    with pytest.raises(InputError, match="derivatives of mine must have one row for each of 2"):
        loss.gradient(y, raw)
    with pytest.raises(InputError, match="derivatives of mine must have one row for each of 2"):
        LinearLossClassifier(loss=loss).fit(np.array(raw), y)
