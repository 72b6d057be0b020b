"""Check rows: numbers, which may be missing or sparse, or a DataFrame with categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse
from sklearn.utils.validation import column_or_1d, validate_data

from xentexp.errors import InputError

Categories = dict[Any, list[Any]]
"""Column name -> categories of the training rows."""

_NUMBERS = [np.float64, np.float32]


def categories_of(X: Any) -> Categories:
    """Categories of each categorical column of a DataFrame; empty for other input."""
    if not isinstance(X, pd.DataFrame):
        return {}
    return {
        name: X[name].cat.categories.tolist()  # plain values, which skops can store
        for name, dtype in X.dtypes.items()
        if isinstance(dtype, pd.CategoricalDtype)
    }


def plain_frame(X: Any, *, keep_zeros: bool = False) -> Any:
    """DataFrame with unique names, dense columns and NaN for pandas.NA; other input as it is."""
    # With `keep_zeros`, columns of floats that leave out zeros stay sparse if all are of this kind:
    # scikit-learn makes a sparse matrix of them, in which XGBoost takes zeros for missing values.
    if not isinstance(X, pd.DataFrame):
        return X
    if not X.columns.is_unique:
        repeated = X.columns[X.columns.duplicated()].unique()
        raise InputError(
            f"X must have unique column names; got {', '.join(map(repr, repeated[:5]))} more than "
            f"once; rename the columns"
        )
    if keep_zeros and all(map(_leaves_out_zeros, X.dtypes)):
        return X
    sparse = {
        name: dtype.subtype for name, dtype in X.dtypes.items() if isinstance(dtype, pd.SparseDtype)
    }
    X = X.astype(sparse) if sparse else X
    objects = [n for n, t in X.dtypes.items() if isinstance(t, np.dtype) and t.kind == "O"]
    if objects:
        X = X.copy()
        for name in objects:
            X[name] = X[name].mask(X[name].isna(), np.nan)
    return X


def _leaves_out_zeros(dtype: object) -> bool:
    return isinstance(dtype, pd.SparseDtype) and dtype.subtype in _NUMBERS and dtype.fill_value == 0


def as_matrix(X: Any) -> Any:
    """Sparse array as a sparse matrix, which LightGBM requires, with int32 indices for CatBoost."""
    if not issparse(X):
        return X
    if not X.has_canonical_format:  # CatBoost refuses an entry that is stored twice
        X = X.copy()
        X.sum_duplicates()
    # SciPy chooses int32 if the indices fit.
    return csr_matrix((X.data, X.indices, X.indptr), shape=X.shape)


def dense_rows(X: Any, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Some rows of an array or of a sparse matrix, as an array."""
    return np.asarray(X[rows].toarray() if issparse(X) else X.take(rows, axis=0))


def training_rows(
    estimator: Any, X: Any, y: Any, categories: Categories
) -> tuple[Any, NDArray[Any]]:
    """Rows and labels, checked as scikit-learn does; a DataFrame if there are categories."""
    if categories:
        X, y = validate_data(estimator, X, y, skip_check_array=True)
        X, y = neutral_frame(X, categories), column_or_1d(y, warn=True)
        if len(X) != len(y):
            raise InputError(
                f"X and y must have the same number of rows; got {len(X)} and {len(y)}"
            )
    else:
        X, y = validate_data(
            estimator,
            X,
            y,
            accept_sparse="csr",
            dtype=_NUMBERS,
            ensure_all_finite="allow-nan",
        )
    return as_matrix(X), np.asarray(y)


def further_rows(estimator: Any, X: Any, categories: Categories) -> Any:
    """Rows to predict, in the form of the training rows; unknown categories become missing."""
    X = plain_frame(X)
    if not categories:
        X = validate_data(
            estimator,
            X,
            accept_sparse="csr",
            dtype=_NUMBERS,
            ensure_all_finite="allow-nan",
            reset=False,
        )
        return as_matrix(X)
    if not isinstance(X, pd.DataFrame):
        raise InputError(
            f"X must be a DataFrame with the columns of the training rows, because they have "
            f"categories; got {type(X).__name__}"
        )
    return neutral_frame(
        validate_data(estimator, X, skip_check_array=True, reset=False), categories
    )


def neutral_frame(X: pd.DataFrame, categories: Categories) -> pd.DataFrame:
    """DataFrame with the training categories, and column names that every booster accepts."""
    columns: dict[str, Any] = {}
    for number, name in enumerate(X.columns):
        column = X[name]
        if name in categories:
            column = column.astype("category").cat.set_categories(categories[name])
        else:
            try:
                column = column.astype(np.float64)
            except (TypeError, ValueError):
                raise InputError(
                    f"X must have columns of numbers or pandas categories; got dtype "
                    f"{column.dtype} in column {name}; convert it, e.g. with astype('category')"
                ) from None
        columns[f"f{number}"] = column
    return pd.DataFrame(columns)
