"""Runs that were interrupted: what is whole, and what is missing."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from xentexp.experiments._tracking.run_status import run_status


def run(name: str, status: str, *, numbers: bool = False, error: str | None = None) -> Any:
    return SimpleNamespace(
        info=SimpleNamespace(run_id=8 * name[:4], run_name=name, status=status, start_time=0),
        data=SimpleNamespace(
            metrics={"cv/brier_loss": 0.5} if numbers else {},
            tags={} if error is None else {"error": error},
            params={},
        ),
    )


def parent(status: str, *models: str) -> Any:
    made = run("parent", status)
    made.data.params["models"] = ",".join(models)
    return made


A, B = run("a", "FINISHED", numbers=True), run("b", "FAILED", error="ValueError: no")


@pytest.mark.parametrize(
    ("made", "children", "whole", "sentence"),
    [
        (parent("FINISHED", "a"), [A], True, "1 of 1 model has a result"),
        (parent("FINISHED", "a", "b"), [A, B], True, "1 of 2 models has a result; failed: b"),
        (parent("FINISHED", "a", "c"), [A], False, "is incomplete; 1 of 2 models"),
        (parent("KILLED", "a", "c"), [A], False, "was interrupted; .*; no result: c"),
        (parent("KILLED", "a"), [], False, "0 of 1 model has a result; no result: a"),
        (parent("RUNNING", "a", "c"), [A], False, "is running since .*killed; .*no result: c"),
        (parent("FAILED", "a"), [A], False, "of .* failed; 1 of 1 model has"),
        (parent("RUNNING"), [], False, "no model has a result"),
        (
            parent("RUNNING", "a", "c"),
            [A, run("c", "RUNNING")],
            False,
            r"stopped while its result was logged \(status RUNNING\): c",
        ),
        (
            parent("RUNNING", "c"),
            [run("c", "RUNNING", numbers=True)],
            False,
            "0 of 1 model has a result; stopped",
        ),
        (
            parent("FINISHED", "x,y", "a"),  # a name with a comma
            [A, run("x,y", "FINISHED", numbers=True)],
            True,
            "2 of 2 models have results",
        ),
    ],
)
def test_a_run_is_whole_if_it_is_finished_and_each_model_has_a_result_or_an_error(
    made: Any, children: list[Any], whole: bool, sentence: str
) -> None:
    status = run_status(made, children)
    assert status.whole is whole
    assert re.search(sentence, status.sentence())
    assert status.to_record()["whole"] is whole
