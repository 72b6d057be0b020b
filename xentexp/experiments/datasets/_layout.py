"""Separator and header of a text table, as far as they are unambiguous."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from xentexp.errors import InputError, printable
from xentexp.experiments.datasets._dates import is_date
from xentexp.experiments.datasets._numbers import is_blank, is_number

Rows = list[list[str]]

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 1_000_000
"""Characters at the beginning of a file that are looked at."""
_ROWS = 1000
_LINE = 10_000_000
"""Longest line of a table; longer ones are no rows, and take too much memory."""
_COLUMNS = 200_000
_WORDS = {"tab": "\t", "\\t": "\t", "space": " ", "whitespace": " "}


@dataclass
class Layout:
    """How to split a text into rows and fields; a separator of " " stands for any whitespace."""

    text: str
    separator: str
    rows: Rows
    header: bool = True
    spaces_follow: bool = False
    notes: list[str] = field(default_factory=list)


def find_layout(
    text: str,
    where: str,
    name: str,
    *,
    separator: str | None,
    header: bool | int | None,
    default: str,
) -> Layout:
    """Separator and header of a text. `default`: the separator that the file name stands for."""
    if "\n" not in text:  # of old Macintosh computers
        text = text.replace("\r", "\n")
    _check_lines(text, where, name)
    notes = []
    first = re.match(r"[\"']?sep=(.)[\"']?[ \t]*\r?\n", text, re.IGNORECASE)
    if first:  # a line for Excel, not a row
        text = text[first.end() :]
        separator = first[1] if separator is None else separator
    if isinstance(header, int) and not isinstance(header, bool):
        text = _from_line(text, header, where, name)
        header = True
    if separator is not None:
        separator = _checked(separator, where)
        rows = _rows(text, separator)
    else:
        separator, rows = _find_separator(text, where, name, default)
        if separator is None:
            unquoted = _without_quotes(text)
            if unquoted is not None:
                found, inner = _find_separator(unquoted, where, name, default)
                if found is not None:
                    text, separator, rows = unquoted, found, inner
                    notes.append("every line was in quotation marks; these were removed")
            separator = separator or default
        if separator != default and first is None:
            notes.append(
                f"the separator of the columns is {_word(separator)}; set separator to change it"
            )
    if rows and len(rows[0]) > _COLUMNS:
        raise InputError(
            f"{where}: {name} must have at most {_COLUMNS:,} columns; got {len(rows[0]):,}; check "
            f"that the file is a table, or select columns"
        )
    spaces = separator != " " and _spaces_follow(rows)
    if spaces:
        rows = [[cell.strip() for cell in row] for row in rows]
        notes.append("spaces after the separator were left out")
    if header is None:
        header, note = find_header(rows, where, name)
        notes += [note] if note else []
    return Layout(text, separator, rows, header, spaces, notes)


def _check_lines(text: str, where: str, name: str) -> None:
    """Raise an InputError if a line is too long for a row."""
    start = 0
    while start + _LINE < len(text):
        end = text.rfind("\n", start, start + _LINE)
        if end < start:
            raise InputError(
                f"{where}: lines of {name} must have at most {_LINE:,} characters; line "
                f"{text.count(chr(10), 0, start) + 1} has more; check that the file is a table"
            )
        start = end + 1


def _checked(separator: str, where: str) -> str:
    separator = _WORDS.get(separator, separator)
    if len(separator) != 1 or separator in "\"'\n\r\0." or separator.isalnum():
        raise InputError(
            f"{where}: separator must be one character such as ',' or ';', or tab or whitespace; "
            f"got {separator!r}"
        )
    return separator


def _word(separator: str) -> str:
    return {"\t": "a tab", " ": "whitespace"}.get(separator, repr(separator))


def _from_line(text: str, line: int, where: str, name: str) -> str:
    """Text from a line on; lines are counted from 1."""
    if line < 1:
        raise InputError(
            f"{where}: header must be True, False or the number of the line with the names, "
            f"counted from 1; got {line}; set header=false if there is none"
        )
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
        if start == 0:
            raise InputError(f"{where}: header must be a line of {name}; got {line}")
    return text[start:]


def _rows(text: str, separator: str) -> Rows:
    """First rows, at least the first one, without empty lines."""
    sample = text[: max(_SAMPLE, text.find("\n") + 1)]
    if separator == " ":
        lines = sample.splitlines()[: _ROWS + 1]
        return [
            line.split()
            for line in lines[: -1 if len(text) > len(sample) else None]
            if line.split()
        ]
    rows: Rows = []
    try:
        for row in csv.reader(sample.splitlines(keepends=True), delimiter=separator):
            if row:
                rows.append(row)
            if len(rows) > _ROWS:
                return rows
    except csv.Error:  # a cell of more than 128 kB
        return rows or [text[: text.find("\n") if "\n" in text else None].split(separator)]
    return rows[:-1] if len(text) > len(sample) and len(rows) > 1 else rows


def _find_separator(text: str, where: str, name: str, default: str) -> tuple[str | None, Rows]:
    """The only separator that splits all rows alike; None for a single column."""
    split = {mark: _rows(text, mark) for mark in _SEPARATORS}
    split = {mark: rows for mark, rows in split.items() if rows and len(rows[0]) > 1}
    alike = {m: rows for m, rows in split.items() if all(len(r) == len(rows[0]) for r in rows)}
    if len(alike) > 1 and "," in alike:
        # "1,5;2,3" has decimal commas.
        other = next(iter(set(alike) - {","}))
        if all(re.fullmatch(r"[^,]*|\s*[-+]?\d*,\d+\s*", c) for r in alike[other] for c in r):
            del alike[","]
    if len(alike) == 1:
        return next(iter(alike.items()))
    if len(alike) > 1:
        marks = " and ".join(map(_word, alike))
        raise InputError(
            f"{where}: columns of {name} may be separated by {marks}; set separator to one of them"
        )
    if default in split:  # rows of different lengths: pandas names the line
        return default, split[default]
    if len(split) == 1:
        return next(iter(split.items()))
    if len(split) > 1:
        marks = " or ".join(map(_word, split))
        raise InputError(
            f"{where}: columns of {name} may be separated by {marks}, and its rows have different "
            f"numbers of fields; set separator, and header to the line with the names"
        )
    rows = _rows(text, " ")
    plain = '"' not in text[:_SAMPLE] and len(rows) > 1 and len(rows[0]) > 1
    if plain and all(len(row) == len(rows[0]) for row in rows):
        return " ", rows
    return None, _rows(text, default)


def _without_quotes(text: str) -> str | None:
    """Text without the quotation marks around each whole line; None if a line has none."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not all(len(line) > 1 and line[0] == line[-1] == '"' for line in lines):
        return None
    try:
        rows = [row for row in csv.reader(lines) if row]
    except csv.Error:
        return None
    if len(rows) != len(lines) or any(len(row) != 1 for row in rows):
        return None
    return "\n".join(row[0] for row in rows) + "\n"


def _spaces_follow(rows: Rows) -> bool:
    """Whether every field but the first of a row starts with a space."""
    cells = [cell for row in rows[:100] for cell in row[1:]]
    return bool(cells) and all(cell.startswith(" ") and cell.strip() for cell in cells)


def find_header(rows: Rows, where: str, name: str) -> tuple[bool, str | None]:
    """Whether the first row has names, and a note if it has not; asks if that is not certain."""
    if len(rows) < 2:
        return True, None
    _check_second_header(rows, where, name)
    first, rest = rows[0], rows[1:]
    columns = [[row[i] for row in rest if i < len(row)] for i in range(len(first))]
    kinds = [_kind([cell]) for cell in first]
    below = [_kind(column) for column in columns]
    if any(
        kind in ("text", "date") and other in ("number", "date") and kind != other
        for kind, other in zip(kinds, below, strict=True)
    ):
        return True, None
    other_rows = [row for row in rest if row != first]
    recurring = [
        cell in {row[i] for row in other_rows if i < len(row)}
        for i, (cell, kind) in enumerate(zip(first, kinds, strict=True))
        if kind == "text"
    ]
    shown = ", ".join(printable(cell, 40) for cell in first[:5]) + (
        ", ..." if len(first) > 5 else ""
    )
    if not {"number", "date"} & set(kinds):
        if not recurring or not all(recurring) or len(recurring) < len(first):
            if sum(recurring) * 2 > len(first):
                raise _unclear(where, name, shown)
            return True, None
    elif recurring and not any(recurring):
        raise _unclear(where, name, shown)
    elif not recurring and _may_be_names(first):
        if first[0] == "" and first[1] == "0":  # pandas.DataFrame(array).to_csv(...)
            return True, None
        raise _unclear(where, name, shown)
    return False, (
        f"the first row ({shown}) was read as data, not as names, so the columns are named x0 to "
        f"x{len(first) - 1}; set header=true if it has the names"
    )


def _check_second_header(rows: Rows, where: str, name: str) -> None:
    """Raise an InputError if the second row has names too, above columns of numbers."""
    second, rest = rows[1], rows[2:]
    if not rest or any(map(is_number, second)) or any(map(is_number, rows[0])):
        return
    below = [_kind([row[i] for row in rest if i < len(row)]) for i in range(len(second))]
    over = [cell for cell, kind in zip(second, below, strict=True) if kind == "number"]
    named = sum(not is_blank(cell) for cell in over)
    if named > len(second) / 2:
        shown = ", ".join(printable(cell, 40) for cell in second[:5])
        raise InputError(
            f"{where}: the second row of {name} may have the names of the columns, too ({shown}); "
            f"set header to the line with the names (header=1 for the first line)"
        )


def _unclear(where: str, name: str, shown: str) -> InputError:
    return InputError(
        f"{where}: the first row of {name} may be data or names ({shown}); set header=true if it "
        f"has the names of the columns, else header=false"
    )


def _may_be_names(first: Sequence[str]) -> bool:
    """Whether whole numbers in the first row are consecutive, such as years."""
    numbers = [int(cell) for cell in first if cell.strip().isdecimal()]
    filled = sum(not is_blank(cell) for cell in first)
    return len(numbers) == filled and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _kind(cells: Sequence[str]) -> str:
    """Kind of a column: blank, number, date or text."""
    filled = [cell for cell in cells if not is_blank(cell)]
    if not filled:
        return "blank"
    if all(map(is_number, filled)):
        return "number"
    return "date" if all(map(is_date, filled)) else "text"
