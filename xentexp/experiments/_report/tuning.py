"""Hyperparameter search: chosen settings, and how far the inner loss is from the outer one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from xentexp._numerics import FloatArray
from xentexp.displays._style import INK, OTHER, new_figure, style
from xentexp.experiments._formatting import DASH, Sentence, number, sentence, setting, spaced
from xentexp.experiments._ranking import higher_is_better
from xentexp.experiments._record import ModelRecord, RunRecord
from xentexp.experiments._report.contents import (
    Bullets,
    Cell,
    Columns,
    Details,
    PageSection,
    PageTable,
    figure_block,
    shown_models,
)

_LAYOUT = ("repeat", "fold", "trial", "chosen", "seconds", "error")


@dataclass(frozen=True)
class Search:
    """Searches of one model, one in each fold."""

    model: ModelRecord
    loss: str
    trials: pd.DataFrame  # with the columns `value`, NaN for failed trials, and `place` of the fold
    settings: tuple[str, ...]

    @property
    def n_failed(self) -> int:
        """Number of trials without a value."""
        return int(self.trials["value"].isna().sum())

    @property
    def first(self) -> FloatArray:
        """Inner value of the first trial of each fold."""
        return self._by_fold(self.trials[self.trials["trial"] == 0])

    @property
    def inner(self) -> FloatArray:
        """Inner value of the chosen trial of each fold."""
        return self._by_fold(self.trials[self.trials["chosen"]])

    @property
    def outer(self) -> FloatArray:
        """Value of the test part of each fold."""
        values = self.model.fold_values.get(self.loss, [math.nan] * len(self.inner))
        return np.asarray(values, dtype=np.float64)

    @property
    def worse(self) -> float:
        """How much worse the outer mean is than the inner one; negative if it is better."""
        sign = -1.0 if higher_is_better(self.loss) else 1.0
        return float((self.outer.mean() - self.inner.mean()) * sign)

    def _by_fold(self, trials: pd.DataFrame) -> FloatArray:
        return trials.sort_values("place")["value"].to_numpy(dtype=np.float64)

    def best_so_far(self) -> list[FloatArray]:
        """Best value up to each trial, by fold."""
        best = np.fmax if higher_is_better(self.loss) else np.fmin
        return [
            best.accumulate(fold.sort_values("trial")["value"].to_numpy(dtype=np.float64))
            for _, fold in self.trials.groupby("place", sort=True)
        ]


def searches(record: RunRecord) -> list[Search]:
    """Searches of all models that succeeded, best model first."""
    return [
        _search(model, model.trials)
        for model in record.models
        if model.trials is not None and model.error is None
    ]


def _search(model: ModelRecord, trials: pd.DataFrame) -> Search:
    names = [str(name) for name in trials.columns]
    column = next(name for name in names if name.startswith("tune/"))
    place = trials.groupby(["repeat", "fold"], sort=True).ngroup()
    value = pd.to_numeric(trials[column], errors="coerce")
    chosen = trials["chosen"].astype(bool)
    settings = [name for name in names if name not in _LAYOUT and name != column]
    return Search(
        model,
        column.removeprefix("tune/"),
        trials.assign(value=value, place=place, chosen=chosen),
        tuple(settings),
    )


def tuning_section(record: RunRecord) -> PageSection | None:
    """Section on the searches of a run; None without any."""
    found = searches(record)
    if not found:
        return None
    drawn = shown_models([search.model for search in found])
    figures = [
        figure_block(
            best_figure(search),
            sentence("{model}: best inner value by trial", model=search.model.name),
            f"Inner {spaced(search.loss)}. Thin: folds. Thick: their mean.",
            _best_table(search),
            name=f"tuning-{place}",
        )
        for place, search in enumerate(found, 1)
        if search.model in drawn
    ]
    return PageSection(
        "tuning",
        "Hyperparameter search",
        (
            Bullets(tuple(line for search in found for line in _sentences(search))),
            _summary(found),
            _chosen(found),
            Columns(tuple(figures)),
            Details(
                "Chosen settings, inner and outer value of each fold",
                tuple(_folds(search) for search in found),
            ),
        ),
    )


def _sentences(search: Search) -> Iterator[Sentence]:
    inner, outer, first = search.inner.mean(), search.outer.mean(), search.first.mean()
    values: dict[str, Any] = {
        "model": search.model.name,
        "loss": search.loss,
        "inner": float(inner),
        "outer": float(outer),
        "first": float(first),
        "worse": search.worse,
        "failed": search.n_failed,
        "trials": len(search.trials),
    }
    if math.isnan(outer) or math.isnan(inner):
        text = "{model}: the inner {loss} of the chosen settings is {inner:.4f}, on the test parts "
        text += "{outer:.4f}."
    elif search.worse > 0.0:
        text = "{model}: the chosen settings have an inner {loss} of {inner:.4f} and {outer:.4f} "
        text += "on the test parts, {worse:.4f} worse: the search is optimistic about its choice."
    else:
        values["better"] = -search.worse
        text = "{model}: the chosen settings have an inner {loss} of {inner:.4f} and {outer:.4f} "
        text += "on the test parts, which is {better:.4f} better: no sign of optimism."
    yield sentence(text, **values)
    if search.n_failed:
        yield sentence("{model}: {failed:,} of {trials:,} trials failed.", **values)


def _summary(found: list[Search]) -> PageTable:
    return PageTable(
        (
            "Model",
            "Searched for",
            "Trials",
            "Failed",
            "Inner, first settings",
            "Inner, chosen",
            "Outer",
            "Outer worse by",
        ),
        tuple(
            (
                Cell(search.model.name),
                Cell(search.loss),
                Cell(f"{len(search.trials):,}", len(search.trials)),
                Cell(f"{search.n_failed:,}", search.n_failed),
                *(_value(float(v.mean())) for v in (search.first, search.inner, search.outer)),
                _value(search.worse),
            )
            for search in found
        ),
        sentence(
            "Means over the folds. Inner: on the inner folds of the training parts, which the "
            "search minimizes or maximizes. Outer: on the test parts"
        ),
        n_text=2,
    )


def _chosen(found: list[Search]) -> PageTable:
    rows = []
    for search in found:
        chosen = search.trials[search.trials["chosen"]].sort_values("place")
        rows += [
            (
                Cell(search.model.name),
                Cell(_short(name)),
                Cell(_range((search.model.space or {}).get(name))),
                Cell(", ".join(map(_setting, chosen[name]))),
            )
            for name in search.settings
        ]
    return PageTable(
        ("Model", "Setting", "Searched", "Chosen in each fold"),
        tuple(rows),
        sentence(
            "Chosen settings. The first ten trials are the same in every fold (one seed), so that "
            "equal settings in all folds do not mean that they are stable"
        ),
        n_text=4,
    )


def _folds(search: Search) -> PageTable:
    chosen = search.trials[search.trials["chosen"]].sort_values("place")
    outer = dict(zip(sorted(search.trials["place"].unique()), search.outer, strict=False))
    repeats = (search.trials["repeat"] > 0).any()
    return PageTable(
        (
            f"{search.model.name}, {'repeat and fold' if repeats else 'fold'}",
            *map(_short, search.settings),
            "Inner",
            "Outer",
        ),
        tuple(
            (
                Cell(f"{row['repeat']}, {row['fold']}" if repeats else str(row["fold"])),
                *(Cell(_setting(row[name])) for name in search.settings),
                _value(row["value"]),
                _value(float(outer.get(row["place"], math.nan))),
            )
            for row in chosen.to_dict("records")
        ),
    )


def _value(value: float) -> Cell:
    return Cell(str(sentence("{value:.4f}", value=value)), value)


def _short(name: str) -> str:
    return name.removeprefix("classifier.")


def _setting(value: object) -> str:
    """Value of a setting with three significant digits."""
    try:
        return setting(float(str(value)), 3)
    except ValueError:
        return str(value)


def _range(dimension: object) -> str:
    """Range or choices of a setting."""
    if isinstance(dimension, Mapping):
        scale = ", log" if dimension.get("log") else ""
        return f"{_setting(dimension['low'])} to {_setting(dimension['high'])}{scale}"
    if isinstance(dimension, (list, tuple)):
        return ", ".join(map(_setting, dimension))
    return DASH


def best_figure(search: Search) -> Figure:
    """Best value up to each trial: thin lines are folds, the thick one is their mean."""
    folds = search.best_so_far()
    shared = min(map(len, folds))  # a time limit may end some earlier
    mean = np.mean([fold[:shared] for fold in folds], axis=0)
    with style(search.model.name):
        figure = new_figure(340, 190)
        axes = figure.add_axes((0.17, 0.2, 0.79, 0.76))
        for fold in folds if len(folds) > 1 else ():
            steps = np.arange(1, len(fold) + 1)
            axes.plot(steps, fold, color=OTHER, linewidth=0.7, alpha=0.6, drawstyle="steps-post")
        steps = np.arange(1, shared + 1)
        marker = "o" if shared == 1 else ""
        axes.plot(steps, mean, color=INK, linewidth=1.6, drawstyle="steps-post", marker=marker)
        axes.set_xlabel("trial")
        axes.locator_params(axis="x", nbins=5, integer=True)
        axes.locator_params(axis="y", nbins=5)
    return figure


def _best_table(search: Search) -> PageTable:
    folds = search.best_so_far()
    shared = min(map(len, folds))
    mean = np.mean([fold[:shared] for fold in folds], axis=0)
    steps = np.unique(np.linspace(0, shared - 1, min(shared, 10)).round().astype(np.intp))
    return PageTable(
        ("Trial", "Mean of the best values so far"),
        tuple(
            (Cell(f"{step + 1:,}", step + 1), Cell(number(float(mean[step])), float(mean[step])))
            for step in steps
        ),
        n_text=0,
    )
