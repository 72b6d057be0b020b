"""Tables of a model as CSV, with the digits of the page."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from xentexp.experiments._formatting import MINUS, harmless, signed
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import Cell, PageTable, count_cell, percent_cell
from xentexp.experiments._report.gains import gains_of
from xentexp.experiments._report.segments import segments_table
from xentexp.inference import Segment

_MOST_CLASSES = 10


def to_csv(table: PageTable) -> str:
    """CSV of a table: numbers without separators and signs; the unit % stands in the header."""
    columns = list(zip(*table.rows, strict=True)) or [() for _ in table.headers]
    headers = [
        f"{header} (%)" if any(_is_percent(cell) for cell in column) else header
        for header, column in zip(table.headers, columns, strict=True)
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows([_plain(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def _is_percent(cell: Cell) -> bool:
    return not math.isnan(cell.value) and cell.text.endswith("%")


def _plain(cell: Cell) -> str:
    if math.isnan(cell.value):
        return str(harmless(cell.text))
    return cell.text.replace(MINUS, "-").replace(",", "").removeprefix("+").removesuffix("%")


def gains_csv(record: RunRecord, name: str) -> str:
    """Events among the rows with the highest scores, of each class or of the second of two."""
    classes = record.about.classes
    columns = [1] if len(classes) == 2 else list(range(len(classes)))[:_MOST_CLASSES]
    rows = []
    for column in columns:
        rows += [
            (
                Cell(str(classes[column])),
                Cell(f"{100 * row.share:g}%", row.share),
                count_cell(row.n_rows),
                count_cell(row.events),
                percent_cell(row.rate),
                percent_cell(row.caught),
                Cell(signed(row.lift, 2), row.lift),
                Cell(signed(row.threshold, 3), row.threshold),
            )
            for row in gains_of(record, name, column).rows
        ]
    headers = ("class", "highest scores", "rows", "of the class", "rate", "caught", "lift")
    return to_csv(PageTable((*headers, "cutoff"), tuple(rows)))


def segments_csv(record: RunRecord, name: str, found: Sequence[Segment]) -> str:
    """All segments of a model, the most important first."""
    several = len(record.about.classes) > 2
    table = segments_table(record, [(name, segment) for segment in found], several)
    return to_csv(PageTable(table.headers[1:], tuple(row[1:] for row in table.rows)))
