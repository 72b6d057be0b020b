"""Metrics of memory-mapped arrays, whose rows are read in pieces and sorted on disk."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from xentexp._inputs.temporary import TemporaryArray
from xentexp.errors import UndefinedError
from xentexp.metrics import DATASET_METRICS, _metric_input, _sorted_scores, evaluate
from xentexp.metrics._sorted_scores import SortedScores

N = 3000
RNG = np.random.default_rng(2)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_metric_input, "PIECE_NUMBERS", 500)
    monkeypatch.setattr(_sorted_scores, "_IN_MEMORY", 300)
    monkeypatch.setattr(_sorted_scores, "_LEAST", 16)


@pytest.fixture
def mapped(tmp_path: Path) -> Any:
    def store(array: np.ndarray | None) -> np.ndarray | None:
        if array is None:
            return None
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, array)
        return np.load(path, mmap_mode="r")

    return store


def data(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and raw scores that are not calibrated."""
    z = RNG.normal(size=(N, n_classes))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    y = (RNG.random(N)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(0, n_classes - 1)
    return y, 1.3 * z


def softmax(z: np.ndarray) -> np.ndarray:
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return np.asarray(p)


CASES = ["proba", "one column", "logits", "decision", "ties", "float32", "weights", "class_weight"]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("case", CASES)
def test_the_values_are_those_of_arrays_in_memory(n_classes: int, case: str, mapped: Any) -> None:
    y, z = data(n_classes)
    p: np.ndarray | None = softmax(z)
    decision, options = None, {}
    if case == "one column" and n_classes == 2:
        p = softmax(z)[:, 1]
    elif case == "logits":
        p, options = z, {"from_logits": True}
    elif case == "decision":
        p, decision = None, z[:, 1] if n_classes == 2 else z
    elif case == "ties":
        p = softmax(z.round())
    elif case == "float32":
        p = softmax(z).astype(np.float32)
    elif case == "class_weight":
        options = {"class_weight": "balanced"}
    weight = RNG.random(N) * (RNG.random(N) < 0.8) if case == "weights" else None
    names = [
        metric.name
        for metric in DATASET_METRICS.values()
        if not metric.properties.prior and not metric.name.startswith("d2_")
    ]
    usable = []
    for name in names:
        try:
            evaluate(y, p, name, decision=decision, sample_weight=weight, **options)
        except ValueError:
            continue
        usable.append(name)
    assert len(usable) >= 5
    expected = evaluate(y, p, usable, decision=decision, sample_weight=weight, **options)
    found = evaluate(
        mapped(y),
        mapped(p),
        usable,
        decision=mapped(decision),
        sample_weight=mapped(weight),
        **options,
    )
    for name in usable:
        # The intercept of calibration is near 0: its root is found to 1e-14.
        assert found[name] == pytest.approx(expected[name], rel=1e-12, abs=2e-14), name


def test_values_of_scikit_learn(mapped: Any) -> None:
    y, z = data(2)
    p = softmax(z)[:, 1].round(2)
    found = evaluate(mapped(y), mapped(p), ["roc_auc", "average_precision", "f1_score"])
    assert found["roc_auc"] == pytest.approx(roc_auc_score(y, p), rel=1e-12)
    assert found["average_precision"] == pytest.approx(average_precision_score(y, p), rel=1e-12)
    assert found["f1_score"] == pytest.approx(f1_score(y, p > 0.5), rel=1e-12)


@pytest.mark.parametrize("weight", [1.0, 1e-9])
def test_the_slope_of_predictions_of_0_or_1(weight: float, mapped: Any) -> None:
    y = np.repeat([0, 0, 1, 1], [300, 30, 20, 250])  # their second derivatives are almost 0
    p = np.repeat([0.0, 1.0, 0.0, 1.0], [300, 30, 20, 250])
    w = np.where(p == y, 1.0, weight)
    name = "calibration_slope"
    found = evaluate(mapped(y), mapped(p), name, sample_weight=mapped(w), clip=2.0**-40)[name]
    observed = np.log([20 * weight / 300, 250 / (30 * weight)])
    expected = np.ptp(observed) / (2 * np.log(2.0**40 - 1))
    assert found == pytest.approx(expected, rel=1e-12)
    in_memory = evaluate(y, p, name, sample_weight=w, clip=2.0**-40)
    assert in_memory[name] == pytest.approx(expected, rel=1e-12)


def test_undefined_metrics_are_so_for_mapped_arrays(mapped: Any) -> None:
    y, z = data(2)
    p = softmax(z)[:, 1]
    for labels, scores, name, message in (
        (np.zeros(N, dtype=int), p, "roc_auc", "no rows of class 1"),
        (np.zeros(N, dtype=int), p, "calibration_slope", "no rows of class 1"),
        (y, np.full(N, 0.3), "calibration_slope", "is the same for every row"),
        (y, np.where(y == 1, 0.9, p / 2), "calibration_slope", "separate class 1"),
    ):
        with pytest.raises(UndefinedError, match=message):
            evaluate(mapped(labels), mapped(scores), name)


@pytest.mark.parametrize("decimals", [1, 3, 16])
def test_scores_are_sorted_on_disk_as_in_memory(decimals: int) -> None:
    score, weight = RNG.normal(size=N).round(decimals), RNG.integers(1, 5, N).astype(float)
    true = RNG.random(N) < 0.3
    steps = [0, 7, 900, 901, 2500, N]
    pieces = [slice(a, b) for a, b in pairwise(steps)]
    merged = SortedScores((score[rows], true[rows], weight[rows]) for rows in pieces)
    groups = [np.concatenate(values) for values in zip(*merged, strict=True)]
    values, place = np.unique(-score, return_inverse=True)
    np.testing.assert_array_equal(groups[0], -values)
    np.testing.assert_array_equal(groups[1], np.bincount(place, weight * true))
    np.testing.assert_array_equal(groups[2], np.bincount(place, weight * ~true))


def test_a_temporary_array_has_the_rows_that_were_written() -> None:
    stored = TemporaryArray(np.float32, (2,))
    rows = RNG.random((100, 2)).astype(np.float32)
    for start in range(0, 100, 30):
        stored.append(rows[start : start + 30])
    assert len(stored) == 100
    np.testing.assert_array_equal(stored.read(25, 70), rows[25:70])
    kept = stored.mapped()
    del stored
    np.testing.assert_array_equal(kept, rows)
