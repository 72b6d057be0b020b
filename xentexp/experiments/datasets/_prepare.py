"""Check tables and convert them to the form of `Dataset`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas.api import types

from xentexp._digest import content_digest
from xentexp.errors import InputError
from xentexp.experiments.datasets._base import Card, Dataset, TestSet
from xentexp.experiments.datasets._dates import days_from_native, days_note, native_kind


def make_dataset(
    X: pd.DataFrame | NDArray[Any],
    y: pd.Series[Any] | ArrayLike,
    card: Card,
    *,
    groups: pd.Series[int] | None = None,
    true_proba: NDArray[np.float64] | None = None,
    test: TestSet | None = None,
) -> Dataset:
    """Make a data set from features and labels in memory.

    The table is checked and its columns are converted: text to ``category`` (so that the dtype
    separates numbers and categories), booleans to ``int8``, other numbers to ``int64`` or
    ``float64``. Dates and timestamps become days since 1970-01-01 (UTC), durations days and times
    of day fractions of a day; ``card.notes`` of the data set names these columns. Labels that are
    whole floats become integers. The index is replaced by 0, 1, 2, ... Missing values in `X` stay
    missing.

    Parameters
    ----------
    X : pandas.DataFrame or ndarray of shape (n_rows, n_columns)
        Features: numbers, booleans, text, dates or times. The columns of an array are named x0,
        x1, ...
    y : pandas.Series or array-like of shape (n_rows,)
        Label of each row: integers or text, at least two classes, no missing values.
    card : Card
        Name and facts of the data set. ``Card("loans")`` is enough; error messages start with
        the name.
    groups : pandas.Series of shape (n_rows,), default=None
        Group of each row as an integer. Rows of a group, such as a person, stay in one fold with
        ``CrossValidation("grouped")``.
    true_proba : ndarray of shape (n_rows, n_classes), default=None
        True class probabilities, if they are known, with columns in the order of the sorted
        labels. Results then include the regret.
    test : TestSet, default=None
        Rows without labels. They get the column order and the categories of `X`.

    Returns
    -------
    Dataset
        Checked data set, with the digest of its content.

    Raises
    ------
    InputError
        If `card` is not a Card; lengths differ; there are no rows or columns; column names are
        repeated; a feature is infinite or neither numeric, text nor a date; or `y` has missing
        values, fewer than two classes or values that are not class labels.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments import Card, make_dataset
    >>> X = pd.DataFrame({"income": [10.0, 20.0, 15.0], "job": ["cook", "clerk", None]})
    >>> data = make_dataset(X, pd.Series(["good", "bad", "good"]), Card("loans"))
    >>> data.classes, data.X.dtypes.astype(str).tolist()
    (('bad', 'good'), ['float64', 'category'])
    """
    if not isinstance(card, Card):
        raise InputError(f"card must be a Card; got {card!r}; pass e.g. Card('loans')")
    where = card.name
    if isinstance(X, np.ndarray) and X.ndim == 2:
        X = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    if not isinstance(X, pd.DataFrame):
        raise InputError(
            f"{where}: X must be a DataFrame or a two-dimensional array; got {type(X).__name__}"
        )
    for name, value in (("y", y), ("groups", groups)):
        if isinstance(value, str):
            kind = "labels" if name == "y" else "integers"
            raise InputError(
                f"{where}: {name} must be a Series or array of {kind}; got the text {value!r}; "
                f"pass a column, e.g. X[{value!r}]"
            )
    if not isinstance(y, pd.Series):
        y = pd.Series(np.asarray(y))
    lengths = {"X": len(X), "y": len(y)}
    if groups is not None:
        lengths["groups"] = len(groups)
    if true_proba is not None:
        lengths["true_proba"] = len(true_proba)
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{part} {length}" for part, length in lengths.items())
        raise InputError(f"{where}: {', '.join(lengths)} must have the same length; got {listed}")
    if len(X) == 0:
        raise InputError(f"{where}: X must have at least one row per class; got an empty table")
    notes = _time_notes(X)
    features = feature_frame(X, where)
    target = _target(y.reset_index(drop=True), where)
    classes = tuple(sorted(target.unique().tolist()))
    if len(classes) < 2:
        raise InputError(
            f"{where}: the target must have at least two classes; got only {classes[0]!r}"
        )
    if card.ordered and any(isinstance(label, str) for label in classes):
        raise InputError(
            f"{where}: ordered classes must be numbers; got {classes[0]!r}; replace the labels by "
            f"numbers in their order, or leave out ordered"
        )
    if true_proba is not None and true_proba.shape != (len(X), len(classes)):
        raise InputError(
            f"{where}: true_proba must have shape {(len(X), len(classes))}, one column for each "
            f"class in y; got {true_proba.shape}; use more rows if a class does not occur"
        )
    if test is not None:
        rows = aligned(feature_frame(test.X, f"{where} (test)"), features)
        index = test.index.reset_index(drop=True)
        test = TestSet(rows, index, test.index_name, test.columns)
    return Dataset(
        name=card.name,
        X=features,
        y=target,
        classes=classes,
        card=dataclasses.replace(card, notes=(*card.notes, *notes)) if notes else card,
        digest=content_digest(features, target),
        groups=None if groups is None else groups.reset_index(drop=True),
        true_proba=true_proba,
        test=test,
    )


def feature_frame(X: pd.DataFrame, where: str) -> pd.DataFrame:
    """Check features and convert their dtypes to int8, int64, float64 or category."""
    names = [str(name) for name in X.columns]
    if not names:
        raise InputError(f"{where}: X must have at least one column; got none")
    duplicates = sorted(name for name, number in Counter(names).items() if number > 1)
    if duplicates:
        raise InputError(
            f"{where}: column names must be unique; duplicates: "
            f"{', '.join(map(repr, duplicates[:10]))}; rename them"
        )
    # Without an index, pandas does not align the columns.
    columns = [_feature(column, str(name), where) for name, column in X.items()]
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


def _time_notes(X: pd.DataFrame) -> list[str]:
    """Notes on the columns of dates and times."""
    kinds: dict[str, list[str]] = {}
    for name, column in X.items():
        kind = native_kind(column)
        if kind is not None:
            kinds.setdefault(kind, []).append(str(name))
    return [days_note(kind, names) for kind, names in kinds.items()]


def aligned(X: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Give new rows the column order, numeric dtypes and category codes of known rows."""

    def convert(new: pd.Series[Any], known: pd.Series[Any]) -> pd.Series[Any]:
        # Unseen categories come last, so that the codes of known categories are equal in both.
        if isinstance(known.dtype, pd.CategoricalDtype):
            seen = known.cat.categories.tolist()
            unseen = [c for c in new.dropna().unique().tolist() if c not in set(seen)]
            return new.astype(object).astype(pd.CategoricalDtype([*seen, *sorted(unseen, key=str)]))
        return new if new.isna().any() else new.astype(known.dtype)

    return pd.DataFrame({str(name): convert(X[name], like[name]) for name in like.columns})


def _feature(column: pd.Series[Any], name: str, where: str) -> Any:
    """Values of one feature: an array of numbers, or categories."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _tidy_categories(column).array
    if types.is_object_dtype(column.dtype) or isinstance(column.dtype, pd.StringDtype):
        kind = types.infer_dtype(column, skipna=True)
    else:
        kind = _dtype_kind(column.dtype)
    if kind == "string":
        return _tidy_categories(column.astype("category")).array
    if kind not in _NUMBERS:
        days = days_from_native(column)
        if days is not None:
            return days.to_numpy()
        raise InputError(
            f"{where}: the column {name!r} must contain numbers, text or dates; got {kind}; "
            f"convert or drop it"
        )
    whole = kind in ("boolean", "integer") and not column.isna().any()
    if whole and kind == "integer" and not _fits(column):
        whole = False  # outside the range of int64
    if whole:
        return column.astype("int8" if kind == "boolean" else "int64").to_numpy()
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        floats = column.to_numpy(dtype="float64", copy=True)
    else:
        floats = column.astype(object).where(column.notna(), np.nan).to_numpy().astype("float64")
    if np.isinf(floats).any():
        raise InputError(
            f"{where}: the column {name!r} must be finite or missing; it has "
            f"{int(np.isinf(floats).sum())} infinite values"
        )
    return floats


# Kinds of `infer_dtype` of pandas and `_dtype_kind` that become numbers; "empty" means that a
# column has no values.
_NUMBERS = {"boolean", "integer", "floating", "mixed-integer-float", "decimal", "empty"}


def _fits(column: pd.Series[Any]) -> bool:
    """Whether all integers of a column are in the range of int64."""
    limits = np.iinfo(np.int64)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        return bool(column.max() <= limits.max)  # not converted to Python integers, which is slow
    numbers = column.astype(object)
    return bool(limits.min <= numbers.min() and numbers.max() <= limits.max)


def _dtype_kind(dtype: Any) -> str:
    """Kind of a dtype, with the names of ``infer_dtype``."""
    if types.is_bool_dtype(dtype):
        return "boolean"
    if types.is_integer_dtype(dtype):
        return "integer"
    if types.is_float_dtype(dtype):
        return "floating"
    if types.is_string_dtype(dtype):
        return "string"
    return str(dtype)


def _tidy_categories(column: pd.Series[Any]) -> pd.Series[Any]:
    """Remove unused categories; sort the others unless they are ordered."""
    used = column.cat.remove_unused_categories()
    if used.cat.ordered:
        return used
    labels = used.cat.categories.tolist()
    try:
        labels = sorted(labels)
    except TypeError:  # numbers among text
        labels = sorted(labels, key=str)
    return used.cat.reorder_categories(labels)


def _target(y: pd.Series[Any], where: str) -> pd.Series[Any]:
    """Check the target and convert it to int64, or object for text."""
    missing = y.isna().to_numpy()
    if missing.any():
        raise InputError(
            f"{where}: the target must not have missing values; got {int(missing.sum())} in "
            f"{len(y)} rows, the first in row {int(missing.argmax())} (counted from 0); fill them "
            f"in or drop these rows"
        )
    kind = types.infer_dtype(y.astype(object), skipna=False)
    if kind == "string":
        return y.astype(object)
    if kind not in _NUMBERS:
        raise InputError(f"{where}: the target must be integers or text; got {kind}")
    if kind in ("boolean", "integer"):
        if not _fits(y):
            raise InputError(
                f"{where}: numbers of the target must be in the range of int64; convert them to "
                f"text"
            )
        return y.astype("int64")
    floats = y.astype(object).astype("float64")
    if np.isinf(floats).any():
        raise InputError(f"{where}: the target must be finite; it has infinite values")
    if (floats == floats.round()).all():
        return floats.astype("int64")
    example = floats[floats != floats.round()].iloc[0]
    raise InputError(
        f"{where}: the target must be class labels, integers or text; got "
        f"{floats.nunique()} distinct values such as {example}, which looks like a regression "
        f"target"
    )
