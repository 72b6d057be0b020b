"""`decompose`: a proper loss as miscalibration minus discrimination plus uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xentexp._inputs.options import check_choice, check_integer
from xentexp._numerics import FloatArray, IntArray, weigh
from xentexp.errors import InputError
from xentexp.inference._checks import codes_of, random_generator
from xentexp.inference._isotonic import (
    PooledRows,
    isotonic_loss,
    losses_of_both,
    mean_loss,
    pool,
)
from xentexp.inference._recalibration import (
    FAMILIES,
    Map,
    Rows,
    clustered_size,
    cross_fitted,
    effective_df,
    fit_map,
    identity,
    score_test,
    values,
)
from xentexp.inference._variance import kish
from xentexp.losses import Loss
from xentexp.metrics._metric_input import MetricInput
from xentexp.metrics._registry import get_loss

_TWO_CLASSES = ("isotonic", "logit_line")
_WORDS = {
    "isotonic": "isotonic regression",
    "logit_line": "a line in the log-odds",
    "temperature": "one temperature",
    "temperature_biases": "a temperature and class biases",
    "vector": "a scale and a bias for each class",
}
_FEW_GROUPS = 50
_LEVEL = 0.05


@dataclass(frozen=True)
class Decomposition:
    """Result of `decompose`: ``score = miscalibration - discrimination + uncertainty``.

    Parameters
    ----------
    score : float
        Mean loss of the predictions.
    miscalibration : float
        What recalibration by `family` would save: of these rows for the isotonic family, where it
        is not 0 for calibrated predictions either (see `calibrated_reference`); less the
        optimism of the fit for a parametric family, where it can be negative.
    discrimination : float
        How much lower the loss of the recalibrated predictions is than `uncertainty`.
    uncertainty : float
        Mean loss of the class frequencies of these rows as a constant prediction.
    p : float
        P-value of the null hypothesis that the predictions are calibrated. NaN without a test.
    calibrated_reference : float
        Mean miscalibration of calibrated predictions: for the isotonic family over draws of labels
        from these predictions; 0 for a parametric family, whose optimism is subtracted.
    loss : str
        Name of the loss.
    family : {"isotonic", "logit_line", "temperature", "temperature_biases", "vector"}
        Family of recalibration maps.
    method : str
        Estimate and test in words.
    n_rows : int
        Number of rows with a positive weight.
    n_groups : int or None
        Number of groups; None without groups.
    n_effective : float
        Number of rows of equal weight, all independent, that estimate as well: n_rows without
        weights and groups; Kish's size with weights; with groups and a parametric family, that of
        independent rows whose optimism is as large.
    df : int or None
        Number of parameters of the family that the predictions determine; None if isotonic.
    scales, biases : tuple of float or None
        The fitted map ``softmax(scales * log p + biases)``, one number for each class; None if
        isotonic.
    notes : tuple of str
        Warnings.
    reason : str or None
        Why there is no p-value; None if there is one.

    Examples
    --------
    >>> from xentexp.inference import decompose
    >>> result = decompose([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], "brier_loss")
    >>> print(f"{result.miscalibration:.6f} {result.discrimination:.3f} {result.uncertainty:.2f}")
    0.033125 0.125 0.25
    """

    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float
    p: float
    calibrated_reference: float
    loss: str
    family: str
    method: str
    n_rows: int
    n_groups: int | None
    n_effective: float
    df: int | None = None
    scales: tuple[float, ...] | None = None
    biases: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def saves(self) -> float:
        """Estimate of what recalibration by the family would save, at least 0.

        It is `miscalibration` minus `calibrated_reference`, or 0 if that is negative. A larger
        family could save more.
        """
        return max(0.0, self.miscalibration - self.calibrated_reference)

    def describe(self) -> str:
        """One sentence: what recalibration would save, and the evidence.

        Returns
        -------
        str
            The amount with ``"at least"``, because a larger family could save more. It is an
            estimate from these rows. If p is above .05, the sentence says that there is no evidence
            of miscalibration.

        Examples
        --------
        >>> import numpy as np
        >>> from xentexp.inference import decompose
        >>> p = np.repeat([0.1, 0.5, 0.9], 100)  # true probabilities: .25, .5 and .75
        >>> y = np.repeat([1, 0, 1, 0, 1, 0], [25, 75, 50, 50, 75, 25])
        >>> decompose(y, p, family="logit_line").describe()
        'Recalibration (logit_line) would save at least 0.05822: miscalibration 0.05822 of \
categorical_crossentropy 0.6675, where calibrated predictions show 0 (p = 9.55e-09).'
        """
        seen = (
            f"miscalibration {self.miscalibration:.4g} of {self.loss} {self.score:.4g}, where "
            f"calibrated predictions show {self.calibrated_reference:.4g}"
        )
        test = f"p = {self.p:.3g}" if self.reason is None else f"no p-value: {self.reason}"
        if self.p > _LEVEL:
            return f"Miscalibration is not significant ({self.family}): {seen} ({test})."
        amount = f"at least {self.saves:.4g}" if self.saves > 0.0 else "nothing"
        return f"Recalibration ({self.family}) would save {amount}: {seen} ({test})."

    def __str__(self) -> str:
        return self.describe()


@dataclass(frozen=True)
class _Sample:
    """Rows with positive weight."""

    loss: Loss
    proba: FloatArray  # (k, n)
    index: IntArray
    weight: FloatArray | None  # None if all are 1
    codes: IntArray | None  # number of the group of each row
    clip: float

    def share(self) -> FloatArray:
        """Weights that sum to 1."""
        n = len(self.index)
        return np.full(n, 1.0 / n) if self.weight is None else self.weight / self.weight.sum()

    def kish(self) -> float:
        """Effective number of rows of unequal weight."""
        return float(len(self.index)) if self.weight is None else kish(self.weight)


def decompose(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    loss: str | Loss = "categorical_crossentropy",
    *,
    family: str = "auto",
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n_draws: int = 100,
    random_state: int | np.random.Generator | None = 0,
) -> Decomposition:
    """Miscalibration, discrimination and uncertainty of predictions under a proper loss.

    Miscalibration is what recalibration of the predictions would save, uncertainty the loss of the
    class frequencies of these rows as a constant prediction, and discrimination how much the
    recalibrated predictions improve on it.

    Which maps count as recalibration is a choice, the family, and a larger family finds more: read
    the result as "recalibration (family) would save at least".

    - ``"isotonic"`` (two classes): every increasing map, by isotonic regression on these rows
      (CORP). The rows of all folds are pooled. In sample its miscalibration is at least 0 and not 0
      for calibrated predictions: .008 to .012 nats at 2,000 rows for the log loss, .002 to .003 at
      20,000.
      `calibrated_reference` is the mean over `n_draws` sets of labels that are drawn from the
      predictions, and the p-value the proportion of draws with at least the observed miscalibration
      (the observed one included). The smallest p-value is therefore ``1 / (1 + n_draws)``.
    - parametric families: ``softmax(s_j log p_j + b_j)``, fitted by maximum likelihood.
      ``"temperature"`` has one s for all classes and no b (1 parameter); ``"temperature_biases"``
      adds the biases (k); ``"vector"`` has an s and a b for each class (2 k - 1);
      ``"logit_line"``, a + b logit p for two classes (2), is ``"temperature_biases"`` for k = 2.
      Miscalibration is the gain on these rows minus its optimism, ``df / (2 n)`` for the log loss.
      The p-value is that of the likelihood ratio test against the identity map with df degrees of
      freedom, for every loss. A fit by log loss can worsen another loss: a small negative
      miscalibration is possible.

    The estimates are for new rows of the same distribution and have a sampling error, which is not
    given. Recalibration with few rows saves less, because its map has to be estimated.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, k)
        Labels or one-hot rows.
    y_pred : array-like of shape (n,) or (n, k)
        Probabilities; shape (n,) is for the second of two classes. They must not come from a model
        that was trained on these rows: use out-of-fold predictions.
    loss : str or Loss, default="categorical_crossentropy"
        A proper loss, by name or as an object.
    family : str, default="auto"
        Family of maps. "auto" is ``"isotonic"`` for two classes and ``"temperature_biases"`` for
        more.
    labels : array-like of shape (k,), default=None
        All classes, in the order of the columns of `y_pred`, as for the functions in
        `xentexp.metrics`.
    sample_weight : array-like of shape (n,), default=None
        Weight of each row. Rows of weight 0 are left out. The parametric test and optimism use
        Kish's effective number of rows instead of n; a weight is not a number of repeated rows.
    groups : array-like of shape (n,), default=None
        Group of each row, e.g. the person, if rows of a group depend on each other. The test of a
        parametric family is then a robust score test of the sums of the groups (Boos), and the
        optimism is that of the groups. The isotonic family has no p-value with groups.
    n_draws : int, default=100
        Number of sets of labels drawn from the predictions, for the isotonic family.
    random_state : int, Generator or None, default=0
        Seed or generator of the draws, of the folds for a loss without a gradient, and of the rows
        for H and J below.

    Returns
    -------
    Decomposition
        The parts, the p-value and what they are based on.

    Raises
    ------
    InputError
        If the loss is not proper, the family is not defined for the number of classes, a row has
        no single true class, or an argument has a wrong shape or value.

    Notes
    -----
    Probabilities below the clip of the loss (2.2e-16 for float64) have the logarithm of the clip,
    as in the log loss of `xentexp.metrics`: without it, a map of log p could not change a
    probability of 0. Such rows have a large influence on the parametric families. The isotonic
    family uses only the order of the predictions and their loss.

    For other proper losses than the log loss, the optimism is ``trace(H^-1 J) / (2 n)``, where H
    and J are the expected second derivatives of the log loss and of the loss in the parameters of
    the map; it is df / (2 n) if they are equal. With many classes, H and J are those of a random
    sample of the rows: of 3,000,000 / k^2 rows, at least 1,000. For a loss without a gradient, such
    as the zero-one loss, the recalibrated predictions are cross-fitted in five folds instead.

    The score test of groups is for many groups: in simulations of calibrated predictions, with
    rows that repeat another row of their group, it rejected .06 to .11 at a level of .05 with 50
    and 100 groups, and .02 to .12 with 10 and 20. The likelihood ratio test of independent rows
    rejected .05 to .07, the isotonic test .04 (``docs/coverage.md``).

    If the labels are separable, the likelihood has no maximum. The fit then ends where its gradient
    is 0 up to 1e-9.

    References
    ----------
    Dimitriadis, T., Gneiting, T. & Jordan, A. I. (2021). Stable reliability diagrams for
    probabilistic classifiers. PNAS 118.
    Guo, C., Pleiss, G., Sun, Y. & Weinberger, K. Q. (2017). On calibration of modern neural
    networks. ICML.
    Boos, D. D. (1992). On generalized score tests. American Statistician 46.
    Cox, D. R. (1958). Two further applications of a model for binary regression. Biometrika 45.

    Examples
    --------
    >>> from xentexp.inference import decompose
    >>> result = decompose([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> print(f"{result.score:.4f} = {result.miscalibration:.4f} - {result.discrimination:.4f} + "
    ...       f"{result.uncertainty:.4f}")
    0.4723 = 0.1257 - 0.3466 + 0.6931
    """
    found = get_loss(loss)
    _check_proper(found)
    check_choice("family", family, ("auto", "isotonic", *FAMILIES))
    check_integer("n_draws", n_draws, 1)
    rng = random_generator(random_state)
    sample = _read(y_true, y_pred, found, labels, sample_weight, groups)
    k = len(sample.proba)
    _check_proper_parameters(found, k)
    if family == "auto":
        family = "isotonic" if k == 2 else "temperature_biases"
    if k != 2 and family in _TWO_CLASSES:
        raise InputError(
            f"family must be one of {', '.join(map(repr, FAMILIES[1:]))} for {k} classes; got "
            f"{family!r}, which is for two classes"
        )
    if family == "isotonic":
        return _isotonic(sample, n_draws, rng)
    return _parametric(sample, family, rng)


def _check_proper(loss: Loss) -> None:
    kind = loss.properties.properness
    if loss.properties.targets == "multilabel":
        raise InputError(
            f"loss must be a loss of classes; got {loss.name}, a loss of several labels in a row; "
            f"decompose binary_crossentropy of each label"
        )
    if kind not in ("proper", "strictly proper"):
        raise InputError(
            f"loss must be proper, so that calibrated predictions have the lowest expected loss; "
            f"got {loss.name}, which is {kind.replace('-', 'not a proper loss')}; choose e.g. "
            f"categorical_crossentropy or brier_loss"
        )


def _check_proper_parameters(loss: Loss, k: int) -> None:
    """Raise an InputError if parameters make the loss improper, e.g. a Huber loss below 1."""
    truth = np.linspace(0.02, 0.98, 49)
    proba = np.zeros((k, len(truth)))
    proba[0], proba[1] = 1.0 - truth, truth
    first, second = (values(loss, proba, np.full(len(truth), label), 0.0) for label in (0, 1))
    # Entry (i, j): expected loss of the prediction j if the probability is i.
    expected = np.outer(1.0 - truth, first) + np.outer(truth, second)
    own = np.diag(expected)
    row = int((own - expected.min(axis=1)).argmax())
    if own[row] - expected[row].min() > 1e-9 * max(1.0, abs(own[row])):
        raise InputError(
            f"loss must be proper; got {loss!r}, whose expected loss for a probability of "
            f"{truth[row]:.2g} is lowest at the prediction {truth[expected[row].argmin()]:.2g}; "
            f"choose other parameters"
        )


def _read(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    loss: Loss,
    labels: ArrayLike | None,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None,
) -> _Sample:
    checked = loss.check_input(y_true, y_pred, labels=labels, sample_weight=sample_weight)
    if not checked.one_hot:
        raise InputError(
            "y_true must have one true class in each row; got distributions; pass labels or "
            "one-hot rows"
        )
    data = MetricInput(checked)
    codes = None if groups is None else codes_of("groups", groups, len(data.index))
    if data.weight is None:
        return _Sample(loss, data.proba_by_class, data.index, None, codes, checked.clip)
    kept = np.flatnonzero(data.weight > 0.0)
    if codes is not None:
        codes = np.unique(codes[kept], return_inverse=True)[1]
    proba, index, weight = data.proba_by_class[:, kept], data.index[kept], data.weight[kept]
    return _Sample(loss, proba, index, weight, codes, checked.clip)


# -- isotonic ---------------------------------------------------------------------------------


def _isotonic(sample: _Sample, n_draws: int, rng: np.random.Generator) -> Decomposition:
    loss, n = sample.loss, len(sample.index)
    rows = pool(sample.proba[1], sample.index, sample.weight)
    losses = losses_of_both(loss, rows.proba, sample.clip)
    score = mean_loss(losses, rows.second, rows.weight)
    recalibrated = isotonic_loss(loss, rows.second, rows.weight)
    uncertainty = _uncertainty(sample)
    miscalibration = score - recalibrated
    drawn = _drawn_miscalibration(loss, rows, losses, n_draws, rng)
    notes: tuple[str, ...] = ()
    p, reason = (1.0 + int((drawn >= miscalibration - 1e-12).sum())) / (1.0 + n_draws), None
    if sample.codes is not None:
        p = math.nan
        reason = "labels are drawn for independent rows; family='logit_line' has a test for groups"
        notes = (
            "calibrated_reference is for independent rows: it is higher if labels of a group "
            "depend on each other",
        )
    return Decomposition(
        score=score,
        miscalibration=miscalibration,
        discrimination=uncertainty - recalibrated,
        uncertainty=uncertainty,
        p=p,
        calibrated_reference=float(drawn.mean()),
        loss=loss.name,
        family="isotonic",
        method=f"isotonic regression of {n:,} pooled rows; test and reference by {n_draws:,} draws "
        f"of the labels from the predictions",
        n_rows=n,
        n_groups=_n_groups(sample),
        n_effective=sample.kish(),
        notes=notes,
        reason=reason,
    )


def _drawn_miscalibration(
    loss: Loss, rows: PooledRows, losses: FloatArray, n_draws: int, rng: np.random.Generator
) -> FloatArray:
    """Miscalibration of labels that are drawn from the predictions."""
    # A label that has the probability 0 is not drawn: its loss, which can be infinite, is not used.
    # Sums of products, not `@`: threads of BLAS made this ten times slower on a busy machine.
    first = np.where(rows.proba < 1.0, losses[0], 0.0)
    gap = np.where(rows.proba > 0.0, losses[1], 0.0) - first
    constant, total = (rows.weight * first).sum(), rows.weight.sum()
    return np.array(
        [
            (constant + (second * gap).sum()) / total - isotonic_loss(loss, second, rows.weight)
            for second in rows.draws(n_draws, rng)
        ]
    )


def _uncertainty(sample: _Sample) -> float:
    """Mean loss of the class frequencies as a constant prediction."""
    k = len(sample.proba)
    counted = np.bincount(sample.index, weights=sample.share(), minlength=k)
    frequency: FloatArray = counted / counted.sum()
    constant = np.repeat(frequency[:, np.newaxis], k, axis=1)
    # A class without rows has the probability 0 and does not count.
    return float(weigh(values(sample.loss, constant, np.arange(k), 0.0), frequency).sum())


def _n_groups(sample: _Sample) -> int | None:
    return None if sample.codes is None else int(sample.codes.max()) + 1


# -- parametric -------------------------------------------------------------------------------


def _parametric(sample: _Sample, family: str, rng: np.random.Generator) -> Decomposition:
    loss, clip, share = sample.loss, sample.clip, sample.share()
    with np.errstate(divide="ignore"):
        log_proba = np.log(np.maximum(sample.proba, clip))
    rows = Rows(log_proba, sample.index, share)
    start = identity(family, rows)
    fitted = fit_map(start, rows)
    log_q, q = fitted.apply(log_proba)
    own = values(loss, sample.proba, sample.index, clip)
    score = float(weigh(own, share).sum())
    n_effective = sample.kish()
    p, reason = _test(sample, start, rows, log_q, n_effective)
    if sample.codes is not None and reason is None:
        n_effective = clustered_size(fitted, rows, q, sample.codes)
    if loss.properties.gradient == "none":
        q = cross_fitted(start, rows, sample.codes, rng)
        optimism, estimate = 0.0, "cross-fitted in five folds"
    else:
        optimism = effective_df(loss, fitted, rows, q, own, rng) / (2.0 * n_effective)
        estimate = f"gain on {len(rows):,} rows minus its optimism {optimism:.2g}"
    after = float(weigh(values(loss, q, sample.index, clip), share).sum())
    miscalibration, uncertainty = score - after - optimism, _uncertainty(sample)
    test = "likelihood ratio test" if sample.codes is None else "score test of the group sums"
    return Decomposition(
        score=score,
        miscalibration=miscalibration,
        discrimination=uncertainty + miscalibration - score,
        uncertainty=uncertainty,
        p=p,
        calibrated_reference=0.0,
        loss=loss.name,
        family=family,
        method=f"{_WORDS[family]} by maximum likelihood, {estimate}; {test} with {start.df} "
        f"degrees of freedom",
        n_rows=len(rows),
        n_groups=_n_groups(sample),
        n_effective=n_effective,
        df=start.df,
        scales=tuple(fitted.scales.tolist()),
        biases=tuple(fitted.biases.tolist()),
        notes=_notes(sample, fitted),
        reason=reason,
    )


def _test(
    sample: _Sample, start: Map, rows: Rows, log_q: FloatArray, n_effective: float
) -> tuple[float, str | None]:
    """P-value of the identity map, or why there is none."""
    from scipy.special import chdtrc

    if not start.df:
        return math.nan, "the predictions do not determine the parameters of this family"
    if sample.codes is not None:
        n_groups = int(sample.codes.max()) + 1
        if n_groups <= start.df:
            return math.nan, f"{n_groups} groups are too few for {start.df} parameters"
        p = score_test(start, rows, sample.codes)
        return p, "the scores of the groups do not vary" if math.isnan(p) else None
    own = np.arange(len(rows))
    log_p = start.apply(rows.log_proba)[0]
    gain = float(rows.weight @ (log_q[rows.index, own] - log_p[rows.index, own]))
    return float(chdtrc(start.df, max(0.0, 2.0 * n_effective * gain))), None


def _notes(sample: _Sample, fitted: Map) -> tuple[str, ...]:
    notes = []
    below = int((sample.proba < sample.clip).any(axis=0).sum())
    if below:
        notes.append(
            f"{below:,} rows have a probability below the clip {sample.clip:.2g}, which replaces "
            f"it; they have a large influence on the fit"
        )
    n_groups = _n_groups(sample)
    if n_groups is not None and n_groups < _FEW_GROUPS:
        notes.append(f"{n_groups} groups are few: the p-value can be too small")
    if not fitted.converged:
        notes.append("the fit did not converge: its gain is a lower limit")
    return tuple(notes)
