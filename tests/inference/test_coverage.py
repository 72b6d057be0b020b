"""Intervals contain the true value as often as docs/coverage.md promises, in few simulations.

Each measured proportion may differ from the promised range by three Monte Carlo errors.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType

import pytest

from tests.support.pages import ROOT

PAGE = ROOT / "docs" / "coverage.md"


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_script", PAGE.with_suffix(".py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "n"),
    [
        ("Groups", 100),
        ("Weights", 100),
        ("Equivalence", 60),
        ("Metrics of the whole data set", 60),
        ("Sets of best models", 40),
        ("Tests of calibration", 60),
    ],
)
def test_the_promised_coverage_holds(coverage: ModuleType, title: str, n: int) -> None:
    rows = coverage.TABLES[title](None, n)
    assert any(row.promised for row in rows)
    assert [row for row in rows if not row.holds(3.0)] == []


@pytest.mark.slow
def test_logistic_models_and_their_differences(coverage: ModuleType) -> None:
    design = coverage.BY_NAME["logistic 300"]
    made = coverage.simulations(design, 150)
    one = {"rows": (0.925, 0.965), "folds, risk": (0.97, 1.0)}
    rows = coverage.coverage_of_means(design, "logistic", one, made)
    # The interval over rows is too narrow for nested models: the wider is needed.
    for pair, promised in (
        (("first half", "second half"), {"rows": (0.91, 0.96), "wider": (0.94, 1.0)}),
        (("logistic", "one feature less"), {"wider": (0.94, 1.0), "wider, risk": (0.94, 1.0)}),
    ):
        rows += coverage.coverage_of_pair(design, pair, promised, made)
    assert [row for row in rows if not row.holds(3.0)] == []


@pytest.mark.long
def test_the_fast_logistic_regression_is_that_of_scikit_learn(coverage: ModuleType) -> None:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(200, 4)), rng.random(200)
    y = (rng.random(200) < 0.3).astype(float)
    fitted = LogisticRegression(C=0.1, tol=1e-10).fit(X, y, sample_weight=weight)
    ours = coverage.logistic(X, y, weight, 0.1)(X)
    np.testing.assert_allclose(ours, fitted.predict_proba(X)[:, 1], atol=1e-7)


def test_the_page_has_a_table_for_each_design(coverage: ModuleType) -> None:
    headings = re.findall(r"^## (.+)$\n\n\| design", PAGE.read_text(), re.MULTILINE)
    assert headings == list(coverage.TABLES)
