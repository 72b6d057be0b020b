"""What pictures and the stored model add to the cost of the default run."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from bench_run import processor_seconds

from xentexp.experiments._cli import main, outputs
from xentexp.experiments._serving.refit import Refits

FIVE = (
    "losses=[categorical_crossentropy,brier_loss,spherical_loss,zero_one_loss,"
    "generalized_crossentropy]"
)
STEPS = ("log_pictures", "log_model")


def logging_of_the_default_run() -> tuple[str, bool]:
    """Processor time of the pictures and the model in the run of seven models on uci_default."""
    # All losses are the default. The steps are timed within the run, so that the fits cancel out.
    texts, ratios = [], []
    for name, overrides in (("all losses", []), ("5 losses", [FIVE])):
        spent = seconds_of_a_run(overrides)
        added = sum(spent[step] for step in STEPS) - spent["refit"]
        without = spent["run"] - added - spent["refit"]
        ratios.append(1.0 + added / without)
        texts.append(
            f"{name} {ratios[-1]:.3f} times the run without (pictures {spent['log_pictures']:.1f} "
            f"s, model {spent['log_model'] - spent['refit']:.1f} s of {without:.0f} s; refit "
            f"{spent['refit']:.1f} s)"
        )
    return "; ".join(texts), max(ratios) <= 4.0 / 3.0


def seconds_of_a_run(overrides: list[str]) -> Counter[str]:
    """Processor seconds of a whole run, of its steps after the results, and of the refit."""
    spent: Counter[str] = Counter()
    steps = tuple(replace(o, log=timed(o.log, o.log.__name__, spent)) for o in outputs._ALL)
    refit = mock.patch.object(Refits, "of", timed(Refits.of, "refit", spent))
    with folder(), mock.patch.object(outputs, "_ALL", steps), refit:
        start = processor_seconds()
        assert main(["run", "--quiet", "n_jobs=1", *overrides]) == 0
        spent["run"] = processor_seconds() - start
    return spent


def timed(work: Callable[..., Any], name: str, spent: Counter[str]) -> Callable[..., Any]:
    """The same function, whose processor time is added to `spent`."""

    def measured(*args: Any) -> Any:
        start = processor_seconds()
        try:
            return work(*args)
        finally:
            spent[name] += processor_seconds() - start

    return measured


@contextlib.contextmanager
def folder() -> Iterator[None]:
    """An empty working directory."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            yield
        finally:
            os.chdir(before)
