"""Digest of the content of a data set."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd


def content_digest(X: pd.DataFrame, y: pd.Series[Any]) -> str:
    """Digest of column names, cells and target.

    It is a SHA-256 over canonical little-endian bytes, so it is the same in every process and for
    every version of pandas. It depends on column names, their order, the order of the rows and
    every cell. It does not depend on the width of a number type or on the index.

    Parameters
    ----------
    X : pandas.DataFrame
        Features, with the dtypes that ``make_dataset`` returns.
    y : pandas.Series
        Target, one value for each row. Its name is part of the digest.

    Returns
    -------
    str
        32 hexadecimal digits.

    Examples
    --------
    >>> import pandas as pd
    >>> from xentexp.experiments.datasets import content_digest
    >>> content_digest(pd.DataFrame({"a": [1, 2]}), pd.Series([0, 1]))
    'a9f7a2d34e38aa02e9f406a6c15903b2'
    """
    digest = hashlib.sha256()

    def feed(kind: str, payload: bytes) -> None:
        # With the length, ("ab", "c") and ("a", "bc") give different bytes.
        digest.update(f"{kind}:{len(payload)}:".encode())
        digest.update(payload)

    for name, column in X.items():
        feed("name", json.dumps(str(name)).encode())
        feed(*_canonical(column))
    feed("target", json.dumps(None if y.name is None else str(y.name)).encode())
    feed(*_canonical(y))
    return digest.hexdigest()[:32]


def _canonical(column: pd.Series[Any]) -> tuple[str, bytes]:
    """Kind and bytes of one column, whatever its storage in pandas."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biu":
        return "integer", column.to_numpy().astype("<i8").tobytes()
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        cells = column.to_numpy().astype("<f8") + 0.0  # -0.0 becomes 0.0
        cells[np.isnan(cells)] = np.nan  # a single bit pattern for NaN
        return "float", cells.tobytes()
    codes, labels = pd.factorize(column)
    # JSON distinguishes 1 from "1", and is ASCII, so that sorting does not depend on the version of
    # Unicode.
    texts = np.array([json.dumps(label, default=str) for label in labels.tolist()], dtype=object)
    order = np.argsort(texts)
    rank = np.append(np.argsort(order), -1)  # code -1, a missing cell, stays -1
    return "category", json.dumps(texts[order].tolist()).encode() + rank[codes].astype(
        "<i4"
    ).tobytes()
