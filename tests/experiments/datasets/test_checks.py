"""Detectors of row numbers that order the target, known targets, identifiers and constants."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom, mannwhitneyu
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.metrics import log_loss, roc_auc_score

from xentexp.experiments.datasets import (
    Card,
    find_known_target,
    find_row_order,
    id_like_columns,
    load_dataset,
    load_table,
    make_dataset,
)
from xentexp.experiments.datasets._checks import (
    LEVEL,
    Finding,
    as_typed,
    order_p_value,
    row_numbers_to_leave_out,
)


def checked(X: pd.DataFrame, y: object, name: str = "table") -> dict[str, list[Finding]]:
    """Findings by the name of their check."""
    found: dict[str, list[Finding]] = {}
    for finding in make_dataset(X, y, Card(name)).findings:
        found.setdefault(finding.name, []).append(finding)
    return found


def ordinary(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Features of an ordinary table, with an identifier."""
    return pd.DataFrame(
        {
            "id": np.arange(n) + 1,
            "income": rng.lognormal(10, 1, n).round(2),
            "age": rng.integers(18, 80, n),
            "debt": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(8, 1, n)),
            "job": pd.Categorical(rng.choice(["cook", "clerk", "pilot"], n)),
            "phone": rng.integers(0, 2, n),
        }
    )


def simulated(number: int) -> Iterator[tuple[pd.DataFrame, pd.Series]]:
    """Tables of different sizes, numbers of classes and class frequencies; y is independent."""
    for seed in range(number):
        rng = np.random.default_rng(seed)
        n = int(rng.choice([25, 60, 200, 1000]))
        share = rng.dirichlet(np.full(rng.integers(2, 5), 0.7))
        yield ordinary(rng, n), pd.Series(rng.choice(len(share), n, p=share))


# -- row numbers --------------------------------------------------------------------------------


def test_the_p_value_of_two_classes_is_that_of_the_runs_and_rank_sum_tests() -> None:
    # Wald and Wolfowitz (1940): all orders of 10 and 10 labels that have 1 run of the first class.
    codes = np.repeat([0, 1], 10)
    one_run = 11 / 184_756  # 11 places among 10 other rows; 184,756 = 20 choose 10
    assert hypergeom.cdf(1, 20, 11, 10) == pytest.approx(one_run)
    assert order_p_value(codes, 2) == pytest.approx(4 * one_run)
    rng = np.random.default_rng(0)
    trend = (rng.random(4000) < np.linspace(0.35, 0.65, 4000)).astype(int)
    exact = mannwhitneyu(np.flatnonzero(trend == 0), np.flatnonzero(trend == 1)).pvalue
    assert exact < order_p_value(trend, 2) < LEVEL  # a bound


@pytest.mark.slow
def test_false_alarms_on_simulated_tables_are_below_the_level() -> None:
    number, below_5_percent = 2000, 0
    for X, y in simulated(number):
        p = order_p_value(pd.factorize(y)[0], y.nunique())
        below_5_percent += p <= 0.05
        assert find_row_order(X[["id"]], y) == []
    assert below_5_percent / number <= 0.05
    assert below_5_percent / number == pytest.approx(STATED_RATE, abs=0.003)


STATED_RATE = 0.007
"""Rate in the notes of `find_row_order`."""


@pytest.mark.parametrize(
    "number",
    [
        lambda n: np.arange(n),
        lambda n: np.arange(n)[::-1],
        lambda n: 1000 + 10 * np.arange(n),
        lambda n: np.arange(n) / n,
        lambda n: np.where(np.arange(n) == 3, np.nan, np.arange(n)),
        lambda n: [f"C-{i:05d}" for i in range(n)],
        lambda n: [f"customer {i}" for i in range(n)],
    ],
    ids=["counted", "backwards", "tens", "fraction", "gap", "text", "text without zeros"],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_row_number_of_a_file_sorted_by_class_is_found(number, n_classes: int) -> None:
    rng = np.random.default_rng(0)
    y = np.sort(rng.integers(0, n_classes, 300))
    X = ordinary(rng, 300).assign(id=number(300))
    [finding] = checked(X, y)["row_order"]
    assert finding.columns == ("id",)
    assert "orders the target" in str(finding)
    assert "dataset.drop=[id]" in str(finding)
    assert [f.columns for f in row_numbers_to_leave_out(X, pd.Series(y))] == [("id",)]
    assert "known_target" not in checked(X, y)  # one finding for one column


def test_a_row_number_of_rows_that_were_shuffled_and_sampled_is_found() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [500, 300])
    X = ordinary(rng, 800)
    rows = rng.permutation(800)[:600]
    found = row_numbers_to_leave_out(X.iloc[rows].reset_index(drop=True), pd.Series(y[rows]))
    assert [finding.columns for finding in found] == [("id",)]


def test_a_rank_and_a_time_that_predict_the_target_are_reported_but_not_left_out() -> None:
    rng = np.random.default_rng(0)
    n = 2000
    risk = rng.normal(size=n)
    y = pd.Series((rng.random(n) < 1 / (1 + np.exp(-2 * risk))).astype(int))
    rank = pd.DataFrame({"rank": risk.argsort().argsort(), "x": rng.normal(size=n)})
    time = pd.DataFrame({"time": np.cumsum(rng.geometric(1e-5, n)), "x": rng.normal(size=n)})
    drifting = pd.Series((rng.random(n) < np.linspace(0.2, 0.6, n)).astype(int))
    for X, labels in ((rank, y), (time, drifting)):
        [finding] = find_row_order(X, labels)
        assert finding.columns == (X.columns[0],)
        assert row_numbers_to_leave_out(X, labels) == []


def drifting(n: int = 400) -> pd.DataFrame:
    """Rows in order of time whose target changes slowly."""
    rng = np.random.default_rng(0)
    share = 1 / (1 + np.exp(-(np.arange(n) - n / 2) / 40))
    return pd.DataFrame({"x": rng.normal(size=n), "y": (rng.random(n) < share).astype(int)})


DAYS = pd.date_range("2020-01-01", periods=400)


@pytest.mark.parametrize(
    "dates",
    [
        DAYS.strftime("%Y-%m-%d"),
        DAYS.strftime("%Y%m%d"),
        DAYS.strftime("%d.%m.%Y"),
        pd.bdate_range("2020-01-01", periods=400).strftime("%Y-%m-%d"),
        pd.date_range("2020-01-01", periods=400, freq="h").strftime("%Y-%m-%d %H:%M"),
    ],
    ids=["ISO 8601", "digits", "day first", "business days", "hours"],
)
def test_sorted_dates_of_a_drifting_target_are_not_a_row_number(
    dates: pd.Index, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    drifting().assign(opened=dates).to_csv(file, index=False)
    data = load_table(file, target="y")
    assert list(data.X) == ["x", "opened"]
    assert data.dates == ("opened",)
    assert data.findings == ()
    assert data.describe()["id_like"] == []


def test_native_dates_are_not_a_row_number() -> None:
    table = drifting()
    data = make_dataset(table[["x"]].assign(opened=DAYS), table["y"], Card("t"))
    assert data.dates == ("opened",)
    assert data.findings == ()


@pytest.mark.parametrize("name", ["period", "obsMonth", "연도", "t"])
def test_a_counted_time_of_a_drifting_target_is_reported_but_not_left_out(
    name: str, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    drifting().assign(**{name: np.arange(400)}).to_csv(file, index=False)
    data = load_table(file, target="y")
    assert list(data.X) == ["x", name]
    [finding] = data.findings
    assert "cv=time_ordered" in finding.remedy


def test_times_in_seconds_and_decimals_in_order_are_not_left_out() -> None:
    table = drifting()
    seconds = 1_577_836_800 + 3600 * np.arange(400)
    for number in (seconds, np.linspace(0, 1, 400)):
        X = table[["x"]].assign(value=number)
        assert row_numbers_to_leave_out(X, table["y"]) == []
    counted = table[["x"]].assign(value=np.arange(400))
    assert len(row_numbers_to_leave_out(counted, table["y"])) == 1


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("customer_id", True),
        ("customerId", True),
        ("SK_ID_CURR", True),
        ("Unnamed: 0", True),
        ("고객_번호", True),
        ("account_no", True),
        ("paid", False),
        ("income", False),
        ("no_of_cards_paid", False),
    ],
)
def test_distinct_numbers_are_identifiers_if_the_name_says_so(name: str, listed: bool) -> None:
    numbers = np.random.default_rng(0).choice(10**8, 200, replace=False)
    assert id_like_columns(pd.DataFrame({name: numbers})) == [name] * listed
    assert id_like_columns(pd.DataFrame({name: numbers % 7})) == []


def test_identifiers_and_constants_are_named_with_what_to_type() -> None:
    rng = np.random.default_rng(0)
    X = ordinary(rng, 200).assign(country="KR", **{"user name": [f"a{i}b{i}" for i in range(200)]})
    y = rng.integers(0, 2, 200)
    found = checked(X, y)
    assert set(found) == {"identifiers", "constant"}
    assert found["identifiers"][0].remedy == "set \"dataset.drop=['id','user name']\""
    assert found["constant"][0].remedy == "set dataset.drop=[country]"
    # Only the loader of tables has the parameter drop.
    assert checked(X, y, "mine")["constant"][0].remedy == "leave it out"


@pytest.mark.parametrize(
    "name", ["a b", "null", "7", "연체", "a,b", "it's", "x]", 'say "$HOME"', "\\"]
)
def test_columns_as_typed_are_read_by_hydra_in_a_shell(name: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    script = f"printf %s {as_typed([name, 'age'])}"
    word = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    [override] = OverridesParser.create().parse_overrides([word])
    assert override.key_or_group == "dataset.drop"
    assert [str(value) for value in override.value()] == [name, "age"]


# -- known targets ------------------------------------------------------------------------------


def leaking(n: int, share: float = 0.3) -> tuple[dict[str, object], np.ndarray]:
    rng = np.random.default_rng(1)
    y = (rng.random(n) < share).astype(int)
    return {
        "copy": np.where(y, "bad", "good"),
        "number": 5.0 - 3 * y,
        "amount": np.where(y, rng.lognormal(size=n), 0.0),
        "missing": np.where(y, np.nan, rng.normal(size=n)),
        "reason": np.where(y, rng.choice(["moved", "died"], n), None),
        "score": y + rng.uniform(-0.45, 0.45, n),
        "interval": np.where(
            y, rng.uniform(-1, 1, n), rng.choice([-1, 1], n) * rng.uniform(1, 2, n)
        ),
        "code": rng.integers(0, 7, n) * 2 + y,
        "large": 10.0**300 * (1 + y),
    }, y


@pytest.mark.parametrize("name", leaking(20)[0])
@pytest.mark.parametrize(("n", "share"), [(300, 0.3), (3000, 0.05)])
def test_a_column_from_which_the_target_is_known_is_found(name, n, share) -> None:
    columns, y = leaking(n, share)
    X = ordinary(np.random.default_rng(0), n).assign(**{name: columns[name]})
    [finding] = checked(X, y)["known_target"]
    assert finding.columns == (name,)
    assert f"'{name}'" in finding.message
    assert finding.remedy.endswith(f"dataset.drop=[{name}]")


def test_the_message_states_what_the_column_reaches() -> None:
    rng = np.random.default_rng(0)
    y = np.tile([0, 0, 0, 1], 500)
    copy = np.where(rng.random(2000) < 0.005, 1 - y, y)
    [finding] = find_known_target(
        pd.DataFrame({"copy": copy, "x": rng.normal(size=2000)}), pd.Series(y)
    )
    share = (
        pd.Series(y).groupby(copy).mean()[copy].to_numpy()
    )  # not cross-fitted, hence approximate
    loss = float(finding.message.split("log loss ")[1][:6])
    auc = float(finding.message.split("AUC ")[1][:6])
    assert loss == pytest.approx(log_loss(y, share), abs=0.002)
    assert auc == pytest.approx(roc_auc_score(y, share), abs=0.002)
    assert "class frequencies give log loss 0.5623" in finding.message  # entropy of 1/4


def test_a_copy_of_three_classes_is_found_and_the_best_columns_come_first() -> None:
    rng = np.random.default_rng(0)
    y = pd.Series(rng.choice(["a", "b", "c"], 900))
    noisy = y.where(rng.random(900) > 0.01, "a")
    X = make_dataset(pd.DataFrame({"noisy": noisy, "copy": y + "!"}), y, Card("t")).X
    assert [f.columns for f in find_known_target(X, y)] == [("copy",), ("noisy",)]


def test_many_columns_are_combined() -> None:
    y = pd.Series(np.arange(100) % 2)
    X = pd.DataFrame({f"x{i}": y for i in range(30)})
    found = find_known_target(X, y)
    assert len(found) == 11
    assert sum(len(finding.columns) for finding in found) == 30
    assert len(found[-1].message) < 300


def test_tables_without_a_known_target_are_not_reported() -> None:
    for X, y in simulated(500):
        assert find_known_target(X, y) == []


def test_a_good_feature_is_not_a_known_target() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = int(rng.choice([100, 1000, 5000]))
        y = pd.Series(rng.integers(0, 2, n))
        # Two normal distributions at distance 3: AUC .98, half to two thirds of the entropy.
        X = ordinary(rng, n).assign(good=3 * y + rng.normal(size=n))
        assert find_known_target(X, y) == []


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_known_tables_are_free_of_findings(load) -> None:
    X, y = load(return_X_y=True, as_frame=True)
    assert checked(X, y) == {}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("uci_default", {}),
        ("uci_default", {"categorical": False}),
        ("simulated_delinquency", {}),
        ("simulated_delinquency", {"n_samples": 500, "repeats": 1.0}),
    ],
)
def test_packaged_data_sets_are_free_of_findings(name: str, parameters: dict) -> None:
    assert load_dataset(name, **parameters).findings == ()


def test_checks_read_every_kind_of_column() -> None:
    n = 60
    X = pd.DataFrame(
        {
            "empty": np.full(n, np.nan),
            "flag": pd.array([True, None] * (n // 2), dtype="boolean"),
            "whole": pd.array(range(n), dtype="Int64"),
            "huge": [2**62 + i for i in range(n)],
            "mixed": ["a", 1] * (n // 2),
        }
    )
    X["mixed"] = X["mixed"].astype("category")
    names = set(checked(X, [0, 1] * (n // 2)))
    assert names == {"constant", "known_target", "identifiers"}  # flag and mixed alternate as y
    assert checked(X.iloc[:2], [0, 1]).keys() == {"constant"}
