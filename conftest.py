"""Doctests: those that train with torch need it, and none leaves a loss or metric behind."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

collect_ignore = (
    [] if find_spec("torch") else ["xentexp/estimators/_network.py", "xentexp/objectives/_torch.py"]
)


@pytest.fixture
def restored_tables() -> Iterator[None]:
    """Remove the losses and metrics that a test registers."""
    from xentexp.losses._registry import LOSSES, TAKEN
    from xentexp.metrics._registry import DATASET_METRICS

    tables = (LOSSES, DATASET_METRICS, TAKEN)
    before = [table.copy() for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _examples_register_nothing(request: pytest.FixtureRequest) -> None:
    """Remove the losses and metrics that the example of a docstring registers."""
    if isinstance(request.node, pytest.DoctestItem):
        request.getfixturevalue("restored_tables")
