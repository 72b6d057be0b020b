"""Leaderboard: candidates by losses and metrics, as tables and records."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any

from xentexp._inputs.options import check_bool
from xentexp.errors import InputError, unknown_name
from xentexp.experiments._formatting import escaped, finite_or_none
from xentexp.experiments._ranking import better as better
from xentexp.experiments._ranking import distance
from xentexp.experiments._ranking import higher_is_better as higher_is_better
from xentexp.experiments._sentences import Standing
from xentexp.experiments._uncertainty import Uncertainty
from xentexp.losses import LOSSES
from xentexp.metrics._registry import DEFAULT_METRICS, get_metric

if TYPE_CHECKING:
    import pandas as pd

SHOWN = (
    "categorical_crossentropy",
    "brier_loss",
    "d2_categorical_crossentropy",
    "roc_auc",
    "gini",
    "ks_statistic",
    "expected_calibration_error",
    "calibration_slope",
    "calibration_intercept",
    "zero_one_loss",
)
"""Losses and metrics that a result prints if they apply; equal to leaderboard of conf/run.yaml."""


def _name_among(name: str, known: Sequence[str]) -> str:
    """Registered name for an alias such as "auc"; a known name is returned unchanged."""
    if name in known:
        return name
    try:
        return get_metric(name).name
    except InputError:  # e.g. a plug-in that is no longer installed
        return name


@dataclass(frozen=True)
class Row:
    """One candidate of a leaderboard; mappings are by name of the loss or metric."""

    model: str
    mean: Mapping[str, float] = field(default_factory=dict)  # over the folds
    std: Mapping[str, float] = field(default_factory=dict)  # over the folds
    standard_error: Mapping[str, float] = field(default_factory=dict)  # over the rows; losses only
    regret: Mapping[str, float] = field(default_factory=dict)  # if true probabilities are known
    seconds: float = math.nan  # of all fits
    reason: str | None = None  # error, if the candidate failed
    test: Mapping[str, float] = field(default_factory=dict)  # of the labelled test set
    test_standard_error: Mapping[str, float] = field(default_factory=dict)  # losses only
    test_reason: str | None = None  # error, if the test set has no scores

    def value(self, name: str) -> float:
        """Mean of a loss or metric; NaN if the candidate has none."""
        return self.mean.get(name, math.nan)


@dataclass(frozen=True)
class Leaderboard:
    """Table of candidates by losses and metrics, best candidate first.

    `ExperimentResult.leaderboard` makes it. It prints means over the folds and the differences to
    the best candidate with their intervals, also in notebooks. Each row of the leaderboard is one
    candidate, with the attributes ``model`` (name), ``mean``, ``std``, ``standard_error`` and
    ``regret`` (dicts by name of the loss or metric), ``seconds`` (time of all fits) and ``reason``
    (error of a failed candidate, or None).
    With a labelled test set, ``test`` and ``test_standard_error`` are its scores, and
    ``test_reason`` says why there are none. Tables show them as ``test/NAME``.

    Parameters
    ----------
    rows : tuple of Row
        Candidates, in any order.
    primary : str
        Name of the loss or metric that ranks the candidates.
    chosen : tuple of str or None, default=None
        Losses and metrics that tables show, if some candidate has a value. None shows all.
    uncertainty : Uncertainty or None, default=None
        Intervals, differences to the best candidate and the answer in sentences. None shows none.
    spread : bool, default=False
        If True, tables show the standard deviations over the folds.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from xentexp.experiments import load_dataset, run_experiment
    >>> data = load_dataset("simulated_delinquency", n_samples=300)
    >>> models = {"prior": DummyClassifier(), "uniform": DummyClassifier(strategy="uniform")}
    >>> board = run_experiment(data, models, cv=3).leaderboard()
    >>> [row.model for row in board.ranked()]
    ['prior', 'uniform']
    >>> board.to_frame().loc["brier_loss"].round(3).to_dict()
    {'prior': 0.494, 'uniform': 0.667}
    """

    rows: tuple[Row, ...]
    primary: str
    chosen: tuple[str, ...] | None = None
    uncertainty: Uncertainty | None = None
    spread: bool = False

    def __repr__(self) -> str:
        from xentexp.experiments._board_tables import tables

        texts = [table.to_text() for table in tables(self)]
        return "\n\n".join([*texts, "\n".join(self._notes())])

    def _repr_html_(self) -> str:
        from xentexp.experiments._board_tables import tables

        texts = "".join(table.to_html() for table in tables(self))
        return texts + "".join(f"<p>{escape(note)}</p>" for note in self._notes())

    def _all_failed(self) -> bool:
        return all(row.reason is not None for row in self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Means over the folds as a data frame.

        Returns
        -------
        DataFrame
            One row per loss or metric (the chosen ones, or all) and one column per candidate,
            best candidate first. Failed candidates are left out. With a labelled test set, the
            rows ``test/NAME`` follow.
        """
        import pandas as pd

        rows = [row for row in self.ranked() if row.reason is None]
        shown = self.names() if self.chosen is None else self.shown()
        tested = self.tested(shown)
        names = [*shown, *(f"test/{name}" for name in tested)]
        values = {
            row.model: [
                *(row.value(name) for name in shown),
                *(row.test.get(name, math.nan) for name in tested),
            ]
            for row in rows
        }
        return pd.DataFrame(values, index=pd.Index(names, name="metric", dtype=object), dtype=float)

    def standing(self, name: str) -> Standing:
        """Intervals and differences to the best candidate by one loss or metric.

        Parameters
        ----------
        name : str
            Loss or metric, one of `names`.

        Returns
        -------
        Standing
            Empty if there are no intervals of it.
        """
        if self.uncertainty is None:
            return Standing(name, {}, {}, None, (), frozenset())
        return self.uncertainty.standing(name)

    def _notes(self) -> list[str]:
        """Sentences below the tables in Python."""
        from xentexp.experiments._board_tables import sentences

        if self._all_failed():
            return ["No candidate has a result.", *self.failures()]
        hidden = len(self.names()) - len(self.shown())
        more = [f"{hidden} more losses and metrics: leaderboard().to_frame()"] if hidden else []
        return [*sentences(self), *more, *self.failures()]

    def failures(self) -> list[str]:
        """Failed candidates with the error.

        Returns
        -------
        list of str
            One sentence for each.
        """
        return [f"{row.model} failed: {row.reason}" for row in self.ranked() if row.reason]

    def ranked(self) -> list[Row]:
        """Candidates in the order of the primary loss or metric.

        Returns
        -------
        list of Row
            Best candidate first, then candidates without a value, then failed candidates.
        """

        def key(row: Row) -> tuple[int, float]:
            if row.reason is not None:
                return 2, 0.0
            rank = distance(self.primary, row.value(self.primary))
            return (0, rank) if rank < math.inf else (1, 0.0)

        return sorted(self.rows, key=key)

    def best(self) -> Row | None:
        """Best candidate by the primary loss or metric.

        Returns
        -------
        Row or None
            The model that the answer names: the first row of `ranked` whose predictions are not
            constant or, without such rows, the first row. None if no candidate has a value.
        """
        ranked = [row for row in self.ranked() if not math.isnan(row.value(self.primary))]
        named = self.standing(self.primary).best
        return next((row for row in ranked if row.model == named), next(iter(ranked), None))

    def names(self) -> list[str]:
        """Losses and metrics for which some candidate has a value.

        Returns
        -------
        list of str
            Losses, then metrics of the whole data set, in the order of ``xentexp losses``.
        """
        names = {name for row in self.rows for name in row.mean if row.mean[name] == row.mean[name]}
        known = [*LOSSES, *DEFAULT_METRICS]
        return [
            *(name for name in known if name in names),
            *sorted(names.difference(known)),
        ]

    def shown(self) -> list[str]:
        """Losses and metrics that tables show.

        Returns
        -------
        list of str
            The chosen names for which some candidate has a value; without a choice, all `names`
            except those in `repeated`.
        """
        names = self.names()
        if self.chosen is None:
            repeated = self.repeated()
            return [name for name in names if name not in repeated]
        return [name for name in dict.fromkeys(self.chosen) if name in names]

    def tested(self, names: Sequence[str]) -> list[str]:
        """Those of some losses and metrics for which some candidate has a value on the test set.

        Parameters
        ----------
        names : sequence of str
            Names of losses and metrics.

        Returns
        -------
        list of str
            The names that tables show as ``test/NAME``, in the same order; empty without a
            labelled test set.
        """
        return [
            name
            for name in names
            if any(not math.isnan(row.test.get(name, math.nan)) for row in self.rows)
        ]

    def test_notes(self) -> list[str]:
        """Sentences about the labelled test set.

        Returns
        -------
        list of str
            What ``test/NAME`` is, and the candidates without scores of the test set with the
            reason; empty without a labelled test set.
        """
        notes = []
        if any(row.test for row in self.rows):
            notes.append("test/NAME: test rows, predicted by models fitted on all training rows.")
        failed = [row for row in self.ranked() if row.test_reason is not None]
        return notes + [
            f"{r.model} has no scores of the test rows: {r.test_reason}" for r in failed
        ]

    def repeated(self) -> dict[str, str]:
        """Losses that have the same values as another loss for every candidate.

        Some losses coincide on two classes, e.g. binary and categorical crossentropy.

        Returns
        -------
        dict of str to str
            Name of the other loss, by name of the repeated one.
        """
        seen: dict[tuple[Any, ...], str] = {}
        repeated: dict[str, str] = {}
        for name in sorted(self.names(), key=lambda name: name != self.primary):
            if name in LOSSES:
                values = [
                    f"{part.get(name, math.nan):.12g}"
                    for row in self.rows
                    for part in (row.mean, row.std, row.test)
                ]
                first = seen.setdefault((better(name) is None, *values), name)
                if first != name:
                    repeated[name] = first
        return repeated

    def best_value(self, name: str) -> float | None:
        """Best mean of a loss or metric among the candidates.

        Parameters
        ----------
        name : str
            Loss or metric, one of `names`; an alias such as ``"auc"`` is accepted.

        Returns
        -------
        float or None
            Lowest, highest or nearest value to the optimum, by direction of the loss or metric;
            None if it does not rank models or no candidate has a value.
        """
        name = _name_among(name, self.names())
        values = [row.mean[name] for row in self.rows if not math.isnan(row.value(name))]
        if not values or better(name) is None:
            return None
        return min(values, key=lambda value: distance(name, value))

    def sorted_by(self, name: str) -> Leaderboard:
        """Rank the same candidates by another loss or metric.

        Parameters
        ----------
        name : str
            Loss or metric that ranks; an alias such as ``"auc"`` is accepted. It is added to the
            chosen ones.

        Returns
        -------
        Leaderboard
            New leaderboard; this one is unchanged.

        Raises
        ------
        InputError
            If no candidate has a value of it, or it does not rank models.
        """
        ranking = [known for known in self.names() if better(known) is not None]
        name = _name_among(name, ranking)
        if name not in ranking:
            raise self._no_value(name, "loss or metric to sort by", ranking)
        chosen = self.chosen
        if chosen is not None and name not in chosen:
            chosen = (name, *chosen)
        known = None if self.uncertainty is None else self.uncertainty.ranked_by(name)
        return replace(self, primary=name, chosen=chosen, uncertainty=known)

    def showing(self, names: Sequence[str] | None, *, spread: bool | None = None) -> Leaderboard:
        """Show other losses and metrics in tables.

        Parameters
        ----------
        names : sequence of str or None
            Losses and metrics to show, aliases accepted; None shows all.
        spread : bool or None, default=None
            If True, tables show the standard deviations over the folds; None keeps the setting.

        Returns
        -------
        Leaderboard
            New leaderboard; this one is unchanged.

        Raises
        ------
        InputError
            If `names` is empty, or no candidate has a value of one of them.
        """
        spread = self.spread if spread is None else spread
        check_bool("spread", spread)
        if names is None:
            return replace(self, chosen=None, spread=spread)
        known = self.names()
        names = [_name_among(name, known) for name in names]
        for name in names:
            if name not in known:
                raise self._no_value(name, "loss or metric of this leaderboard", known)
        if not names:
            raise InputError("names must contain at least one loss or metric to show; got none")
        return replace(self, chosen=tuple(names), spread=spread)

    def _no_value(self, name: str, what: str, known: Sequence[str]) -> InputError:
        """Error for a loss or metric that the candidates do not have, or that is unknown."""
        if self._all_failed():
            failed = [f"{row.model}: {row.reason}" for row in self.rows]
            return InputError(f"no candidate has a value of {name}; all failed ({failed[0]})")
        more = f", ... ({len(known)} in all)" if len(known) > 20 else ""
        listed = ", ".join(known[:20]) + more
        if name in self.names():
            return InputError(f"{name} does not rank models; choose one of {listed}")
        with contextlib.suppress(InputError):
            known_name = get_metric(name).name
            return InputError(f"no candidate has a value of {known_name}; choose one of {listed}")
        return unknown_name(what, name, known)

    def to_markdown(self) -> str:
        """Markdown table, as in the notes of MLflow runs.

        Returns
        -------
        str
            The answer, one line per candidate, best candidate first, and further sentences.
        """
        from xentexp.experiments._board_tables import sentences, tables

        first, *others = sentences(self) if not self._all_failed() else ["All models failed."]
        lines = [escaped(first), "", *(f"{table.to_markdown()}\n" for table in tables(self))]
        lines += [f"- {escaped(note)}" for note in others]
        if len(self.names()) > len(self.shown()):
            lines += ["- All losses and metrics: metrics cv/NAME of each child run."]
        for row in self.ranked():
            if row.reason is not None:
                lines += [f"\nFailed: **{escaped(row.model)}**: {escaped(row.reason)}"]
        return "\n".join(lines)

    def to_records(self) -> list[dict[str, Any]]:
        """Rows for JSON, with all losses and metrics.

        Returns
        -------
        list of dict
            One per candidate, best first, with the keys ``model``, ``status`` ("ok" or "failed"),
            ``reason``, ``seconds``, ``mean``, ``std``, ``standard_error``, ``regret``, ``test``,
            ``test_standard_error`` and ``test_reason``. NaN and infinite values are None.
        """
        return [
            {
                "model": row.model,
                "status": "ok" if row.reason is None else "failed",
                "reason": row.reason,
                "seconds": finite_or_none(row.seconds),
                **{
                    statistic: {
                        name: finite_or_none(value)
                        for name, value in getattr(row, statistic).items()
                    }
                    for statistic in (
                        "mean",
                        "std",
                        "standard_error",
                        "regret",
                        "test",
                        "test_standard_error",
                    )
                },
                "test_reason": row.test_reason,
            }
            for row in self.ranked()
        ]

    def to_document(self) -> dict[str, Any]:
        """Leaderboard and intervals for JSON.

        Returns
        -------
        dict
            ``primary``; ``leaderboard``, see `to_records`; with intervals also ``answer``, ``rule``
            (how intervals and marks are made), ``warnings`` and ``uncertainty``: for each model and
            loss or metric its own value (``levels``) and the difference to the best
            (``differences``), with standard error, limits and target. Infinite values of
            ``uncertainty`` are the text "inf" or "-inf".
        """
        document: dict[str, Any] = {"primary": self.primary, "leaderboard": self.to_records()}
        if self.uncertainty is not None:
            record = self.uncertainty.to_record()
            document |= {key: record[key] for key in ("answer", "rule", "warnings")}
            document["uncertainty"] = record
        return document


def best_is(name: str) -> str:
    """Short text for the direction: ``low``, ``high``, ``near 1``, or ``-`` without a rank."""
    direction = better(name)
    if direction is None:
        return "-"
    kind, optimum = direction
    return {"lower": "low", "higher": "high", "nearest": f"near {optimum:g}"}[kind]
