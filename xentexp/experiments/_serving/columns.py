"""Columns of the training rows: new rows get their order, dtypes and categories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from xentexp._inputs.labels import plain_text
from xentexp.errors import InputError, printable
from xentexp.experiments.datasets._dates import (
    AmbiguousError,
    days_from_value,
    native_kind,
    time_from_text,
)
from xentexp.experiments.datasets._numbers import is_blank, read_value
from xentexp.experiments.datasets._prepare import aligned, check_names, feature_frame
from xentexp.metrics._stability_bins import quantile_edges

WHERE = "new rows"
OTHER, UNSEEN, MISSING = "other categories", "unseen categories", "missing"
_MOST_BINS = 10
_MOST_CATEGORIES = 20
_ROWS_PER_BIN = 10
"""A bin of fewer training rows would tell something about single ones."""
BOOLEANS = {"true": 1, "false": 0}


class TrainingColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """First step of a stored model: gives new rows the columns that the training rows had."""

    # Numbers may be written as text with a decimal point, dates as text; columns may be in another
    # order. Each value is read for itself, so that the prediction of a row does not depend on the
    # rows that come with it. `columns_` also has the shares of the training rows in coarse bins.
    # `dates` were dates and are days since 1970-01-01 in the training rows. With `dayfirst`,
    # 1/2/2020 is 1 February, without it January 2; if it is None, such dates are refused.

    def __init__(self, dates: Sequence[str] = (), dayfirst: bool | None = None) -> None:
        self.dates = dates
        self.dayfirst = dayfirst

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Remember names, dtypes, categories and the distribution of the columns."""
        del y
        _check_frame(X)
        native = [str(name) for name in X if native_kind(X[name]) == "dates"]
        features = feature_frame(X, WHERE)
        for name in X.columns[X.dtypes == np.int8]:  # booleans in a `Dataset`
            features[str(name)] = X[name].to_numpy()
        self.columns_ = [
            _description(features[name], is_date=name in {*self.dates, *native})
            for name in features
        ]
        self.n_rows_ = len(features)
        self.feature_names_in_ = np.array(list(features), dtype=object)
        self.n_features_in_ = len(self.columns_)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Rows with the columns, order, dtypes and categories of the training rows."""
        check_is_fitted(self)
        _check_frame(X)
        names = [str(name) for name in X.columns]
        if len(set(names)) == len(names):  # else `feature_frame` raises an error
            X = X.set_axis(names, axis=1)
            check_names(X, self.dtypes(), WHERE, rows="rows")
            X = pd.DataFrame(
                {
                    c["name"]: self._read(X[c["name"]].reset_index(drop=True), c)
                    for c in self.columns_
                }
            )
        return aligned(feature_frame(X, WHERE), self.dtypes(), WHERE)

    def dtypes(self) -> dict[str, Any]:
        """Dtype of each column of the training rows."""
        return {column["name"]: _dtype(column) for column in self.columns_}

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Names of the columns."""
        del input_features
        check_is_fitted(self)
        return self.feature_names_in_

    def counts(self, X: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
        """Number of rows in each bin of each column; `X` as `transform` returns it."""
        return {column["name"]: _counts(X[column["name"]], column) for column in self.columns_}

    def _read(self, new: pd.Series[Any], known: dict[str, Any]) -> pd.Series[Any]:
        """Column whose texts are numbers, days or categories, as in the training rows."""
        kind = native_kind(new)
        if known["kind"] == "categories":
            if kind is not None:
                raise _invalid(new, int(new.notna().to_numpy().argmax()), "text")
            return _as_text(new)
        if kind is not None:
            if kind == "dates" and known["kind"] != "dates":
                raise _invalid(new, int(new.notna().to_numpy().argmax()), "numbers")
            return new
        if known["kind"] == "dates":
            return _each(new, self._date, "dates")
        if not _has_text(new):
            return new
        if known["kind"] == "booleans":
            return _each(new, _boolean, "numbers")
        return _each(new, _time if may_be_times(known) else _number, "numbers")

    def _date(self, value: Any) -> float | None:
        return days_from_value(value, dayfirst=self.dayfirst)


def bin_labels(column: dict[str, Any]) -> list[str]:
    """Labels of the bins of an entry of `columns_`."""
    if column["kind"] == "categories":
        return [*map(plain_text, column["bins"]), OTHER, UNSEEN, MISSING]
    edges = [f"{edge:.6g}" for edge in column["bins"]]
    if not edges:
        return ["all", MISSING]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"<= {edges[0]}", *between, f"> {edges[-1]}", MISSING]


def _check_frame(X: object) -> None:
    if not isinstance(X, pd.DataFrame):
        raise InputError(
            f"{WHERE} must be a DataFrame with named columns; got {type(X).__name__}; convert them"
        )


def _description(column: pd.Series[Any], *, is_date: bool) -> dict[str, Any]:
    """Plain description of a column of the training rows, without values of single rows."""
    found: dict[str, Any] = {"name": str(column.name), "dtype": str(column.dtype)}
    if isinstance(column.dtype, pd.CategoricalDtype):
        sizes = column.value_counts(sort=False)
        sizes = sizes[sizes >= _ROWS_PER_BIN].sort_values(ascending=False, kind="stable")
        found |= {
            "kind": "categories",
            "categories": column.cat.categories.tolist(),
            "ordered": bool(column.cat.ordered),
            "bins": sizes.index.tolist()[:_MOST_CATEGORIES],
        }
    else:
        values = column.dropna().to_numpy(dtype=np.float64)
        n_bins = min(_MOST_BINS, max(1, len(values) // _ROWS_PER_BIN))
        edges = quantile_edges(values, np.ones(len(values)), n_bins)
        kind = "booleans" if len(values) and set(values.tolist()) <= {0.0, 1.0} else "numbers"
        found |= {"kind": "dates" if is_date else kind, "bins": edges.tolist()}
    found["shares"] = (_counts(column, found) / len(column)).tolist()
    return found


def _dtype(column: dict[str, Any]) -> Any:
    if column["kind"] != "categories":
        return np.dtype(column["dtype"])
    return pd.CategoricalDtype(column["categories"], column["ordered"])


def _counts(column: pd.Series[Any], known: dict[str, Any]) -> NDArray[np.int64]:
    if known["kind"] != "categories":
        values = column.to_numpy(dtype=np.float64)
        gone = np.isnan(values)
        edges = np.asarray(known["bins"], dtype=np.float64)
        codes = np.where(gone, len(edges) + 1, np.searchsorted(edges, values))
        return np.bincount(codes, minlength=len(edges) + 2)
    place = {category: i for i, category in enumerate(known["bins"])}
    n = len(place)
    seen = set(known["categories"])
    of_code = [place.get(c, n if c in seen else n + 1) for c in column.cat.categories.tolist()]
    return np.bincount(np.array([*of_code, n + 2])[column.cat.codes.to_numpy()], minlength=n + 3)


# --- values of one column


def _has_text(column: pd.Series[Any]) -> bool:
    dtype = column.dtype
    if types.is_numeric_dtype(dtype) or types.is_bool_dtype(dtype):
        return False
    return any(isinstance(value, str) for value in column.astype(object))


def may_be_times(known: dict[str, Any]) -> bool:
    """Whether the numbers of a column may be times of day, as fractions of a day."""
    return bool(known["bins"]) and all(0.0 <= edge < 1.0 for edge in known["bins"])


def _number(value: Any) -> Any:
    return read_value(value) if isinstance(value, str) else value


def _time(value: Any) -> Any:
    found = _number(value)
    return time_from_text(value) if found is None else found


def _boolean(value: Any) -> Any:
    if isinstance(value, str) and value.strip().lower() in BOOLEANS:
        return BOOLEANS[value.strip().lower()]
    return _number(value)


def _each(column: pd.Series[Any], read: Callable[[Any], Any], what: str) -> pd.Series[Any]:
    """Column of numbers; an InputError for the first value that `read` returns None for."""
    codes, values = _distinct(column)
    read_values: list[Any] = []
    for place, value in enumerate(values.tolist()):
        if isinstance(value, str) and is_blank(value):
            read_values.append(np.nan)
            continue
        reason = ""
        try:
            number = read(int(value) if isinstance(value, (bool, np.bool_)) else value)
        except AmbiguousError:
            number, reason = None, ", where the day or the month may come first"
        except (TypeError, ValueError, OverflowError):  # e.g. a list, or an infinite date
            number = None
        if number is None:
            raise _invalid(column, int((codes == place).argmax()), what, reason)
        read_values.append(number)
    cells = np.array([*read_values, np.nan], dtype=object)[codes]
    return pd.Series(cells, index=column.index, name=column.name)


def _distinct(column: pd.Series[Any]) -> tuple[NDArray[np.intp], NDArray[np.object_]]:
    """Place of the value of each row among the distinct values, which must not be lists."""
    try:
        codes, values = pd.factorize(column.astype(object))
    except TypeError:
        row = next(i for i, value in enumerate(column) if not types.is_hashable(value))
        raise _invalid(column, row, "single values") from None
    return codes, np.asarray(values, dtype=object)


def _invalid(column: pd.Series[Any], row: int, what: str, reason: str = "") -> InputError:
    if not reason and what == "numbers":
        reason = "; write numbers with a decimal point and without a comma"
    return InputError(
        f"{WHERE}: the column {column.name!r} must contain {what}, as in the training rows; got "
        f"{printable(repr(column.iloc[row]), 60)} in row {row} (counted from 0){reason}"
    )


def _as_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Column whose values are all text if one is; numbers as in a file."""
    # Integers with missing values would become floats, which are not exact.
    exact = types.is_extension_array_dtype(column.dtype) and types.is_integer_dtype(column.dtype)
    if isinstance(column.dtype, pd.CategoricalDtype) or not (exact or _has_text(column)):
        return column
    codes, values = _distinct(column)
    return pd.Series(
        np.array([*map(plain_text, values.tolist()), None], dtype=object)[codes],
        index=column.index,
        name=column.name,
    )
