"""A loss from outside the package has every face: by decorator, or as an entry point."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
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
from xentexp.metrics._evaluation import evaluate
from xentexp.scorers import get_scorer, get_scorer_names, loss_scorers

pytestmark = pytest.mark.usefixtures("restored_losses")

PROPERTIES = Properties(
    summary="Missing probability of the true class, to a power.",
    formula="(1 - p_y)^power",
    range="[0, 1]",
    properness="improper",
    response="predict_proba",
    targets="one-hot",
    gradient="none",
    reference="a test",
    peers=("elsewhere.Missing",),
    example=">>> missing_power([1], [0.5])\n0.25",
)


@dataclasses.dataclass(frozen=True)
class MissingPower(Loss):
    """Missing probability, to a power.

    Parameters
    ----------
    power : float
        The power.
    """

    name: ClassVar[str] = "missing_power"
    properties: ClassVar[Properties] = PROPERTIES
    power: float = 2.0

    def block_values(self, block):
        return block.true_miss**self.power


def test_a_registered_loss_has_every_face():
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


def test_a_class_defined_anew_takes_its_own_place():
    def define(power):
        @register_loss
        @dataclasses.dataclass(frozen=True)
        class Renewed(Loss):
            name: ClassVar[str] = "renewed"
            properties: ClassVar[Properties] = PROPERTIES

            def block_values(self, block):
                return block.true_miss**power

    define(1)
    assert metrics.renewed([1], [0.25]) == 0.75
    define(2)
    assert metrics.renewed([1], [0.25]) == 0.5625
    del LOSSES["renewed"]
    with pytest.raises(AttributeError, match="no attribute 'renewed'"):
        metrics.renewed  # noqa: B018


def make(*, bases=(Loss,), frozen=True, decorated=True, **members):
    members = {
        "name": "mine",
        "properties": PROPERTIES,
        "block_values": lambda self, block: block.true_miss,
        "__module__": __name__,
        **members,
    }
    made = type("Mine", bases, {key: value for key, value in members.items() if value is not None})
    return dataclasses.dataclass(frozen=frozen)(made) if decorated else made


@pytest.mark.parametrize(
    ("loss", "rule"),
    [
        (make(decorated=False), "a class derived from xentexp.Loss, with @dataclass"),
        (make(bases=(), decorated=False), "a class derived from xentexp.Loss"),
        (MissingPower(), "a class derived from xentexp.Loss"),
        ("brier_loss", "a class derived from xentexp.Loss"),
        (make(name=None), "Mine must have a name"),
        *(
            (make(name=name), f"the name {name} is taken")
            for name in (
                "gini",
                "auc",
                "nll",
                "evaluate",
                "d2_mine",
                "balanced_mine",
                "neg_mine",
            )
        ),
        (make(name="my loss"), r"Mine must have a name \(an identifier\) and properties"),
        (make(properties=None), "Mine must have a name"),
        (make(properties={"summary": "x"}), r"and properties: Properties\(...\)"),
        (make(block_values=None), "Mine must define block_values"),
        (make(__annotations__={"power": float}), "parameters of mine must have defaults"),
        (
            make(__annotations__={"name": str}),
            "name and properties of Mine must not be parameters: leave out the annotation",
        ),
        (make(name="brier_loss"), "brier_loss is taken by xentexp.losses._proper.BrierLoss"),
    ],
)
def test_what_is_no_loss_is_refused(loss, rule):
    before = dict(LOSSES)
    with pytest.raises(InputError, match=rule):
        register_loss(loss)
    assert before == LOSSES


def test_a_class_of_the_same_name_elsewhere_does_not_push_ours_out():
    theirs = type("BrierLoss", (Loss,), {"name": "brier_loss", "properties": PROPERTIES,
                  "block_values": lambda self, block: block.true_miss})  # fmt: skip
    with pytest.raises(InputError, match="the name brier_loss is taken by xentexp"):
        register_loss(dataclasses.dataclass(frozen=True)(theirs))


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
    """Installs a package that names an entry point, and runs Python where it is found."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "missed_plugin.py").write_text(PLUGIN)

    def install(entry: str = "missed = missed_plugin:Missed") -> None:
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


FACES = """
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


def test_a_plugin_has_every_face(installed):
    done = installed("-c", FACES)
    assert done.stdout.splitlines() == [
        "0.375", "0.375", "True", "0.5", "MetricScorer(metric=Missed())",
    ], done.stderr  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    "first", ["get_scorer('neg_missed')", "get_scorer_names().index('neg_missed')"]
)
def test_a_scorer_of_a_plugin_needs_nothing_before_it(installed, first):
    done = installed("-c", f"from xentexp.scorers import *; {first}; print('ok')")
    assert done.stdout == "ok\n", done.stderr


@pytest.mark.long
def test_a_plugin_is_logged_in_an_experiment(installed, table_csv):
    done = installed(
        "-m", "xentexp", "run", "dataset=table", f"dataset.path={table_csv}",
        "dataset.target=grade", "models=[prior]", "cv.n_splits=2", "n_jobs=1",
        "losses=[brier_loss,missed]", "primary=brier_loss", "--json", "--quiet",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["leaderboard"]
    assert row["mean"]["missed"] == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        ("broken = no_such_module:Loss", "No module named 'no_such_module'"),
        ("broken = missed_plugin:Nothing", "has no attribute 'Nothing'"),
        ("broken = missed_plugin:dataclass", "a loss is a class derived from xentexp.Loss"),
    ],
)
def test_a_broken_plugin_is_named_in_one_sentence(installed, entry, part):
    installed.install(entry)
    done = installed("-m", "xentexp", "losses")
    assert done.returncode == 2
    (sentence,) = done.stderr.strip().splitlines()
    assert f"entry point {entry} of group xentexp.losses cannot be loaded" in sentence
    assert part in sentence
    assert sentence.endswith("mend or uninstall its package")
    fine = installed("-c", "from xentexp.metrics import brier_loss; print(brier_loss([1], [0.5]))")
    assert fine.stdout == "0.25\n"  # what is named stays at hand


@pytest.mark.parametrize("derivatives", [
    lambda block: (np.zeros(block.n_rows), np.zeros(block.n_rows)),
    lambda block: (np.zeros((block.n_rows, 2)), np.zeros((block.n_rows, 2))),
])  # fmt: skip
def test_derivatives_of_another_shape_are_refused(derivatives):
    properties = dataclasses.replace(PROPERTIES, gradient="smooth")
    loss = make(
        properties=properties, block_gradient_hessian=lambda self, block: derivatives(block)
    )()
    y, raw = [0, 1, 1], [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
    with pytest.raises(InputError, match="derivatives of mine must have one row for each of 2"):
        loss.gradient(y, raw)
    with pytest.raises(InputError, match="derivatives of mine must have one row for each of 2"):
        LinearLossClassifier(loss=loss).fit(np.array(raw), y)
