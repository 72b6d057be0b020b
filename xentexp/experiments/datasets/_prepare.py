"""Check tables and convert them to the form of `Dataset`."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas.api import types

from xentexp._digest import content_digest
from xentexp._inputs.asarray import refuse_collection
from xentexp._inputs.labels import plain_text, show
from xentexp.errors import InputError
from xentexp.experiments.datasets._base import Card, Dataset, Label, TestSet
from xentexp.experiments.datasets._dates import days_from_native, days_note, native_kind


def make_dataset(
    X: pd.DataFrame | NDArray[Any],
    y: pd.Series[Any] | ArrayLike,
    card: Card,
    *,
    groups: pd.Series[int] | None = None,
    true_proba: NDArray[np.float64] | None = None,
    test: TestSet | None = None,
    sample_weight: pd.Series[float] | ArrayLike | None = None,
    cost: ArrayLike | None = None,
    amount: pd.Series[float] | ArrayLike | None = None,
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
        Rows that are not trained on, with or without labels: ``TestSet(X_test, y=y_test)``. They
        get the column order and the categories of `X`.
    sample_weight : pandas.Series or array-like of shape (n_rows,), default=None
        Weight of each row, at least 0, for every fit, loss and metric. None: all rows count the
        same. A labelled test set then needs weights too.
    cost : array-like of shape (n_classes, n_classes), default=None
        Cost of each true class (rows) and decision (columns), in the order of the sorted labels:
        at least 0, e.g. ``[[0, 1], [5, 0]]`` if a missed event costs 5 times a false alarm. The
        report then shows what decisions cost.
    amount : pandas.Series or array-like of shape (n_rows,), default=None
        Amount of each row, at least 0, that multiplies its costs.

    Returns
    -------
    Dataset
        Checked data set, with the digest of its content.

    Raises
    ------
    InputError
        If `card` is not a Card; lengths differ; there are no rows or columns; column names are
        repeated; a feature is infinite or neither numeric, text nor a date; `y` has missing
        values, fewer than two classes or values that are not class labels; weights are negative,
        missing or all 0; costs or amounts are; or `test` has other columns or other labels than
        the training rows.

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
    for name, value in (
        ("y", y),
        ("groups", groups),
        ("sample_weight", sample_weight),
        ("amount", amount),
    ):
        refuse_collection(value, f"{where}: {name}")
        if isinstance(value, str):
            kind = {"y": "labels", "groups": "integers"}.get(name, "numbers")
            raise InputError(
                f"{where}: {name} must be a Series or array of {kind}; got the text {value!r}; "
                f"pass a column, e.g. X[{value!r}]"
            )
    if groups is not None and not isinstance(groups, pd.Series):
        groups = pd.Series(np.asarray(groups))
    if not isinstance(y, pd.Series):
        y = pd.Series(np.asarray(y))
    lengths = {"X": len(X), "y": len(y)}
    if groups is not None:
        lengths["groups"] = len(groups)
    if true_proba is not None:
        lengths["true_proba"] = len(true_proba)
    if sample_weight is not None:
        lengths["sample_weight"] = _length(sample_weight)
    if amount is not None:
        lengths["amount"] = _length(amount)
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
    weight = None if sample_weight is None else row_weights(sample_weight, f"{where}: weights")
    if test is not None:
        test = _test_set(test, features, classes, weight is not None, where)
    return Dataset(
        name=card.name,
        X=features,
        y=target,
        classes=classes,
        card=dataclasses.replace(card, notes=(*card.notes, *notes)) if notes else card,
        digest=_digest(features, target, weight, test),
        groups=None if groups is None else groups.reset_index(drop=True),
        true_proba=true_proba,
        test=test,
        sample_weight=weight,
        dates=tuple(str(name) for name in X if native_kind(X[name]) == "dates"),
        cost=None if cost is None else cost_matrix(cost, len(classes), f"{where}: cost"),
        amount=None if amount is None else row_weights(amount, f"{where}: amounts", "amount"),
    )


def cost_matrix(cost: Any, n_classes: int, what: str) -> tuple[tuple[float, ...], ...]:
    """Cost matrix as nested tuples; an InputError that starts with `what`."""
    from xentexp.inference._cost import check_cost_matrix

    try:
        return tuple(map(tuple, check_cost_matrix(cost, n_classes).tolist()))
    except InputError as error:
        raise InputError(str(error).replace("matrix", what, 1)) from None


def _length(values: Any) -> int:
    return len(values) if hasattr(values, "__len__") else 1


def row_weights(values: Any, what: str, noun: str = "weight") -> NDArray[np.float64]:
    """Weights as floats; an InputError that names the first row whose weight is not valid."""
    if np.ndim(values) != 1:
        raise InputError(
            f"{what} must be one number for each row; got {np.ndim(values)} dimensions"
        )
    column = pd.Series(values).reset_index(drop=True)
    if column.name is not None:
        what = f"{what} ({column.name})"
    numbers = pd.to_numeric(column, errors="coerce").astype(object)
    weight = numbers.where(numbers.notna(), np.nan).to_numpy().astype(np.float64)
    invalid = ~(np.isfinite(weight) & (weight >= 0.0))
    if invalid.any():
        row = int(invalid.argmax())
        value: Any = column.tolist()[row]
        got: str = "a missing value" if pd.isna(value) else repr(value)
        raise InputError(
            f"{what} must be finite numbers >= 0; got {got} in row {row} (counted from 0); correct "
            f"the {noun} or drop the row"
        )
    if not weight.any():
        raise InputError(
            f"{what} must be positive for at least one row; got only zeros; correct them, or leave "
            f"them out"
        )
    return weight


def _test_set(
    test: TestSet,
    features: pd.DataFrame,
    classes: tuple[Label, ...],
    weighted: bool,
    where: str,
) -> TestSet:
    """Test rows in the form of the training rows."""
    if not isinstance(test, TestSet):
        raise InputError(
            f"{where}: test must be a TestSet; got {type(test).__name__}; pass "
            f"TestSet(X_test, y=y_test)"
        )
    where = f"{where} (test)"
    X = test.X
    if isinstance(X, np.ndarray) and X.ndim == 2:
        X = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    if len(X) == 0:
        raise InputError(f"{where}: X must have at least one row; got an empty table")
    index = pd.Series(np.arange(len(X))) if test.index is None else test.index
    parts = {"index": index, "y": test.y, "sample_weight": test.sample_weight}
    for name, values in parts.items():
        if values is not None and _length(values) != len(X):
            raise InputError(
                f"{where}: X, {name} must have the same length; got X {len(X)}, {name} "
                f"{_length(values)}"
            )
    target = weight = None
    if test.y is not None:
        target = _test_target(pd.Series(test.y).reset_index(drop=True), classes, where)
        if weighted and test.sample_weight is None:
            raise InputError(
                f"{where}: labelled test rows must have weights, as the training rows; got none"
            )
    if test.sample_weight is not None:
        if target is None or not weighted:
            needed = "the training rows" if target is not None else "the test rows"
            given = "weights" if target is not None else "labels"
            raise InputError(
                f"{where}: weights of test rows need {given} of {needed}; got none; leave out the "
                f"weights of the test rows"
            )
        weight = row_weights(test.sample_weight, f"{where}: weights")
    return TestSet(
        aligned(feature_frame(X, where), dict(features.dtypes), where),
        index.reset_index(drop=True),
        test.index_name,
        test.columns or tuple(map(str, classes)),
        target,
        weight,
    )


def _test_target(y: pd.Series[Any], classes: tuple[Label, ...], where: str) -> pd.Series[Any]:
    """Labels of the test rows as the training rows have them."""
    target = _target(y, where)
    known = {plain_text(label): label for label in classes}
    names = target.map(plain_text)
    unseen = ~names.isin(list(known))
    if unseen.any():
        row = int(unseen.to_numpy().argmax())
        raise InputError(
            f"{where}: labels must be among those of the training rows, {show(classes)}; got "
            f"{target.tolist()[row]!r} in row {row} (counted from 0); correct the label or drop "
            f"the row"
        )
    return names.map(known).astype(object if isinstance(classes[0], str) else "int64")


def _digest(X: pd.DataFrame, y: pd.Series[Any], weight: Any, test: TestSet | None) -> str:
    """Digest of everything that the values of a run depend on."""
    parts = [content_digest(X, y)]
    if weight is not None:
        parts.append(content_digest(pd.DataFrame({"weight": weight}), y))
    if test is not None and test.y is not None:
        parts.append(_digest(test.X, test.y, test.sample_weight, None))
    if len(parts) == 1:
        return parts[0]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:32]


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
    # Without an index, pandas does not align the columns. It copies arrays of numbers.
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


def aligned(X: pd.DataFrame, known: Mapping[str, Any], where: str) -> pd.DataFrame:
    """Give new rows the columns, order, dtypes and categories of training rows."""
    # `known`: dtype of each column of the training rows.
    check_names(X, known, where)
    return pd.DataFrame({name: _like(X[name], dtype, where) for name, dtype in known.items()})


def check_names(
    X: pd.DataFrame, known: Mapping[str, Any], where: str, *, rows: str = "test rows"
) -> None:
    """Raise an InputError unless the rows have exactly the known columns, in any order."""
    missing = [name for name in known if name not in X]
    extra = [name for name in X if name not in known]
    if missing or extra:
        found = [
            f"{words}: {', '.join(map(repr, names[:10]))}{', ...' if len(names) > 10 else ''}"
            for words, names in (("missing", missing), ("not in the training rows", extra))
            if names
        ]
        raise InputError(
            f"{where}: {rows} must have the feature columns of the training rows; "
            f"{'; '.join(found)}; add or drop these columns"
        )


def _like(new: pd.Series[Any], known: Any, where: str) -> pd.Series[Any]:
    """One column of new rows, as the training rows have it; `known`: their dtype."""
    is_text = isinstance(new.dtype, pd.CategoricalDtype)
    if isinstance(known, pd.CategoricalDtype):
        seen = known.categories.tolist()
        if not is_text and all(isinstance(category, str) for category in seen):
            # A file whose texts are all digits is read as numbers.
            new = new.astype(object).where(new.notna(), None).map(plain_text, na_action="ignore")
        elif is_text and new.dtype != known:
            # Categories that are numbers are written as text in some files.
            by_text = {plain_text(c): c for c in seen if not isinstance(c, str)}
            new = new.astype(object).map(
                lambda c: by_text.get(c, c) if isinstance(c, str) else c, na_action="ignore"
            )
        # Unseen categories come last, so that the codes of known categories are equal in both.
        unseen = [c for c in new.dropna().unique().tolist() if c not in set(seen)]
        categories = [*seen, *sorted(unseen, key=str)]
        return new.astype(object).astype(pd.CategoricalDtype(categories, known.ordered))
    if is_text:
        texts = new.astype(object)
        numbers = pd.to_numeric(texts, errors="coerce")
        invalid = texts.notna() & numbers.isna()
        if invalid.any():
            row = int(invalid.to_numpy().argmax())
            raise InputError(
                f"{where}: the column {new.name!r} must contain numbers, as in the training rows; "
                f"got {new.tolist()[row]!r} in row {row} (counted from 0)"
            )
        new = numbers.astype("float64")  # categories that are numbers, or no values at all
    if new.isna().any():
        return new
    cast = new.astype(known)
    return cast if (cast == new).all() else new  # e.g. 1.5 where the training rows have integers


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
        floats = column.to_numpy(dtype="float64")
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
