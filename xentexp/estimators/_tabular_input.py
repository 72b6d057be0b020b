"""Check rows for boosters: numbers, which may be missing, or a DataFrame with categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d, validate_data

from xentexp.errors import InputError

Categories = dict[Any, pd.Index]
"""Column name -> categories of the training rows."""

_NUMBERS = [np.float64, np.float32]


def categories_of(X: Any) -> Categories:
    """Categories of each categorical column of a DataFrame; empty for other input."""
    if not isinstance(X, pd.DataFrame):
        return {}
    return {
        name: X[name].cat.categories for name in X if isinstance(X[name].dtype, pd.CategoricalDtype)
    }


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
        X, y = validate_data(estimator, X, y, dtype=_NUMBERS, ensure_all_finite="allow-nan")
    return X, np.asarray(y)


def further_rows(estimator: Any, X: Any, categories: Categories) -> Any:
    """Rows to predict, in the form of the training rows; unknown categories become missing."""
    if not categories:
        return validate_data(
            estimator, X, dtype=_NUMBERS, ensure_all_finite="allow-nan", reset=False
        )
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
