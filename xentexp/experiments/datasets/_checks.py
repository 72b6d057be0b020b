"""Checks of a table before any fit: columns that are not features, or that give the target away."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xentexp.experiments.datasets._repeats import (
    id_like_columns,
    names_identifier,
    names_time,
)

LEVEL = 1e-6
"""Largest probability that a check reports a table whose labels do not depend on the features."""

MIN_SKILL = 0.9
"""Smallest part of the entropy of the target that a column must explain to be reported."""

MAX_FEW_RUNS = 0.1
"""Largest ratio of runs of equal labels to the expected number, for shuffled row numbers."""

MAX_BINS = 32
SCREENING = 0.2
"""Part of the entropy that bins must explain for a column to be examined."""

MAX_CODES = 256
"""Largest number of distinct numbers that are compared with the target one by one."""

MAX_EXAMINED = 200
"""Number of columns, those with the largest skill of bins, that are examined."""

MAX_SAMPLE = 50_000
"""Number of rows, a random sample, on which columns are compared with the target."""

N_FOLDS = 5
SHOWN = 10
"""Number of columns that a message names."""

Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Finding:
    """Result of a check of a data set, to be read before any model is fitted.

    Attributes
    ----------
    name : {"row_order", "known_target", "identifiers", "constant", "entity_search", \
"absent_classes"}
        Name of the check.
    columns : tuple of str
        Columns that it is about.
    message : str
        What was found.
    remedy : str
        What to do. ``dataset.drop=[COLUMN]`` is the parameter `drop` of `load_table` on the command
        line of ``xentexp run``.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments import Card, make_dataset
    >>> X = pd.DataFrame({"income": [10, 20, 15, 30], "country": "KR"})
    >>> [finding] = make_dataset(X, ["no", "yes", "no", "yes"], Card("loans")).findings
    >>> finding.name, finding.columns
    ('constant', ('country',))
    >>> print(finding)
    the column 'country' has the same value in every row; leave it out
    """

    name: str
    columns: tuple[str, ...]
    message: str
    remedy: str = ""

    @property
    def leak(self) -> bool:
        """Whether scores may be too good because of it, for rows whose target is not known yet."""
        return self.name in ("row_order", "known_target")

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


def check_table(
    X: pd.DataFrame,
    y: pd.Series[Any],
    *,
    identifiers: Sequence[str],
    constant: Sequence[str],
    droppable: bool,
) -> list[Finding]:
    """Results of all checks, the most important first; `droppable` if the loader has `drop`."""
    ordering = find_row_order(X, y, identifiers)
    ordered = {name for finding in ordering for name in finding.columns}
    left_out = [name for name in X if name in ordered or name in constant]
    found = [
        *ordering,
        *find_known_target(X.drop(columns=left_out), y),  # without a copy
        *_identifiers([name for name in identifiers if name not in ordered]),
        *_constant(constant),
    ]
    return found if droppable else [replace(f, remedy=_remedy(f.name, f.columns)) for f in found]


# -- row numbers that order the target --------------------------------------------------------


def find_row_order(
    X: pd.DataFrame, y: pd.Series[Any], columns: Sequence[str] | None = None
) -> list[Finding]:
    """Find row identifiers that order the target, as in a file sorted by class.

    The null hypothesis is that the labels are exchangeable in the order of the identifier. For each
    class, the number of its runs has a hypergeometric distribution [1]_, and a bound for its rank
    sum follows from Hoeffding's inequality for draws without replacement [2]_. A column is
    reported if the smallest p-value, times the number of tests and of identifiers, is at most
    1e-6.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_columns)
        Features with the dtypes that `make_dataset` produces.
    y : pandas.Series of shape (n_rows,)
        Label of each row.
    columns : sequence of str, default=None
        Columns to examine; by default those of `id_like_columns`.

    Returns
    -------
    list of Finding
        One finding for each reported column.

    Notes
    -----
    Rate of false alarms: a table whose labels do not depend on the order of the identifiers is
    reported with probability at most 1e-6. On 2,000 simulated tables, 0.7 % had a p-value of at
    most 5 %, and none was reported.

    References
    ----------
    .. [1] Wald, A. and Wolfowitz, J. (1940). On a test whether two samples are from the same
       population. Annals of Mathematical Statistics 11(2), 147-162.
    .. [2] Hoeffding, W. (1963). Probability inequalities for sums of bounded random variables.
       Journal of the American Statistical Association 58(301), 13-30.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments.datasets import find_row_order
    >>> y = pd.Series(["no"] * 30 + ["yes"] * 30)
    >>> [finding] = find_row_order(pd.DataFrame({"row": range(60)}), y)
    >>> finding.columns, finding.remedy
    (('row',), 'set dataset.drop=[row]')
    """
    columns = id_like_columns(X) if columns is None else columns
    codes, n_classes = _codes(y)
    if n_classes < 2:
        return []
    found = []
    for name in columns:
        numbers = _numbers(X[name])
        if numbers is None:
            continue
        ordered = codes[np.argsort(numbers, kind="stable")]
        if order_p_value(ordered, n_classes) * len(columns) > LEVEL:
            continue
        runs, expected = _runs(ordered, n_classes)
        message = (
            f"the row number {name!r} orders the target: sorted by it, the rows form {runs:,} runs "
            f"of equal labels; in random order, {expected:,.0f} runs are expected; models that use "
            f"it get scores that do not hold for new rows"
        )
        finding = _finding("row_order", [name], message)
        if names_time(name):
            time_ordered = f"cv=time_ordered {shlex.quote(f'cv.time_column={name}')}"
            remedy = f"if it is a time, set {time_ordered}; otherwise, {finding.remedy}"
            finding = replace(finding, remedy=remedy)
        found.append(finding)
    return found


def row_numbers_to_leave_out(
    X: pd.DataFrame, y: pd.Series[Any], dates: Collection[str] = ()
) -> list[Finding]:
    """Findings of `find_row_order` on columns that cannot be a time or the rank of a quantity."""
    # These are whole numbers without large gaps, or numbers whose name is that of an identifier,
    # that are sorted in the file, or whose order separates the classes almost completely. A rank is
    # in another order than the rows. A time may be neither, and has a name of its own.
    codes, n_classes = _codes(y)
    names = [name for name in id_like_columns(X) if name not in dates and not names_time(name)]
    certain = []
    for finding in find_row_order(X, y, names):
        name = finding.columns[0]
        numbers = _numbers(X[name])
        assert numbers is not None
        known = numbers[~np.isnan(numbers)]
        steps = np.diff(known)
        in_order = bool((steps >= 0).all() or (steps <= 0).all())
        step = np.abs(steps[steps != 0]).min() if names_identifier(name) else 1.0
        numbered = float(np.ptp(known)) < 2 * len(known) * step
        whole = names_identifier(name) or bool((known % 1 == 0).all())
        runs, expected = _runs(codes[np.argsort(numbers, kind="stable")], n_classes)
        few_runs = runs - n_classes <= MAX_FEW_RUNS * expected
        if whole and numbered and (in_order or few_runs):
            certain.append(finding)
    return certain


def order_p_value(codes: Codes, n_classes: int) -> float:
    """Bound for the p-value of the hypothesis that the order of the labels is exchangeable."""
    from scipy.stats import hypergeom

    n = len(codes)
    counts = np.bincount(codes, minlength=n_classes)
    classes = np.flatnonzero(counts)
    if len(classes) < 2:
        return 1.0
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    runs = np.bincount(codes[starts], minlength=n_classes)[classes]
    size = counts[classes]
    # The runs of a class choose their places among the gaps between the other rows.
    few_runs = hypergeom.cdf(runs, n, n - size + 1, size)
    ranks = np.bincount(codes, weights=np.arange(n), minlength=n_classes)[classes]
    smaller = np.minimum(size, n - size)  # the rank sum of the other rows deviates equally
    # The sum of m ranks drawn without replacement is sub-Gaussian with m times their variance.
    deviation = ranks - size * (n - 1) / 2
    rank_sum = 2 * np.exp(-(deviation**2) / (2 * smaller * (n * n - 1) / 12))
    # With two classes, the rank sums are equivalent; counting both is conservative.
    return float(min(1.0, 2 * len(classes) * min(few_runs.min(), rank_sum.min())))


def _runs(codes: Codes, n_classes: int) -> tuple[int, float]:
    """Number of runs of equal labels, and its expectation for exchangeable labels."""
    share = np.bincount(codes, minlength=n_classes) / len(codes)
    return int((codes[1:] != codes[:-1]).sum()) + 1, 1 + len(codes) * (1 - float((share**2).sum()))


_NUMBERED = re.compile(r"(\D*)(\d{1,18})(\D*)")


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64] | None:
    """Numbers of an identifier; those of texts such as A-001, A-002; None for other columns."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return _floats(column)
    texts = column.astype(object).dropna()
    parts = [_NUMBERED.fullmatch(str(text).strip()) for text in texts]
    if any(part is None for part in parts) or not parts:
        return None
    if len({(part[1], part[3]) for part in parts if part is not None}) > 1:
        return None
    numbers = pd.Series([float(part[2]) for part in parts if part is not None], texts.index)
    return _floats(numbers.reindex(column.index))


def _floats(column: pd.Series[Any]) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(dtype="float64", na_value=np.nan), dtype=np.float64)


# -- columns from which the target is known ---------------------------------------------------


def find_known_target(X: pd.DataFrame, y: pd.Series[Any]) -> list[Finding]:
    """Find columns from which the target is known, by their values or by which are missing.

    Cross-fitted probabilities are computed from each column by itself: with a classification tree
    for numbers, and with class frequencies for categories and for numbers with few distinct values.
    A column is reported if the log loss is at most 10 % of that of the class frequencies, and if
    the log likelihood ratio of both is at least log(n_columns / 1e-6), so that small tables are
    reported only if chance is excluded.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_columns)
        Features with the dtypes that `make_dataset` produces.
    y : pandas.Series of shape (n_rows,)
        Label of each row.

    Returns
    -------
    list of Finding
        One finding for each reported column, the smallest log loss first; more than ten columns
        are combined.

    Notes
    -----
    Rate of false alarms: if labels do not depend on the features, the likelihood ratio has an
    expectation of about 1 (exactly 1 for predictions from earlier rows), and by Markov's inequality
    exceeds 1e6 for one of the columns with a probability of about 1e-6. None of 500 simulated
    tables was reported, and none in which a feature explains half of the entropy.

    The columns are screened with bins first, so that the time is linear in the numbers of rows and
    columns. At most 50,000 rows, a random sample, and 200 columns are examined.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments.datasets import find_known_target
    >>> y = pd.Series(["no", "yes", "no"] * 50)
    >>> X = pd.DataFrame({"income": range(150), "paid_back": y.eq("no").astype(int)})
    >>> [finding] = find_known_target(X, y)
    >>> finding.columns
    ('paid_back',)
    """
    codes, n_classes = _codes(y)
    if n_classes < 2 or not len(X.columns):
        return []
    rng = np.random.default_rng(0)
    if len(codes) > MAX_SAMPLE:
        rows = np.sort(rng.choice(len(codes), MAX_SAMPLE, replace=False))
        X, codes = X.iloc[rows], codes[rows]
    n = len(codes)
    prior = np.bincount(codes, minlength=n_classes) / n
    entropy = -float(np.log(prior[codes]).mean())
    if entropy == 0.0:
        return []
    needed = max(MIN_SKILL * entropy, np.log(X.shape[1] / LEVEL) / n)
    screened = [_screened(X.iloc[:, i], codes, n_classes, entropy) for i in range(X.shape[1])]
    examined = [
        int(i) for i in np.argsort(screened)[::-1][:MAX_EXAMINED] if screened[i] > SCREENING
    ]
    fold = np.empty(n, dtype=np.intp)
    shuffled = rng.permutation(n)
    fold[shuffled[np.argsort(codes[shuffled], kind="stable")]] = np.arange(n) % N_FOLDS
    known: list[tuple[float, str, Finding]] = []
    for i in sorted(examined):
        proba = _cross_fitted(X.iloc[:, i], codes, prior, fold)
        loss = -float(np.log(proba[np.arange(n), codes]).mean())
        if entropy - loss >= needed:
            name = str(X.columns[i])
            auc = _mean_auc(codes, proba, fold) if n_classes == 2 else None
            known.append((loss, name, _known(name, loss, entropy, auc)))
    known.sort(key=lambda one: one[0])
    found = [finding for _, _, finding in known[:SHOWN]]
    if more := [name for _, name, _ in known[SHOWN:]]:
        message = f"the target is known almost as well from {_columns(more)}"
        found.append(_finding("known_target", more, message))
    return found


def _known(name: str, loss: float, entropy: float, auc: float | None) -> Finding:
    reached = f"{loss:.4f}" if auc is None else f"{loss:.4f} and AUC {auc:.4f}"
    message = (
        f"the target is known from the column {name!r}: this column by itself gives log loss "
        f"{reached} (cross-fitted; the class frequencies give log loss {entropy:.4f})"
    )
    return _finding("known_target", [name], message)


def _mean_auc(codes: Codes, proba: NDArray[np.float64], fold: Codes) -> float:
    """Mean of the AUC over folds: equal cells of different folds have different probabilities."""
    from xentexp.metrics import roc_auc

    folds = (fold == number for number in range(N_FOLDS))
    return float(
        np.mean([roc_auc(codes[f], proba[f, 1]) for f in folds if len(np.unique(codes[f])) == 2])
    )


def _screened(column: pd.Series[Any], codes: Codes, n_classes: int, entropy: float) -> float:
    """Part of the entropy that is explained by bins, with the correction of Miller (1955)."""
    bins = _bins(column)
    n_bins = int(bins.max()) + 1
    counts = np.bincount(bins * n_classes + codes, minlength=n_bins * n_classes)
    table = counts.reshape(n_bins, n_classes)
    known = counts[counts > 0]
    size = table.sum(axis=1)
    share = known / np.repeat(size, (table > 0).sum(axis=1))
    bias = (int((size > 0).sum()) - 1) * (n_classes - 1) / 2
    return 1 + float((known * np.log(share)).sum() - bias) / len(codes) / entropy


def _bins(column: pd.Series[Any]) -> Codes:
    """Bin of each row; missing values are a bin."""
    if not pd.api.types.is_numeric_dtype(column.dtype):
        bins, _ = pd.factorize(column, use_na_sentinel=False)
        return bins
    values = _floats(column)
    known = np.sort(values[~np.isnan(values)])
    edges = known[np.r_[True, known[1:] != known[:-1]]] if len(known) else known
    if not _few(len(edges), len(values)):
        n_bins = max(2, min(MAX_BINS, len(values) // 10))
        edges = np.unique(known[np.linspace(0, len(known) - 1, n_bins + 1)[1:-1].astype(np.intp)])
    # A value such as 0 that is frequent gets a bin of its own.
    bins = np.searchsorted(edges, values, "left") + np.searchsorted(edges, values, "right")
    bins[np.isnan(values)] = 2 * len(edges) + 1
    return bins


def _few(distinct: int, n: int) -> bool:
    """Whether numbers are so few that each can be a category, as codes are."""
    return distinct <= min(MAX_CODES, n // 20)


def _cross_fitted(
    column: pd.Series[Any], codes: Codes, prior: NDArray[np.float64], fold: Codes
) -> NDArray[np.float64]:
    """Class probabilities given one column, estimated on the other folds."""
    from sklearn.tree import DecisionTreeClassifier

    cells, distinct = pd.factorize(column, use_na_sentinel=False, sort=True)
    tree = None
    if pd.api.types.is_numeric_dtype(column.dtype) and not _few(len(distinct), len(codes)):
        # Ranks, because trees round values to float32; missing values have the last one.
        ranks = np.where(column.isna(), np.nan, cells)[:, None]
        tree = DecisionTreeClassifier(
            criterion="entropy", max_leaf_nodes=MAX_BINS, min_samples_leaf=2, random_state=0
        )
    proba = np.empty((len(codes), len(prior)))
    for number in range(N_FOLDS):
        test = fold == number
        if tree is not None:
            cells = tree.fit(ranks[~test], codes[~test]).apply(ranks)
        table = np.zeros((int(cells.max()) + 1, len(prior)))
        np.add.at(table, (cells[~test], codes[~test]), 1.0)
        table += prior  # the class frequencies count as one row
        proba[test] = (table / table.sum(axis=1, keepdims=True))[cells[test]]
    return proba


def _codes(y: pd.Series[Any]) -> tuple[Codes, int]:
    codes, labels = pd.factorize(y)
    return codes, len(labels)


# -- identifiers and constants ----------------------------------------------------------------


def _identifiers(names: Sequence[str]) -> Iterator[Finding]:
    if names:
        message = (
            f"{_columns(names)} {'identifies' if len(names) == 1 else 'identify'} the rows: "
            f"(almost) every row has another value, so that models can memorize rows by it"
        )
        yield _finding("identifiers", names, message)


def _constant(names: Sequence[str]) -> Iterator[Finding]:
    if names:
        have = "has" if len(names) == 1 else "have"
        yield _finding("constant", names, f"{_columns(names)} {have} the same value in every row")


# -- sentences --------------------------------------------------------------------------------


def _finding(check: str, names: Sequence[str], message: str) -> Finding:
    return Finding(check, tuple(names), message, _remedy(check, names, f"set {as_typed(names)}"))


def _remedy(check: str, names: Sequence[str], leave_out: str = "") -> str:
    leave_out = leave_out or f"leave {'it' if len(names) == 1 else 'them'} out"
    return (
        f"if it is known only after the outcome, {leave_out}"
        if check == "known_target"
        else leave_out
    )


def _columns(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f"the column{'s' * (len(names) > 1)} {', '.join(map(repr, names[:SHOWN]))}{more}"


_PLAIN = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_WORDS_OF_HYDRA = {"null", "true", "false", "nan", "inf"}


def as_typed(names: Sequence[str], key: str = "drop") -> str:
    """The key `dataset.drop`, or another one, with columns, as typed on the command line."""
    plain = all(_PLAIN.fullmatch(n) and n.lower() not in _WORDS_OF_HYDRA for n in names)
    if plain:
        return f"dataset.{key}=[{','.join(names)}]"
    quoted = ",".join("'" + n.replace("\\", "\\\\").replace("'", "\\'") + "'" for n in names)
    return '"' + re.sub(r'([\\"$`])', r"\\\1", f"dataset.{key}=[{quoted}]") + '"'
