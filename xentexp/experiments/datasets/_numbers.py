"""Numbers that are written as text, such as "83.70%", "1,100" or "(5.00)"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

Number = int | float

BLANKS = frozenset(
    {
        *("", "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "?", "??", "*"),
        *("na", "n/a", "n.a.", "nan", "-nan", "null", "(null)", "none", "nil", "<na>", "missing"),
        *("unknown", "not available", "not applicable", "없음", "미상", "결측", "해당없음"),
        *("#n/a", "#na", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"),
    }
)
"""Texts in lower case that are missing values in a column of numbers or dates."""

# Dollar signs of several countries: "US$", "R$".
_CURRENCY = r"(?:[A-Z]{0,2}\$|[€£¥₩₹₽₺₫฿元円원]|USD|EUR|GBP|KRW|JPY|CNY|CHF|INR)"
_WRITTEN = re.compile(
    rf"(?P<first>{_CURRENCY}(?=\s*\())?\s*(?P<open>\()?\s*"
    rf"(?P<sign>[+-])?\s*(?P<before>{_CURRENCY})?\s*(?P<inner>[+-])?\s*"
    r"(?P<body>(?:\d[\d., ']*)?\d|\d+[.,]|[.,]\d+)(?P<exponent>[eE][+-]?\d+)?"
    rf"\s*(?P<percent>%)?\s*(?P<after>{_CURRENCY})?\s*(?P<trailing>-)?\s*(?P<close>\))?"
)
# The usual forms, which this reads six times as fast as the pattern above.
_PLAIN = re.compile(r"([+-]?)(\d+)(?:([.,])(\d*))?(%?)")
_GROUPED = re.compile(r"([+-]?[1-9]\d{0,2}(?:,\d{3})+\.\d+)(%?)")
_BODY = {
    mark: re.compile(
        rf"\d+[{mark}]?\d*|[{mark}]\d+"
        rf"|[1-9]\d{{0,2}}(?P<group>[{other} '])\d{{3}}(?:(?P=group)\d{{3}})*(?:[{mark}]\d*)?"
        + (r"|[1-9]\d?(?:,\d\d)+,\d{3}(?:\.\d*)?" if mark == "." else "")  # 12,34,567 in India
    )
    for mark, other in ((".", ","), (",", "."))
}
_WITH_UNIT = re.compile(
    rf"[<>~≤≥≈]?=?\s*[+-]?\s*{_CURRENCY}?\s*(?:\d[\d.,]*|[.,]\d+)\s*\+?"
    r"\s*(?P<unit>[^\W\d_][^\d:;,]{0,19}|[%°\"'][^\d:;,]{0,5})?"
)
_SCALES = frozenset(
    ("", "k", "m", "b", "bn", "t", "thousand", "million", "billion", "천", "만", "억")
)
"""Units that numbers of one column may have side by side."""

_TYPESET = {0x2212: "-", 0x2019: "'"}  # minus sign, apostrophe
_CODE = re.compile(r"\d+")
_PADDED = re.compile(r"0\d+")
_PHONE = re.compile(r"\+\d{8,}")


class _Written(NamedTuple):
    """One text that may be a number: its value for each decimal mark, and its marks."""

    values: dict[str, Number]
    body: str
    percent: bool
    currency: str | None


@dataclass(frozen=True)
class NumberColumn:
    """What a column of text becomes with each decimal mark that fits all of its values."""

    # No values: the column stays text although it has many numbers; the example shows why.

    values: dict[str, pd.Series[Any]]
    example: str  # a value that shows the marks
    blanks: tuple[str, ...]
    has_marks: bool  # not only digits

    @property
    def ambiguous(self) -> bool:
        """Whether the decimal mark changes the values."""
        return len(self.values) == 2 and not self.values["."].equals(self.values[","])


def is_blank(text: str) -> bool:
    """Whether a text is a usual mark of a missing value."""
    return text.strip().lower() in BLANKS


def is_number(text: str) -> bool:
    """Whether a text is a number with either decimal mark."""
    return _read(text) is not None


def read_value(text: str, decimal: str | None = None) -> Number | None:
    """Number of one text, regardless of other rows; None if it is not a number or ambiguous."""
    # Without a decimal mark: a point is one, and a comma is refused if it may be one.
    read = _read(text.strip())
    if read is None:
        return None
    if decimal is not None:
        return read.values.get(decimal)
    value = read.values.get(".")
    return None if "," in read.body and read.values.get(",", value) != value else value


def written_number(text: str) -> _Written | None:
    """Number of a text with each decimal mark that fits, and its signs; None if it is none."""
    return _read(text)


def is_code_column(texts: Iterable[str]) -> bool:
    """Whether texts are identifiers: zero-padded codes, phone numbers, or very long numbers."""
    stripped = [text.strip() for text in texts]
    codes = [text for text in stripped if text.lower() not in BLANKS]
    if not codes:
        return False
    if all(map(_CODE.fullmatch, codes)):
        return any(_PADDED.fullmatch(code) or _is_long(code) for code in codes)
    return all(map(_PHONE.fullmatch, codes))


def _is_long(code: str) -> bool:
    """Whether a number is outside int64: as floats, different ones could become equal."""
    return len(code) > 19 or int(code) >= 2**63


def has_unit(texts: Iterable[str]) -> bool:
    """Whether texts are two or more numbers with one unit, such as "36 months"; or "1.5K", "2M"."""
    units = set()
    number = 0
    for text in texts:
        if is_blank(text):
            continue
        match = _WITH_UNIT.fullmatch(text.strip())
        if match is None:
            return False
        units.add((match["unit"] or "").strip(" .+").lower().removesuffix("s"))
        if len(units) > 1 and not units <= _SCALES:
            return False
        number += 1
    return number > 1 and units != {""}


def read_numbers(column: pd.Series[Any], *, codes: bool = False) -> NumberColumn | None:
    """Numbers in a column of text; None unless all values but blanks are numbers."""
    # `codes`: whether codes and other identifiers are numbers as well.
    rows, texts = pd.factorize(column)
    written: list[_Written | None] = []
    blanks = []
    for text in texts.tolist():
        if is_blank(text):
            blanks.append(text)
            written.append(None)
            continue
        read = _read(text)
        if read is None:
            return _mostly_numbers(texts.tolist(), text)
        written.append(read)
    numbers = [read for read in written if read is not None]
    if not numbers:
        return None
    if not codes and (is_code_column(texts.tolist()) or _are_identifiers(numbers)):
        return None
    marks = [mark for mark in _BODY if all(mark in read.values for read in numbers)]
    scales = {read.percent for read in numbers}
    currencies = {read.currency for read in numbers} - {None}
    if not marks or len(scales) > 1 or len(currencies) > 1:
        return NumberColumn({}, " and ".join(_different(texts.tolist(), marks)), (), True)
    example = next((t for t in texts.tolist() if not is_blank(t) and not t.strip().isdecimal()), "")
    return NumberColumn(
        {
            mark: _series([None if r is None else r.values[mark] for r in written], rows, column)
            for mark in marks
        },
        example=example.strip(),
        blanks=tuple(blanks),
        has_marks=bool(example),
    )


def _mostly_numbers(texts: Sequence[str], text: str) -> NumberColumn | None:
    """Column without values if at least nine of ten texts, and ten of them, are numbers."""
    # A text that appears late comes after many numbers.
    sample = [other for other in texts[:100] if not is_blank(other)]
    numbers = sum(map(is_number, sample))
    if numbers < max(10, 0.9 * len(sample)) or is_code_column(sample):
        return None
    return NumberColumn({}, repr(text), (), True)


def _different(texts: Sequence[str], marks: Sequence[str]) -> list[str]:
    """Two texts whose signs or decimal marks do not agree."""
    read = {text: found for text in texts if not is_blank(text) and (found := _read(text))}
    first, one = next(iter(read.items()))
    for text, other in read.items():
        if other.percent != one.percent or (marks and other.currency != one.currency):
            return [first, text]
        if not marks and not set(other.values) & set(one.values):
            return [first, text]
    return [first]


def _read(text: str) -> _Written | None:
    if len(text) > 100:  # Python refuses to convert thousands of digits
        return None
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_TYPESET)
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        return _read_plain(*plain.groups())
    grouped = _GROUPED.fullmatch(text)
    if grouped is not None:
        number = float(grouped[1].replace(",", ""))
        return _Written({".": number}, grouped[1].lstrip("+-"), bool(grouped[2]), None)
    return _read_any(text)


def _read_plain(sign: str, digits: str, mark: str | None, rest: str, percent: str) -> _Written:
    if mark is None:
        whole = int(sign + digits)
        return _Written({".": whole, ",": whole}, digits, bool(percent), None)
    values: dict[str, Number] = {mark: float(f"{sign}{digits}.{rest}")}
    if len(rest) == 3 and len(digits) <= 3 and digits[0] != "0":
        values["," if mark == "." else "."] = int(sign + digits + rest)
    return _Written(values, digits + mark + rest, bool(percent), None)


def _read_any(text: str) -> _Written | None:
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        return None
    part = match.groupdict()
    signs = [part[name] for name in ("sign", "inner", "trailing") if part[name]]
    brackets = bool(part["open"]) + bool(part["close"])
    if len(signs) > 1 or brackets == 1 or (brackets and signs):
        return None
    currencies = [part[name] for name in ("first", "before", "after") if part[name]]
    if len(currencies) > 1:
        return None
    negative = bool(brackets) or signs == ["-"]
    values = {}
    for mark, pattern in _BODY.items():
        body = pattern.fullmatch(part["body"])
        if body is None or (body["group"] and part["exponent"]):  # 4.889e+03 is not 4889e+03
            continue
        digits = re.sub(rf"[^\d{mark}]", "", part["body"]).replace(mark, ".")
        whole = "." not in digits and part["exponent"] is None
        value = int(digits) if whole else float(digits + (part["exponent"] or ""))
        values[mark] = -value if negative else value
    if not values:
        return None
    return _Written(values, part["body"], bool(part["percent"]), "".join(currencies) or None)


def _are_identifiers(numbers: Sequence[_Written]) -> bool:
    """Whether all values are long groups of digits of one length, such as 612 345 678."""
    lengths = {len(read.body) for read in numbers}
    grouped = all(re.fullmatch(r"\d{3}([ .])\d{3}(\1\d{3})+", read.body) for read in numbers)
    return len(numbers) > 1 and len(lengths) == 1 and grouped


def _series(
    values: list[Number | None], rows: np.ndarray[Any, Any], column: pd.Series[Any]
) -> pd.Series[Any]:
    """Numbers of each row: int64 if all are whole and none is missing, else float64."""
    limit = 2**63
    present = [value for value in values if value is not None]
    whole = all(isinstance(value, int) and -limit <= value < limit for value in present)
    if whole and len(present) == len(values) and (rows >= 0).all():
        cells = np.array(values, dtype=np.int64)[rows]
    else:
        floats = [np.nan if value is None else float(value) for value in values]
        cells = np.array([*floats, np.nan])[rows]  # row -1: missing
    return pd.Series(cells, index=column.index, name=column.name)
