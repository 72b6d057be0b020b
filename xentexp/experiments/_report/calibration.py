"""Section on what calibration saved, beside what the decomposition promised."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xentexp.experiments._analysis.calibration import (
    Saving,
    chief,
    interval_text,
    loss_note,
    rule_of,
    saving_sentence,
    savings,
)
from xentexp.experiments._formatting import DASH, plain
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Bullets,
    Cell,
    Details,
    PageSection,
    PageTable,
    count_cell,
    named_cells,
    number_cell,
)


def calibration_section(record: RunRecord) -> PageSection | None:
    """Losses before and after the calibration of each model; None without calibrated models."""
    found = savings(record.models, record.about.primary)
    if not found:
        return None
    first = chief(found)
    blocks: list[Block] = []
    if other := loss_note(found, record.about.primary):
        blocks.append(plain(other))
    blocks += [Bullets(tuple(map(saving_sentence, first))), _table(record, found)]
    if others := [saving for saving in found if saving not in first]:
        blocks.append(Details("The other methods", (Bullets(tuple(map(saving_sentence, others))),)))
    return PageSection("calibration", "What calibration saved", tuple(blocks))


def _table(record: RunRecord, found: Sequence[Saving]) -> PageTable:
    names = named_cells(record, [saving.calibrated for saving in found])
    level = next((s.confidence for s in found if not math.isnan(s.confidence)), 0.95)
    columns = {
        "saved": [saving.saved for saving in found],
        f"{level:.0%} interval": [],
        "promised at most": [saving.at_most for saving in found],
        "promised for the method": [saving.expected for saving in found],
        f"{found[0].loss} before": [saving.before for saving in found],
        "after": [saving.after for saving in found],
    }
    # Columns without values are left out.
    columns = {
        name: values for name, values in columns.items() if not all(map(math.isnan, values or [0]))
    }
    n_zero = [saving.n_zero for saving in found]
    rows = []
    for place, saving in enumerate(found):
        cells = [
            _number(saving, values[place]) if values else Cell(interval_text(saving))
            for values in columns.values()
        ]
        if any(n_zero):
            cells.append(count_cell(saving.n_zero))
        rows.append((names[saving.calibrated], *cells))
    headers = ["calibrated model", *columns]
    if any(n_zero):
        headers.append("rows with probability 0 of the true class")
    rule = rule_of(found)
    return PageTable(tuple(headers), tuple(rows), plain(rule) if rule else None)


def _number(saving: Saving, value: float) -> Cell:
    return Cell(DASH) if math.isnan(value) else number_cell(value, saving.decimals)
