"""Shared fixtures; doctests use ellipses for the digits that do not matter."""

import pytest

from xentexp.losses import LOSSES, Loss


@pytest.fixture(params=LOSSES.values(), ids=LOSSES.keys())
def loss(request: pytest.FixtureRequest) -> Loss:
    """Each loss of the one table, with its default parameters."""
    return request.param
