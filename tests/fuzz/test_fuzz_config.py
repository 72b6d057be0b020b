"""Configurations with random values: a study, or an InputError."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.experiments.config.test_config import SMALL, compose
from tests.fuzz.support import fuzzed, value_or_error
from xentexp.experiments._config.study import Study, build

pytestmark = pytest.mark.slow

GROUPS = ["cv=grouped", "cv=holdout", "cv=repeated", "cv=time_ordered", "cv=stratified"]
VALUES = [
    *[None, True, False, 0, 1, -1, 2, 3, 2**70, 0.5, 1e300, float("nan"), float("inf")],
    *["", "a", "auto", "[b]x[/b]", "\x1b[31m", "../x", "${oc.env:HOME}", "연체여부", "a" * 5000],
    *[[], [0], ["a"], [None], [[]], {}, {"a": 1}, {"_target_": "os.system"}, {"": None}],
    *["brier_loss", "roc_auc", ["brier_loss"], ["roc_auc", "roc_auc"], "prior", ["age"]],
]


def paths(config: Any, start: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all keys of a configuration."""
    if not isinstance(config, dict):
        return []
    own = [(*start, key) for key in config]
    return own + [path for key in config for path in paths(config[key], (*start, key))]


CONFIGS = [compose(*SMALL, group) for group in GROUPS]


@fuzzed(2500)
@given(config=st.sampled_from(CONFIGS), data=st.data())
def test_a_configuration_with_random_values_is_a_study_or_refused(
    config: dict[str, Any], data: st.DataObject
) -> None:
    config = copy.deepcopy(config)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(paths(config)))
        section = config
        for key in path[:-1]:
            section = section[key]
        change = data.draw(st.sampled_from(["set", "set", "set", "remove", "add"]))
        if change == "remove":
            del section[path[-1]]
        elif change == "add":
            section[data.draw(st.sampled_from(["x", "", "name", "n_splits", "seed"]))] = data.draw(
                st.sampled_from(VALUES)
            )
        else:
            section[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
    study = value_or_error(lambda: build(config))
    assert study is None or isinstance(study, Study)
