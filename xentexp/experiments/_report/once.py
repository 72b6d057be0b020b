"""Results that the page and the pictures share: computed once for a record."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from xentexp.experiments._record import RunRecord

P = ParamSpec("P")
T = TypeVar("T")


def once(
    function: Callable[Concatenate[RunRecord, P], T],
) -> Callable[Concatenate[RunRecord, P], T]:
    """Keep each result in the record; all other arguments are positional and hashable."""

    @wraps(function)
    def kept(record: RunRecord, /, *args: P.args, **kwargs: P.kwargs) -> T:
        key = (function, *args)
        if key not in record.computed:
            record.computed[key] = function(record, *args, **kwargs)
        value: T = record.computed[key]
        return value

    return kept
