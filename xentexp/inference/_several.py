"""Which of several models cannot be told from the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xentexp._inputs.asarray import to_numeric
from xentexp._inputs.columns import to_weight
from xentexp._inputs.options import check_bool, check_choice
from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.inference._checks import check_confidence, check_names, codes_of
from xentexp.inference._comparison import _ROUNDING, exponent_of, holm, size_of
from xentexp.inference._intervals import Difference, paired_difference
from xentexp.inference._resampling import bootstrap_means

_ENOUGH = 100
"""Rows or groups from which a set of the bootstrap has its level; see `model_confidence_set`."""


@dataclass(frozen=True)
class BestSet:
    """Result of `best_set`.

    Parameters
    ----------
    names : tuple of str
        Names of the models. The other tuples have the same order.
    means : tuple of float
        Mean value of each model.
    best : str or None
        Name of the model with the best mean; None if no model has a finite mean.
    members : tuple of str
        Models that cannot be told from the best, and the best itself.
    p : tuple of float
        Two-sided p-values of the differences to the best, adjusted by Holm's method: 1 for the
        best, 0 for a model whose loss is infinite, NaN where there is no test.
    differences : tuple of Difference or None
        Value of each model minus the value of the best; None for the best itself and for models
        without a finite mean.
    reasons : tuple of str or None
        Reason why a model was not tested; None for a model that was tested.
    confidence : float
        Confidence of the set: models with an adjusted p-value of at most ``1 - confidence`` are
        left out.
    rule : str
        The rule, in one sentence.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.inference import best_set
    >>> losses = np.random.default_rng(4).exponential(size=(500, 3)) * [1.0, 1.02, 1.5]
    >>> best_set(losses, names=["a", "b", "c"]).members
    ('a', 'b')
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    best: str | None
    members: tuple[str, ...]
    p: tuple[float, ...]
    differences: tuple[Difference | None, ...]
    reasons: tuple[str | None, ...]
    confidence: float
    rule: str


@dataclass(frozen=True)
class ConfidenceSet:
    """Result of `model_confidence_set` and `max_t`.

    Parameters
    ----------
    names : tuple of str
        Names of the models. The other tuples have the same order.
    means : tuple of float
        Mean value of each model.
    best : str or None
        Name of the model with the best mean; None if no model has a finite mean.
    members : tuple of str
        Models whose p-value is above ``1 - confidence``.
    p : tuple of float
        P-value of each model: 1 for the best, 0 for a model whose loss is infinite, NaN for a model
        whose loss is not defined. Apart from these it is a multiple of ``1 / n_resamples``.
    reasons : tuple of str or None
        Reason why a model was not tested; None for a model that was tested.
    confidence : float
        Confidence of the set.
    n_resamples : int
        Number of bootstrap samples.
    rule : str
        The rule and its family error, in one sentence.
    notes : tuple of str
        Warnings, in sentences, e.g. if there are few groups.

    Examples
    --------
    >>> import numpy as np
    >>> from xentexp.inference import model_confidence_set
    >>> losses = np.random.default_rng(4).exponential(size=(500, 3)) * [1.0, 1.02, 1.5]
    >>> model_confidence_set(losses, names=["a", "b", "c"], random_state=0).members
    ('a', 'b')
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    best: str | None
    members: tuple[str, ...]
    p: tuple[float, ...]
    reasons: tuple[str | None, ...]
    confidence: float
    n_resamples: int
    rule: str
    notes: tuple[str, ...] = ()


def best_set(
    values: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    folds: ArrayLike | None = None,
    repeats: ArrayLike | None = None,
    time: ArrayLike | None = None,
    test_train_ratio: float | None = None,
    higher_is_better: bool = False,
    confidence: float = 0.95,
) -> BestSet:
    """Models that cannot be told from the model with the best mean.

    Each model is compared with the best by `paired_difference`, two-sided, with the wider of the
    interval over rows and the interval over folds where both exist. The p-values are adjusted for
    the number of comparisons by Holm's method. A model is left out if its adjusted p-value is at
    most ``1 - confidence``.

    In a simulation of six models at 500 and 2,000 rows, three of which were equally good, all three
    were kept in 94.6 to 95.9% of the samples, and a given one of them in 98%. The worse models were
    left out in 36% of the cases at 500 rows and in 79% at 2,000. Without the adjustment, all three
    were kept in only 86 to 88%. Where all six were equally good (10, 20 and 50 groups of 5 rows),
    all six were kept in 90 to 91% of 400 samples, and a given one in 97 to 98%:
    `model_confidence_set` is the set that keeps all of many equal models.

    Parameters
    ----------
    values : array-like of shape (n_rows, n_models)
        Value (e.g. the loss) of each model for each row, from predictions for rows that the model
        was not trained on. A data frame gives the names of the models.
    names : sequence of str, optional
        Names of the models; by default the columns of a data frame, otherwise numbers from "0".
    groups, sample_weight, folds, repeats, time : array-like of shape (n_rows,), optional
        Group, weight, fold, repeat and time of each row; see `paired_difference`.
    test_train_ratio : float, optional
        Number of test rows divided by the number of training rows; see `paired_difference`.
    higher_is_better : bool, default=False
        False for losses, True for scores.
    confidence : float, default=0.95
        Confidence of the set, between 0 and 1, both excluded.

    Returns
    -------
    BestSet
        The best and the members. Of models with the same best mean, the first is the best. A model
        with an infinite loss in a row is left out if another has a finite mean: a loss that was
        infinite once has an infinite expectation. A model with NaN is left out, as its mean is not
        defined. A model that cannot be tested otherwise is kept.

    Raises
    ------
    InputError
        If an argument has another shape or is out of its range, or a value is better than any
        finite number (a loss of minus infinity).

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics 6.
    Hsu, J. C. (1996). Multiple Comparisons: Theory and Methods. Chapman & Hall.

    Examples
    --------
    >>> import numpy as np
    >>> losses = np.random.default_rng(4).exponential(size=(500, 3)) * [1.0, 1.02, 1.5]
    >>> result = best_set(losses, names=["a", "b", "c"])
    >>> result.best, result.members
    ('a', ('a', 'b'))
    """
    check_confidence(confidence)
    table, labels, weight = _read(values, names, higher_is_better, sample_weight)
    means = _means(table, weight)
    best = observed_best(means, higher_is_better)
    differences = [
        None
        if best is None or i == best or not math.isfinite(means[i])
        else paired_difference(
            table[:, i],
            table[:, best],
            groups=groups,
            sample_weight=sample_weight,
            folds=folds,
            repeats=repeats,
            time=time,
            test_train_ratio=test_train_ratio,
            confidence=confidence,
        )
        for i in range(len(labels))
    ]
    return set_of_best(
        labels, means, differences, higher_is_better=higher_is_better, confidence=confidence
    )


def observed_best(
    means: Sequence[float] | FloatArray, higher_is_better: bool = False
) -> int | None:
    """Position of the best finite mean, the first of ties up to rounding."""
    losses = -np.asarray(means) if higher_is_better else np.asarray(means)
    finite = losses[np.isfinite(losses)]
    if not len(finite):
        return None
    limit = finite.min() + _ROUNDING * abs(finite.min())
    return int(np.flatnonzero(losses <= limit)[0])


def set_of_best(
    names: Sequence[str],
    means: Sequence[float] | FloatArray,
    differences: Sequence[Difference | None],
    *,
    higher_is_better: bool = False,
    confidence: float = 0.95,
) -> BestSet:
    """Apply the rule of `best_set` to differences to the observed best."""
    best = observed_best(means, higher_is_better)
    raw = np.full(len(names), math.nan)
    worse, reasons = np.zeros(len(names), dtype=bool), _reasons(means)
    for i, difference in enumerate(differences):
        if math.isinf(means[i]):
            raw[i], worse[i] = 0.0, True
        elif difference is not None:
            raw[i], reasons[i] = difference.p, difference.reason
            # A mean over folds can be better than that of the model with the best mean over rows.
            worse[i] = (difference.difference < 0.0) == higher_is_better
    adjusted = holm(raw)
    member = ~(worse & (adjusted <= 1.0 - confidence)) & np.isfinite(means)
    if best is not None:
        adjusted[best] = 1.0
    n_tests = int(np.isfinite(raw).sum())
    return BestSet(
        tuple(names),
        tuple(float(mean) for mean in means),
        None if best is None else names[best],
        tuple(name for name, kept in zip(names, member, strict=True) if kept),
        tuple(adjusted.tolist()),
        tuple(differences),
        tuple(reasons),
        float(confidence),
        f"members: models whose difference to the observed best is not significant at level "
        f"{1.0 - confidence:.3g} (two-sided, the wider interval of each comparison, Holm's "
        f"adjustment for {n_tests} comparison{'' if n_tests == 1 else 's'})",
    )


def model_confidence_set(
    values: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    statistic: str = "range",
    higher_is_better: bool = False,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: int | np.random.Generator | None = None,
) -> ConfidenceSet:
    """Model confidence set of Hansen, Lunde and Nason.

    It tests whether all models are equally good, removes the worst model if they are not, and
    repeats this with the remaining models. The probability that the set contains all of the best
    models is at least `confidence`, for large samples. Rows are resampled with replacement, whole
    groups where groups are given. Rows of a time series depend on each other: pass blocks of
    consecutive rows as groups.

    In a simulation of six models at 500 and 2,000 rows, three of which were equally good, all three
    were kept in 95.5 to 97.6% of the samples, and a given one of them in 98 to 99%. The worse
    models were left out in 28% of the cases at 500 rows and in 75% at 2,000; `best_set` leaves out
    more. It needs many groups: with 10, 20, 50 and 100 groups of equal size and six models that
    were equally good, all six were kept in 72, 85, 91 and 95% of 1,000 samples.

    Parameters
    ----------
    values : array-like of shape (n_rows, n_models)
        Value (e.g. the loss) of each model for each row, from predictions for rows that the model
        was not trained on. A data frame gives the names of the models.
    names : sequence of str, optional
        Names of the models; by default the columns of a data frame, otherwise numbers from "0".
    groups : array-like of shape (n_rows,), optional
        Group of each row. Rows of a group depend on each other, groups do not.
    sample_weight : array-like of shape (n_rows,), optional
        Weight of each row.
    statistic : {"range", "max"}, default="range"
        "range": the largest t statistic of all pairs of models (T_R); "max": the largest t
        statistic of a model against the average of the models (T_max).
    higher_is_better : bool, default=False
        False for losses, True for scores.
    confidence : float, default=0.95
        Confidence of the set, between 0 and 1, both excluded.
    n_resamples : int, default=1000
        Number of bootstrap samples.
    random_state : int, numpy Generator or None, default=None
        Seed of the bootstrap.

    Returns
    -------
    ConfidenceSet
        Members and the p-value of each model: the largest p-value of the tests up to its removal.
        A model with an infinite loss or NaN is left out before the tests, as in `best_set`.

    Raises
    ------
    InputError
        If an argument has another shape or is out of its range, or a value is better than any
        finite number (a loss of minus infinity).

    References
    ----------
    Hansen, P. R., Lunde, A. & Nason, J. M. (2011). The model confidence set. Econometrica 79.

    Examples
    --------
    >>> import numpy as np
    >>> losses = np.random.default_rng(4).exponential(size=(500, 3)) * [1.0, 1.02, 1.5]
    >>> result = model_confidence_set(losses, names=["a", "b", "c"], random_state=0)
    >>> result.best, result.members
    ('a', ('a', 'b'))
    """
    check_choice("statistic", statistic, ("range", "max"))
    check_confidence(confidence)
    return _resampled_set(
        values,
        names,
        higher_is_better,
        confidence,
        n_resamples,
        _range_p if statistic == "range" else _max_p,
        f"members: model confidence set (T_{'R' if statistic == 'range' else 'max'}), which "
        f"contains all of the best models with probability {confidence:g} or more",
        groups=groups,
        sample_weight=sample_weight,
        random_state=random_state,
    )


def max_t(
    values: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    higher_is_better: bool = False,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: int | np.random.Generator | None = None,
) -> ConfidenceSet:
    """Models that may be the best, by multiple comparisons with the best (Hsu).

    For each model, the null hypothesis is that no other model is better. Its statistic is the
    largest t statistic of its difference to another model, one-sided, and its p-value comes from
    the joint distribution of these t statistics in bootstrap samples of the rows, or of whole
    groups where groups are given.

    The error is controlled for each model over all its comparisons: a given best model is left out
    with probability ``1 - confidence`` at most, for large samples. Where several models are equally
    good, the probability that all of them are kept can be smaller;
    `model_confidence_set` keeps all of them. In a simulation of six models at 500 and 2,000 rows,
    three of which were equally good, a given one of them was kept in 97.5% of the samples, and all
    three in 93.0 to 93.9%. The worse models were left out in 49% of the cases at 500 rows and in
    82% at 2,000. With 10, 20, 50 and 100 groups and six models that were equally good, a given one
    was kept in 87, 92, 93 and 94%.

    Parameters
    ----------
    values : array-like of shape (n_rows, n_models)
        Value (e.g. the loss) of each model for each row, from predictions for rows that the model
        was not trained on. A data frame gives the names of the models.
    names : sequence of str, optional
        Names of the models; by default the columns of a data frame, otherwise numbers from "0".
    groups : array-like of shape (n_rows,), optional
        Group of each row. Rows of a group depend on each other, groups do not.
    sample_weight : array-like of shape (n_rows,), optional
        Weight of each row.
    higher_is_better : bool, default=False
        False for losses, True for scores.
    confidence : float, default=0.95
        Confidence of the set, between 0 and 1, both excluded.
    n_resamples : int, default=1000
        Number of bootstrap samples.
    random_state : int, numpy Generator or None, default=None
        Seed of the bootstrap.

    Returns
    -------
    ConfidenceSet
        Members and the p-value of each model. A model with an infinite loss or NaN is left out
        before the tests, as in `best_set`.

    Raises
    ------
    InputError
        If an argument has another shape or is out of its range, or a value is better than any
        finite number (a loss of minus infinity).

    References
    ----------
    Hsu, J. C. (1996). Multiple Comparisons: Theory and Methods. Chapman & Hall.

    Examples
    --------
    >>> import numpy as np
    >>> losses = np.random.default_rng(4).exponential(size=(500, 3)) * [1.0, 1.02, 1.5]
    >>> max_t(losses, names=["a", "b", "c"], random_state=0).members
    ('a', 'b')
    """
    check_confidence(confidence)
    return _resampled_set(
        values,
        names,
        higher_is_better,
        confidence,
        n_resamples,
        _max_t_p,
        f"members: max-t against all other models (Hsu), which keeps a given best model with "
        f"probability {confidence:g} or more, not all that are equally good",
        groups=groups,
        sample_weight=sample_weight,
        random_state=random_state,
    )


def _resampled_set(
    values: ArrayLike,
    names: Sequence[str] | None,
    higher_is_better: bool,
    confidence: float,
    n_resamples: int,
    p_of: Callable[[FloatArray, FloatArray], FloatArray],
    rule: str,
    *,
    groups: ArrayLike | None,
    sample_weight: ArrayLike | None,
    random_state: int | np.random.Generator | None,
) -> ConfidenceSet:
    """Resample the rows, and apply a rule to the means and their bootstrap deviations."""
    table, labels, weight = _read(values, names, higher_is_better, sample_weight)
    means = _means(table, weight)
    finite = np.isfinite(means)
    p = np.where(np.isinf(means), 0.0, math.nan)
    if finite.sum() == 1:
        p[finite] = 1.0
    elif finite.any():
        losses = _relative(table[:, finite] * (-1.0 if higher_is_better else 1.0))
        # Orthogonal columns: the bootstrap computes in float32, and the difference of two models
        # that are nearly equal would be lost in the errors of their deviations.
        axes = np.linalg.eigh(losses.T @ losses)[1]
        columns = losses @ axes
        resampled = bootstrap_means(
            columns,
            groups=groups,
            sample_weight=sample_weight,
            n_resamples=n_resamples,
            random_state=random_state,
        )
        deviations = (resampled - _means(columns, weight)) @ axes.T
        p[finite] = p_of(_means(losses, weight), deviations)
    best = observed_best(means, higher_is_better)
    return ConfidenceSet(
        labels,
        tuple(means.tolist()),
        None if best is None else labels[best],
        tuple(labels[i] for i in np.flatnonzero(p > 1.0 - confidence)),
        tuple(p.tolist()),
        tuple(_reasons(means)),
        float(confidence),
        int(n_resamples),
        rule,
        _few_notes(len(table), groups),
    )


def _few_notes(n_rows: int, groups: ArrayLike | None) -> tuple[str, ...]:
    """Warn if there are too few rows or groups to resample."""
    n, unit = (
        (n_rows, "rows")
        if groups is None
        else (int(codes_of("groups", groups, n_rows).max()) + 1, "groups")
    )
    if n >= _ENOUGH:
        return ()
    return (
        f"There are only {n} {unit}: the bootstrap leaves out models too often; it needs about "
        f"{_ENOUGH}.",
    )


def _read(
    values: ArrayLike,
    names: Sequence[str] | None,
    higher_is_better: bool,
    sample_weight: ArrayLike | None,
) -> tuple[FloatArray, tuple[str, ...], FloatArray | None]:
    """Table of values, names of the models, and weights."""
    check_bool("higher_is_better", higher_is_better)
    table = to_numeric(values, "values").astype(np.float64)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 1:
        raise InputError(
            f"values must have a row for each sample, at least two, and a column for each model; "
            f"got shape {table.shape}"
        )
    if names is None and hasattr(values, "columns"):
        names = [str(column) for column in values.columns]
    labels = check_names(names, table.shape[1])
    weight = None
    if sample_weight is not None:
        weight = to_weight(sample_weight, len(table)).astype(np.float64)
        table[weight == 0.0] = 0.0  # such a row does not count, even if a loss is infinite
    endless = np.argwhere(table == (np.inf if higher_is_better else -np.inf))
    if len(endless):
        row, model = endless[0]
        raise InputError(
            f"values must not be better than any finite number; got {table[row, model]} for model "
            f"{labels[model]!r} in row {row}; leave this model out"
        )
    return table, labels, weight


def _means(table: FloatArray, weight: FloatArray | None) -> FloatArray:
    """Weighted mean of each column."""
    exponent = exponent_of(size_of(table))
    if exponent.any():
        return np.ldexp(_means(np.ldexp(table, -exponent), weight), exponent)
    if weight is None:
        return np.asarray(table.mean(axis=0))
    return np.asarray((weight[:, None] * table).sum(axis=0) / weight.sum())


def _relative(losses: FloatArray) -> FloatArray:
    """Losses minus their mean over the models, so that the largest is 1."""
    # Only differences of models count. Without what they share, rounding errors are smaller.
    losses = np.ldexp(losses, -int(exponent_of(size_of(losses)).max()))
    losses = losses - losses.mean(axis=1, keepdims=True)
    size = np.abs(losses).max()
    return np.asarray(losses / size if size > 0.0 else losses)


def _reasons(means: Sequence[float] | FloatArray) -> list[str | None]:
    """Why models without a finite mean are not tested."""
    return [
        "its loss is infinite in at least one row, and so is its expected loss"
        if math.isinf(mean)
        else "its loss is not defined (NaN) in at least one row"
        if math.isnan(mean)
        else None
        for mean in means
    ]


def _standardized(effects: FloatArray, deviations: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Effects and bootstrap deviations in units of the standard error; 0/0 is 0."""
    error = np.sqrt((deviations * deviations).mean(axis=0))
    # An effect without variance is certain; one within rounding errors is 0.
    certain = error <= _ROUNDING
    real = np.abs(effects) > _ROUNDING
    t = np.where(real, np.copysign(np.inf, effects), 0.0)
    np.divide(effects, error, out=t, where=~certain)
    z = np.zeros_like(deviations)
    np.divide(deviations, error, out=z, where=~certain)
    return t, z


def _pairs_with(
    model: int, means: FloatArray, deviations: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Statistics t of a model minus each model, and those of the bootstrap."""
    return _standardized(means[model] - means, deviations[:, [model]] - deviations)


def _range_p(means: FloatArray, deviations: FloatArray) -> FloatArray:
    """P-values of the model confidence set with the statistic T_R."""
    n_models = len(means)
    t = np.array([_pairs_with(i, means, deviations)[0] for i in range(n_models)])
    # Which model is removed next does not depend on the p-values: find the order first.
    remaining, removed = list(range(n_models)), []
    while len(remaining) > 1:
        worst = t[np.ix_(remaining, remaining)].max(axis=1)
        model = remaining.pop(int(worst.argmax()))
        removed.append((model, worst.max()))
    # Then add the models in reverse, so that each pair is compared once.
    p, largest = np.ones(n_models), np.zeros(len(deviations))
    for model, statistic in reversed(removed):
        z = _pairs_with(model, means, deviations)[1][:, remaining]
        largest = np.maximum(largest, np.abs(z).max(axis=1))
        p[model] = (largest >= statistic).mean()
        remaining.append(model)
    return _never_falling(p, [model for model, _ in removed])


def _max_p(means: FloatArray, deviations: FloatArray) -> FloatArray:
    """P-values of the model confidence set with the statistic T_max."""
    remaining, removed, p = list(range(len(means))), [], np.ones(len(means))
    while len(remaining) > 1:
        center, moves = means[remaining], deviations[:, remaining]
        t, z = _standardized(center - center.mean(), moves - moves.mean(axis=1, keepdims=True))
        model = remaining.pop(int(t.argmax()))
        p[model] = (z.max(axis=1) >= t.max()).mean() if t.max() > 0.0 else 1.0
        removed.append(model)
    return _never_falling(p, removed)


def _never_falling(p: FloatArray, removed: list[int]) -> FloatArray:
    """Largest p-value of the tests up to the removal of each model."""
    p[removed] = np.maximum.accumulate(p[removed])
    return p


def _max_t_p(means: FloatArray, deviations: FloatArray) -> FloatArray:
    """P-values of Hsu's comparisons of each model with all others."""
    p = np.ones(len(means))
    for i in range(len(means)):
        t, z = _pairs_with(i, means, deviations)
        if t.max() > 0.0:  # otherwise no other model is better in the sample
            p[i] = (np.delete(z, i, axis=1).max(axis=1) >= t.max()).mean()
    return p
