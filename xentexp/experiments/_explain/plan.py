"""What to explain, and what is known before the fits: segments, groups of columns, the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from xentexp._inputs.options import check_bool, check_integer
from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.experiments.datasets import Dataset
from xentexp.inference._segments import ColumnBins, bins_of
from xentexp.losses import Loss

_MOST_ROWS = 10_000  # that bins and correlations are computed from
_MOST_SEGMENT_COLUMNS = 200
_LEAST_ROWS = 10  # of a value that is stored by name, so that no value of single rows is
_MOST_CORRELATED_COLUMNS = 2_000
_CORRELATED = 0.9


@dataclass(frozen=True)
class Explain:
    """What `run_experiment` computes beside each fit to explain the model.

    Every result also has the mean loss of at most `n_rows` training rows of each fold. The loss is
    the primary loss of the experiment if it applies to the model, otherwise the log loss.

    Parameters
    ----------
    importance : bool, default=True
        Permutation importance of the features: the increase of the loss of out-of-fold rows when
        the values of a feature are permuted among them, mean of 3 permutations. Numeric columns
        whose rank correlation is above 0.9 or below -0.9 are permuted together.
    segments : bool, default=True
        Mean prediction and observed rate in groups of rows with similar values of one column, for
        at most 200 columns; see `xentexp.inference.segment_bias`. Only for models that predict
        probabilities.
    n_rows : int, default=2000
        Number of out-of-fold rows for the importance, all folds together; at least 1.
    seed : int, default=0
        Seed of the choice of rows and of the permutations.

    Raises
    ------
    InputError
        If a value has a wrong type or is out of its range.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from xentexp.experiments import Explain, load_dataset, run_experiment, tabular_pipeline
    >>> data = load_dataset("simulated_delinquency", n_samples=300)
    >>> models = {"logistic": tabular_pipeline(LogisticRegression(max_iter=1000))}
    >>> result = run_experiment(data, models, cv=3, explain=Explain(segments=False))
    >>> result.candidate_results[0].predictions[0].explanation.importance.shape[0]
    100
    """

    importance: bool = True
    segments: bool = True
    n_rows: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        check_bool("importance", self.importance)
        check_bool("segments", self.segments)
        check_integer("n_rows", self.n_rows, 1)
        check_integer("seed", self.seed, 0)


@dataclass(frozen=True, eq=False)
class Plan:
    """What is computed beside each fit of a run."""

    explain: Explain
    loss: Loss | None  # primary loss; None if a metric of the whole data set is primary
    n_folds: int
    features: tuple[tuple[int, ...], ...] = ()  # columns that are permuted together
    bins: tuple[ColumnBins, ...] = ()  # segments of the first columns


def make_plan(
    dataset: Dataset, explain: Explain | None, primary: object, n_folds: int
) -> Plan | None:
    """Plan of a run, from the features of at most 10,000 rows."""
    if explain is None:
        return None
    if not isinstance(explain, Explain):
        raise InputError(f"explain must be an Explain or None; got {explain!r}; pass Explain()")
    X = dataset.X
    if len(X) > _MOST_ROWS:
        rows = np.random.default_rng(explain.seed).choice(len(X), _MOST_ROWS, replace=False)
        X = X.iloc[np.sort(rows)]
    return Plan(
        explain,
        primary if isinstance(primary, Loss) else None,
        n_folds,
        correlated(X) if explain.importance else (),
        bins_of(X.iloc[:, :_MOST_SEGMENT_COLUMNS], min_rows=_LEAST_ROWS)
        if explain.segments
        else (),
    )


def correlated(X: pd.DataFrame) -> tuple[tuple[int, ...], ...]:
    """Columns in groups: numeric ones with a rank correlation beyond 0.9, by single linkage."""
    numeric = [i for i, dtype in enumerate(X.dtypes) if pd.api.types.is_numeric_dtype(dtype)]
    group = np.arange(X.shape[1])
    if 1 < len(numeric) <= _MOST_CORRELATED_COLUMNS:
        close = np.abs(_rank_correlations(X.iloc[:, numeric])) > _CORRELATED
        _, component = connected_components(csr_array(close), directed=False)
        first = {number: numeric[i] for i, number in reversed(list(enumerate(component.tolist())))}
        group[numeric] = [first[number] for number in component.tolist()]
    members: dict[int, list[int]] = {}
    for column, leader in enumerate(group.tolist()):
        members.setdefault(leader, []).append(column)
    return tuple(tuple(columns) for columns in members.values())


def _rank_correlations(X: pd.DataFrame) -> FloatArray:
    """Spearman's correlations; missing values have the mean rank, constants correlate with none."""
    ranks = X.rank()
    centred = (ranks - ranks.mean()).fillna(0.0).to_numpy()
    norm = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    scaled = centred / np.where(norm > 0.0, norm, 1.0)
    return np.asarray(scaled.T @ scaled)
