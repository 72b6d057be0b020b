"""Section on what calibration saved."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from xentexp.experiments._analysis.calibration import (
    Saving,
    chief,
    interval_text,
    loss_note,
    rule_of,
    saving_sentence,
    savings,
)
from xentexp.experiments._cli.sections.section import Section
from xentexp.experiments._cli.terminal import LINE, console, print_in_parts
from xentexp.experiments._config.study import Study
from xentexp.experiments._formatting import DASH, escaped, markdown_table, signed
from xentexp.experiments._record import model_record
from xentexp.experiments._results import ExperimentResult
from xentexp.experiments._tracking import items as logged


def calibration_section(study: Study, result: ExperimentResult) -> Section | None:
    """Losses before and after the calibration of each model; None without calibrated models."""
    models = [model_record(item, study.dataset) for item in result.candidate_results]
    found = savings(models, study.primary)
    if not found:
        return None
    records = [saving.to_record() for saving in found]
    return Section(
        "calibration",
        (logged.Table("calibration.json", pd.DataFrame(records)),),
        records,
        lambda: _show(found, study.primary),
        of_candidates={
            saving.calibrated: (logged.LoggedMetric("calibration/saved", saving.saved),)
            for saving in found
            if math.isfinite(saving.saved)
        },
        note=_note(found, study.primary),
    )


def _columns(found: Sequence[Saving]) -> dict[str, list[str]]:
    """Texts of the columns by header; columns without values are left out."""
    level = next((s.confidence for s in found if not math.isnan(s.confidence)), 0.95)
    numbers = {
        "before": [saving.before for saving in found],
        "after": [saving.after for saving in found],
        "saved": [saving.saved for saving in found],
        f"{level:.0%} interval": None,
        "promised at most": [saving.at_most for saving in found],
        "promised for the method": [saving.expected for saving in found],
    }
    columns = {"model": [saving.calibrated for saving in found]}
    for name, values in numbers.items():
        if values is None:
            columns[name] = list(map(interval_text, found))
        elif not all(map(math.isnan, values)):
            columns[name] = [
                DASH if math.isnan(value) else signed(value, saving.decimals)
                for saving, value in zip(found, values, strict=True)
            ]
    if any(saving.n_zero for saving in found):
        columns["rows with probability 0"] = [f"{saving.n_zero:,}" for saving in found]
    return columns


def _title(found: Sequence[Saving]) -> str:
    return f"What calibration saved of {found[0].loss}"


def _show(found: Sequence[Saving], primary: str) -> None:
    out = console()
    columns = _columns(found)
    names = columns.pop("model")
    headers = list(columns)

    def part(start: int, end: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
        table.add_column("model", vertical="bottom", no_wrap=True)
        for header in headers[start:end]:
            header = header.replace("promised ", "promised\n").replace("with ", "with\n")
            table.add_column(header, justify="right", vertical="bottom", no_wrap=True)
        for place, name in enumerate(names):
            cells = (columns[header][place] for header in headers[start:end])
            table.add_row(Text(name), *map(Text, cells))
        return table

    width = min(out.width, LINE)
    out.print(Text(_title(found), style="bold"))
    print_in_parts(part, len(headers))
    if note := loss_note(found, primary):
        out.print(Text(note), width=width)
    for saving in chief(found):
        out.print(Text(str(saving_sentence(saving))), width=width)
    if rule := rule_of(found):
        out.print(Text(rule, style="dim"), width=width)


def _note(found: Sequence[Saving], primary: str) -> str:
    columns = _columns(found)
    rows = [list(map(escaped, row)) for row in zip(*columns.values(), strict=True)]
    parts = [
        f"**{_title(found)}**",
        escaped(loss_note(found, primary) or ""),
        markdown_table(list(columns), rows),
        "\n".join(f"- {escaped(str(saving_sentence(saving)))}" for saving in chief(found)),
        rule_of(found),
    ]
    return "\n\n".join(part for part in parts if part)
