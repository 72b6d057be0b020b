"""Checks and normal form that every data set goes through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas.api import types

from xentexp._digest import content_digest
from xentexp.errors import InputError
from xentexp.experiments.datasets._base import Card, Dataset, TestSet


def make_dataset(
    X: pd.DataFrame | NDArray[Any],
    y: pd.Series[Any] | ArrayLike,
    card: Card,
    *,
    groups: pd.Series[int] | None = None,
    true_proba: NDArray[np.float64] | None = None,
    test: TestSet | None = None,
) -> Dataset:
    """Check a table and bring it into the form that ``Dataset`` promises.

    Text becomes ``category`` (so that numbers and categories can be told apart by dtype),
    truth values become ``int8``, other numbers ``int64`` or ``float64``; a target of whole
    floats becomes integers. The index is replaced by 0, 1, 2, ...; what is missing in ``X``
    stays missing.

    Parameters
    ----------
    X : pandas.DataFrame or ndarray of shape (n_rows, n_columns)
        Features; the columns of an array are named x0, x1, ...
    y : pandas.Series or array-like of shape (n_rows,)
        Target, one per row of ``X``.
    card : Card
        Facts; its name leads every complaint.
    groups : pandas.Series, optional
        Integer id of the person of each row.
    true_proba : ndarray of shape (n_rows, n_classes), optional
        True conditional probabilities, columns in the order of the sorted labels.
    test : TestSet, optional
        Rows to predict; brought to the columns and categories of ``X``.

    Returns
    -------
    Dataset
        With its digest.

    Raises
    ------
    InputError
        If lengths differ, there is no row or no column, a column name occurs twice, a feature
        is infinite or neither number nor text, or the target misses values, has fewer than
        two classes or looks like that of a regression.

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
        raise InputError(f"card must be a Card, e.g. Card('loans'); got {card!r}")
    where = card.name
    if isinstance(X, np.ndarray) and X.ndim == 2:
        X = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    if not isinstance(X, pd.DataFrame):
        raise InputError(
            f"{where}: X must be a DataFrame or a two-dimensional array; got {type(X).__name__}"
        )
    if not isinstance(y, pd.Series):
        y = pd.Series(np.asarray(y))
    lengths = {"X": len(X), "y": len(y)}
    if groups is not None:
        lengths["groups"] = len(groups)
    if true_proba is not None:
        lengths["true_proba"] = len(true_proba)
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{part} {length}" for part, length in lengths.items())
        raise InputError(f"{where}: the parts differ in length ({said}); give one row each.")
    if len(X) == 0:
        raise InputError(f"{where}: the table has no rows; give at least one row per class.")
    features = feature_frame(X, where)
    target = _target(y.reset_index(drop=True), where)
    classes = tuple(sorted(target.unique().tolist()))
    if len(classes) < 2:
        raise InputError(
            f"{where}: the target has the single class {classes[0]!r}; "
            "a classifier needs rows of at least 2 classes."
        )
    if card.ordered and any(isinstance(label, str) for label in classes):
        raise InputError(
            f"{where}: ordered classes must be numbers, whose order is known; got "
            f"{classes[0]!r}; number the grades, or leave out ordered."
        )
    if true_proba is not None and true_proba.shape != (len(X), len(classes)):
        raise InputError(
            f"{where}: true_proba has the shape {true_proba.shape} for {len(classes)} classes "
            f"among {len(X)} rows; draw more rows, so that every class occurs."
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
        card=card,
        digest=content_digest(features, target),
        groups=None if groups is None else groups.reset_index(drop=True),
        true_proba=true_proba,
        test=test,
    )


def feature_frame(X: pd.DataFrame, where: str) -> pd.DataFrame:
    """Bring a table of features into normal form."""
    names = [str(name) for name in X.columns]
    if not names:
        raise InputError(f"{where}: there are no feature columns; give at least 1.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{where}: column names occur twice: {', '.join(map(repr, twice))}; rename them."
        )
    columns = (X.iloc[:, i].reset_index(drop=True) for i in range(len(names)))
    return pd.DataFrame(
        {name: _feature(column, name, where) for name, column in zip(names, columns, strict=True)}
    )


def aligned(X: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Give new rows the columns, number types and category codes of known ones."""

    def one(new: pd.Series[Any], known: pd.Series[Any]) -> pd.Series[Any]:
        if isinstance(known.dtype, pd.CategoricalDtype):
            seen = known.cat.categories.tolist()
            unseen = [c for c in new.dropna().unique().tolist() if c not in set(seen)]
            return new.astype(object).astype(pd.CategoricalDtype([*seen, *sorted(unseen, key=str)]))
        return new if new.isna().any() else new.astype(known.dtype)

    return pd.DataFrame({str(name): one(X[name], like[name]) for name in like.columns})


def _feature(column: pd.Series[Any], name: str, where: str) -> pd.Series[Any]:
    """One feature in normal form."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _tidy_categories(column)
    if types.is_object_dtype(column.dtype) or isinstance(column.dtype, pd.StringDtype):
        kind = types.infer_dtype(column, skipna=True)
    else:
        kind = _dtype_kind(column.dtype)
    if kind == "string":
        return _tidy_categories(column.astype("category"))
    if kind not in _NUMBERS:
        raise InputError(
            f"{where}: the column {name!r} is of the kind {kind}; "
            "turn it into numbers or text, or drop it."
        )
    whole = kind in ("boolean", "integer") and not column.isna().any()
    if whole and kind == "integer" and not _fits(column):
        whole = False  # as floats: beyond the range of int64
    if whole:
        numbers = column.astype("int8" if kind == "boolean" else "int64")
        return pd.Series(numbers.to_numpy(), name=name)
    floats = column.astype(object).where(column.notna(), np.nan).to_numpy().astype("float64")
    if np.isinf(floats).any():
        raise InputError(
            f"{where}: the column {name!r} has {int(np.isinf(floats).sum())} infinite values; "
            "make them finite or missing."
        )
    return pd.Series(floats, name=name)


# What pandas.api.types.infer_dtype and _dtype_kind call the kinds that become numbers; a
# column with no value at all is "empty".
_NUMBERS = {"boolean", "integer", "floating", "mixed-integer-float", "decimal", "empty"}


def _fits(column: pd.Series[Any]) -> bool:
    """Whether int64 holds every whole number of a column."""
    limits = np.iinfo(np.int64)
    numbers = column.astype(object)
    return bool(limits.min <= numbers.min() and numbers.max() <= limits.max)


def _dtype_kind(dtype: Any) -> str:
    """Name of a dtype's kind, in the words of ``infer_dtype``."""
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
    """Leave the categories that occur, sorted unless their order has a meaning."""
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
    """Target as int64, float64 or object (text), without missing values."""
    missing = y.isna().to_numpy()
    if missing.any():
        raise InputError(
            f"{where}: the target misses {int(missing.sum())} of {len(y)} values, first in row "
            f"{int(missing.argmax())} (counted from 0); fill them in or drop those rows."
        )
    kind = types.infer_dtype(y.astype(object), skipna=False)
    if kind == "string":
        return y.astype(object)
    if kind not in _NUMBERS:
        raise InputError(
            f"{where}: the target is of the kind {kind}; make it whole numbers or text."
        )
    if kind in ("boolean", "integer"):
        if not _fits(y):
            raise InputError(
                f"{where}: the target has numbers beyond the range of int64; make them text."
            )
        return y.astype("int64")
    floats = y.astype(object).astype("float64")
    if np.isinf(floats).any():
        raise InputError(f"{where}: the target has infinite values; make it a class label.")
    if (floats == floats.round()).all():
        return floats.astype("int64")
    example = floats[floats != floats.round()].iloc[0]
    raise InputError(
        f"{where}: the target has {floats.nunique()} distinct values, {example} among them, and "
        "looks like a regression target; write classes as whole numbers or text."
    )
