"""`n_jobs`: the results and errors of one thread, to the last bit, for any number of threads."""

import subprocess
import sys
import threading
import warnings
from dataclasses import dataclass
from functools import partial

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier

from tests.support.strategies import quick, sample
from xentexp import get_loss, metrics
from xentexp._inputs import checked as blocks
from xentexp._inputs.options import OPTIONS
from xentexp._inputs.threads import n_threads
from xentexp.errors import InputError
from xentexp.losses import Loss, Properties
from xentexp.metrics import evaluate
from xentexp.scorers import MetricScorer, MetricScorers, get_scorer, loss_scorers

SUMS = ("total", "m2", "m1", "class_weight_sum", "class_loss_sum", "n_infinite")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of 128 rows, the least number, so that small data have many tasks."""
    for name in ("BLOCK_ELEMENTS", "SINGLE_BLOCK_ELEMENTS", "LABEL_BLOCK_ELEMENTS"):
        monkeypatch.setattr(blocks, name, 1)
    monkeypatch.setattr("xentexp.losses._base.block_elements", lambda *_: 1)
    monkeypatch.setattr("xentexp.metrics._running_sums.block_elements", lambda *_: 1)


@dataclass(frozen=True)
class Recorder(Loss):
    """Records the thread that computes each block."""

    name = "recorder"
    properties = Properties(
        summary="Records.",
        formula="1 - p_y",
        range="[0, 1]",
        properness="improper",
        response="predict_proba",
        targets="soft",
        reference="this test",
        example=">>> recorder([0], [0.5])",
    )

    def block_values(self, block):
        THREADS.append(threading.get_ident())
        return block.true_miss


@dataclass(frozen=True)
class Undefined(Recorder):
    """0 / 0, which NumPy's settings in the thread turn into NaN, a warning or an error."""

    def block_values(self, block):
        return np.zeros(block.n_rows) / 0.0


THREADS: list[int] = []


@pytest.fixture
def threads():
    THREADS.clear()
    return THREADS


@quick
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(2, 5),
    weighted=st.booleans(),
    one_loss=st.booleans(),
    kind=st.sampled_from(["labels", "soft", "raw scores", "float32", "clip 0"]),
)
def test_evaluate_is_equal_to_the_last_bit(seed, k, weighted, one_loss, kind):
    rng = np.random.default_rng(seed)
    y, p, decision, weight = sample(k, int(rng.integers(1, 5000)), seed)
    y = np.where(rng.uniform(size=len(y)) < 0.2, -1, y)
    y[0] = 1
    options = {"labels": list(range(k)), "ignore_label": -1}
    if kind == "soft":
        y, options = rng.dirichlet(np.ones(k), len(y)), {}
    elif kind == "raw scores":
        p, options = decision, options | {"from_logits": True}
    elif kind == "float32":
        p = p.astype(np.float32)
    elif kind == "clip 0":
        p[::7], options = np.eye(k)[0], options | {"clip": 0}
    decision = None if kind == "raw scores" else decision
    weight = weight if weighted else None
    names = ["nll" if kind == "soft" else "brier_loss"] if one_loss else None
    compute = partial(
        evaluate,
        y,
        p,
        names,
        decision=decision,
        sample_weight=weight,
        per_sample=True,
        **options,
    )
    expected = compute(n_jobs=1)
    for n_jobs in (2, 3, 7):
        result = compute(n_jobs=n_jobs)
        for name in SUMS:
            ours, theirs = getattr(result.state, name), getattr(expected.state, name)
            assert ours.tobytes() == theirs.tobytes(), name
        assert result.state == expected.state
        for name, rows in expected.per_sample.items():
            assert result.per_sample[name].tobytes() == rows.tobytes(), name


@pytest.mark.parametrize("name", ["categorical_crossentropy", "categorical_hinge", "entropy"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_functions_and_losses_are_equal_to_the_last_bit(name, reduction):
    y, p, decision, weight = sample(3, 5000, 0)
    arrays = (p,) if name == "entropy" else (y, decision if "hinge" in name else p)
    function, loss = getattr(metrics, name), get_loss(name)
    compute = partial(function, *arrays, sample_weight=weight, reduction=reduction)
    expected = np.asarray(compute())
    for n_jobs in (1, 2, 3, -1):
        assert np.asarray(compute(n_jobs=n_jobs)).tobytes() == expected.tobytes()
    if name == "entropy":
        return
    for n_jobs in (2, 3):
        assert loss(*arrays, n_jobs=n_jobs) == loss(*arrays)
        rows = loss.per_sample(*arrays, n_jobs=n_jobs)
        assert rows.tobytes() == loss.per_sample(*arrays).tobytes()


def test_threads_compute_the_blocks(threads):
    y, p, *_ = sample(3, 5000, 0)
    evaluate(y, p, [Recorder()])
    assert set(threads) == {threading.get_ident()}
    threads.clear()
    before = threading.active_count()
    evaluate(y, p, [Recorder()], n_jobs=2)
    assert threading.get_ident() not in threads
    assert len(threads) == 40  # 5000 rows in blocks of 128
    assert threading.active_count() == before  # none is left behind


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_the_first_bad_row_is_reported(n_jobs):
    y, p, *_ = sample(3, 5000, 0)
    p[[1003, 4000]] = [[2.0, -0.5, -0.5], [0.0, 0.0, np.nan]]
    for compute in (evaluate, metrics.brier_loss, get_loss("nll"), get_loss("nll").per_sample):
        with pytest.raises(InputError, match="row 1003 of y_pred has"):
            compute(y, p, n_jobs=n_jobs)
    assert threading.active_count() < 50


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_errors_of_all_rows(n_jobs):
    y, p, *_ = sample(3, 5000, 0)
    with pytest.raises(InputError, match="every label is the ignore_label 3"):
        evaluate(np.full(5000, 3), p, ["nll"], labels=[0, 1, 2], ignore_label=3, n_jobs=n_jobs)
    with pytest.raises(
        InputError, match=r"needs one true class in each row; got .* in row 0 of y_true"
    ):
        evaluate(np.full((5000, 3), 1 / 3), p, ["categorical_hinge"], decision=p, n_jobs=n_jobs)
    weight = np.zeros(5000)
    weight[0] = 1.0
    y[0], y[1:] = -1, 1
    with pytest.raises(InputError, match="positive for at least one row that is not ignored"):
        evaluate(y, p, ["nll"], sample_weight=weight, ignore_label=-1, n_jobs=n_jobs)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_settings_of_numpy_hold_in_the_threads(n_jobs):
    y, p, *_ = sample(3, 5000, 0)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(y, p, [Undefined()], n_jobs=n_jobs)
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
        evaluate(y, p, [Undefined()], n_jobs=n_jobs)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_warning_leaves_the_threads(n_jobs):
    # Warnings are errors in the tests. Infinite values, weights of 0, and numbers above the range.
    y, p, decision, weight = sample(3, 5000, 0)
    p[::9], weight[::2], decision[::5] = [1.0, 0.0, 0.0], 0.0, [1e308, -1e308, 0.0]
    result = evaluate(y, p, decision=decision, sample_weight=weight, clip=0, n_jobs=n_jobs)
    assert result.infinite["categorical_crossentropy"] > 0


@pytest.mark.parametrize("value", [0, 1.5, "2", True, [2]])
def test_other_numbers_of_jobs_raise(value):
    y, p = [0, 1], [0.2, 0.7]
    model = DummyClassifier().fit([[0], [0]], y)
    for compute in (
        partial(evaluate, y, p),
        partial(metrics.brier_loss, y, p),
        partial(metrics.entropy, [p, p], normalize=True),
        partial(get_loss("nll"), y, p),
        partial(get_loss("nll").per_sample, y, p),
    ):
        with pytest.raises(InputError, match="n_jobs must be an integer other than 0"):
            compute(n_jobs=value)
    for scorer in (MetricScorer("nll", n_jobs=value), MetricScorers(n_jobs=value)):
        with pytest.raises(InputError, match="n_jobs must be an integer other than 0"):
            scorer(model, [[0], [0]], y)


def test_scorers_use_threads(threads):
    y = sample(2, 5000, 0)[0]
    X = np.zeros((5000, 1))
    model = DummyClassifier(strategy="prior").fit(X, y)
    for scorer in (
        MetricScorer(Recorder(), n_jobs=2),
        MetricScorers([Recorder()], n_jobs=2),
        get_scorer(Recorder(), n_jobs=2),
        loss_scorers([Recorder()], n_jobs=2),
    ):
        threads.clear()
        scorer(model, X, y)
        assert len(threads) == 40
        assert threading.get_ident() not in threads
    expected = loss_scorers()(model, X, y)
    assert loss_scorers(n_jobs=3)(model, X, y) == expected
    assert get_scorer("neg_nll", n_jobs=3)(model, X, y) == get_scorer("neg_nll")(model, X, y)
    with pytest.raises(InputError, match=r"n_jobs must be left out for 'roc_auc'.*n_jobs=\.\.\."):
        get_scorer("roc_auc", n_jobs=2)


def test_the_default_is_one_thread_or_that_of_the_context():
    assert n_threads(None) == 1
    assert n_threads(3) == 3
    assert n_threads(np.int64(3)) == 3
    assert n_threads(-1) == joblib.cpu_count() == n_threads(-2) + 1
    assert n_threads(-1000) == 1
    with joblib.parallel_config(n_jobs=3):
        assert (n_threads(None), n_threads(2)) == (3, 2)
    with joblib.parallel_config("threading", n_jobs=2):
        assert n_threads(None) == 2
    assert "parallel_config" in OPTIONS["n_jobs"][2]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_one_thread_in_a_worker_of_joblib(backend):
    asked = [None, 2, -1]
    results = joblib.Parallel(2, backend)(joblib.delayed(n_threads)(n_jobs) for n_jobs in asked)
    assert results == [1, 1, 1]
    # One job of joblib runs in the caller: it is no worker.
    assert joblib.Parallel(1)(joblib.delayed(n_threads)(n) for n in asked)[:2] == [1, 2]


@pytest.mark.slow
def test_one_thread_in_a_worker_of_dask():
    from distributed import Client

    with Client(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as client:
        assert client.gather(client.map(n_threads, [None, 2, -1])) == [1, 1, 1]
        assert n_threads(2) == 2  # not a worker
        with joblib.parallel_config("dask"):
            assert (n_threads(None), n_threads(2)) == (1, 2)
            results = joblib.Parallel()(joblib.delayed(n_threads)(n) for n in [None, 2, -1])
        assert results == [1, 1, 1]


def test_joblib_is_not_imported_for_one_loss():
    code = "import sys; from xentexp import get_loss; get_loss('nll')([0, 1], [0.2, 0.7], n_jobs=2)"
    code += "; assert 'joblib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
