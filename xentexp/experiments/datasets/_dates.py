"""Dates and times as numbers: days since 1970-01-01."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from xentexp.errors import printable
from xentexp.experiments.datasets._numbers import is_blank

_EPOCH = dt.date(1970, 1, 1).toordinal()
_MONTHS = {
    name.lower(): number
    for names in (calendar.month_name, calendar.month_abbr)
    for number, name in enumerate(names)
    if name
} | {"sept": 9}

_CLOCK = (
    r"(?P<half_before>오전|오후)?\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2}(?:[.,]\d+)?))?\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
)
_TIME = rf"(?:(?:T|\s)\s*{_CLOCK}\s*(?P<zone>Z|UTC|GMT|[+-]\d{{2}}(?::?\d{{2}})?)?)?"
_NAME = f"(?P<name>(?i:{'|'.join(sorted(_MONTHS, key=len, reverse=True))}))"
_NAMED_YEAR = r"(?P<year>\d{4}|\d{2})"
_TEXT_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR_FIRST = [
    re.compile(pattern + _TIME)
    for pattern in (
        r"(?P<year>\d{4})(?P<mark>[-/.])\s?(?P<month>\d{1,2})(?P=mark)\s?(?P<day>\d{1,2})\.?",
        r"(?P<year>\d{4})년\s?(?P<month>\d{1,2})월\s?(?P<day>\d{1,2})일",
        r"(?P<year>(?:19|20)\d{2})[-/](?P<month>\d{1,2})",
        r"(?P<month>\d{1,2})[-/](?P<year>(?:19|20)\d{2})",
        r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})(?=T|\s)",
        rf"{_TEXT_DAY}[-/. ]?\s?{_NAME}\.?[-/, ]?\s?{_NAMED_YEAR}",
        rf"{_NAME}\.?[- ]{_TEXT_DAY}(?:,\s?|[- ]){_NAMED_YEAR}",
        rf"{_NAME}\.?[-/, ]?\s?(?P<year>\d{{4}})",
        rf"{_NAME}(?:[-/]|\s?')?(?P<year>\d{{2}}\Z)",  # not "Jan 20 12:30", a day
        rf"(?P<year>\d{{4}})[-/. ]?{_NAME}(?:[-/. ]?(?P<day>\d{{1,2}}))?",
    )
]
_YEAR_LAST = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[-/.])\s?(?P<other>\d{1,2})(?P=mark)\s?(?P<year>\d{4})\.?" + _TIME
)
_TIME_OF_DAY = re.compile(_CLOCK)
_DURATION = re.compile(r"-?\d+:\d{2}(?::\d{2}(?:[.,]\d+)?)?")
_NO_YEAR = re.compile(
    rf"(?:\d{{1,2}}(?P<mark>[-/.])\d{{1,2}}(?P=mark)\d{{2}}|\d{{1,2}}[-/. ]?{_NAME}"
    rf"|(?i:{'|'.join(_MONTHS)})\.?[-/ ]?\d{{1,2}}){_TIME}"
)
_STAYS: dict[str, tuple[str, str]] = {
    "order": (
        "the day or the month may come first",
        "set dayfirst=true or dayfirst=false",
    ),
    "year": (
        "a two-digit number may be the year or the day",
        "write the years with four digits, or leave the columns out with drop",
    ),
    "time": (
        "some values are not between 0:00 and 23:59",
        "write durations as numbers, such as minutes, or leave the columns out with drop",
    ),
}
"""Why a column of dates or times stays text, and what to do."""
_ZERO_DATE = re.compile(r"0000-00-00( 00:00:00)?")  # MySQL writes it for a missing date
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?")
_INT_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def lacks_year(text: str) -> bool:
    """Whether a text looks like a date whose year is absent or not certain, such as 5 May."""
    return _NO_YEAR.fullmatch(text.strip()) is not None


class TextDays(NamedTuple):
    """What a column of text becomes."""

    kind: str  # as of `native_kind`
    days: pd.Series[Any]
    short_year: str | None  # a value whose year has two digits


class AmbiguousError(Exception):
    """A column of dates or times cannot be read; `reason` is a key of `stays_note`."""

    def __init__(self, example: str, reason: str) -> None:
        super().__init__(example)
        self.reason = reason


def is_date(text: str) -> bool:
    """Whether a text is a date or a time in one of the forms that are read."""
    text = text.strip()
    return any(p.fullmatch(text) for p in (*_YEAR_FIRST, _YEAR_LAST, _TIME_OF_DAY))


def days_from_text(column: pd.Series[Any], *, dayfirst: bool | None) -> TextDays | None:
    """Days of a column of text; None unless all values but blanks are dates, or all are times."""
    # Raises AmbiguousError if the values look like dates or times but cannot be read as such.
    codes, texts = pd.factorize(column)
    present = [t for t in texts.tolist() if not is_blank(t) and not _ZERO_DATE.fullmatch(t.strip())]
    if not present:
        return None
    iso = _iso_days(present)
    if iso is not None:
        return TextDays("dates", _by_row(iso, codes, texts.tolist(), column), None)
    kind = "dates"
    readers: list[Callable[[str], float | None]] = [_read]
    if _YEAR_LAST.fullmatch(present[0].strip()):
        readers = [lambda text: _read(text, day=1), lambda text: _read(text, day=2)]
    elif _TIME_OF_DAY.fullmatch(present[0].strip()):
        kind, readers = "times of day", [_read_time]
    fitting = []
    for reader in readers:
        days = {}
        for text in present:
            value = reader(text)
            if value is None:
                break
            days[text] = value
        else:
            fitting.append(days)
    if not fitting:
        for reason, pattern in (("year", _NO_YEAR), ("time", _DURATION)):
            if all(pattern.fullmatch(text.strip()) for text in present):
                raise AmbiguousError(present[0], reason)
        return None
    zoned: set[bool] = set()
    short = None
    for text in present if kind == "dates" else ():
        match = next(m for p in (*_YEAR_FIRST, _YEAR_LAST) if (m := p.fullmatch(text.strip())))
        zoned.add(match["zone"] is not None)
        if short is None and len(match["year"]) == 2:
            short = text.strip()
    if len(zoned) > 1:
        return None
    if len(fitting) == 2 and dayfirst is None:
        raise AmbiguousError(present[0], "order")
    days = fitting[-1] if len(fitting) == 2 and dayfirst is False else fitting[0]
    return TextDays(kind, _by_row(days, codes, texts.tolist(), column), short)


def _iso_days(texts: Sequence[str]) -> dict[str, float] | None:
    """Days of ISO 8601 texts of one length without zones, which NumPy reads quickly."""
    if not _ISO.fullmatch(texts[0]) or any(
        len(text) != len(texts[0]) or text.count("-") != 2 or text[-1] in "Zz" or "+" in text
        for text in texts
    ):
        return None
    try:
        cells = np.array(texts, dtype="datetime64[us]")
    except ValueError:
        return None
    return dict(zip(texts, (cells.astype("int64") / 86_400e6).tolist(), strict=True))


def _by_row(
    days: dict[str, float],
    codes: np.ndarray[Any, Any],
    texts: Sequence[str],
    column: pd.Series[Any],
) -> pd.Series[Any]:
    """Days of each row; code -1 is a missing value."""
    cells = np.array([*(days.get(text, np.nan) for text in texts), np.nan])[codes]
    return pd.Series(whole_numbers(cells), index=column.index, name=column.name)


def days_from_integers(column: pd.Series[Any]) -> pd.Series[Any] | None:
    """Days of numbers such as 20200131; None unless every one is a date from 1900 to 2099."""
    first = column.iloc[0]  # other numbers are many, and end here
    if not pd.isna(first) and not any(1900 * e < first < 2100 * e for e in (1e4, 1e8, 1e10)):
        return None
    numbers = column.dropna().unique()
    # A single number may be an amount; two random numbers are dates with probability 0.001.
    if len(numbers) < 2 or (numbers != np.floor(numbers)).any():
        return None
    low, high = int(numbers.min()), int(numbers.max())
    form = _INT_FORMATS.get(len(str(high)))
    if form is None or len(str(low)) != len(str(high)) or not str(low)[:4] >= "1900":
        return None
    if str(high)[:4] > "2099":
        return None
    texts = pd.Series(column.where(column.notna(), 0)).astype("int64").astype(str)
    dates = pd.to_datetime(texts.where(column.notna()), format=form, errors="coerce")
    if (dates.isna() & column.notna()).any():
        return None
    return days_from_native(dates)


def days_from_value(value: Any, *, dayfirst: bool | None) -> float | None:
    """Days of one text or number, regardless of other rows; None if it is not a date."""
    # Raises AmbiguousError if the day or the month may come first. Numbers such as 20200131 are
    # dates; those of days since 1970 are far smaller.
    if isinstance(value, str):
        text = value.strip()
        whole = text.removesuffix(".0")
        if whole.isdecimal() and len(whole) in _INT_FORMATS:
            return days_from_value(int(whole), dayfirst=dayfirst)
        days = _read(text)
        if days is not None or not _YEAR_LAST.fullmatch(text):
            return days
        first, second = _read(text, day=1), _read(text, day=2)
        if dayfirst is not None:
            return first if dayfirst else second
        if first is not None and second is not None and first != second:
            raise AmbiguousError(text, "order")
        return second if first is None else first
    if abs(value) < 1e6:
        return float(value)
    form = _INT_FORMATS.get(len(str(int(value)))) if value == int(value) else None
    if form is None or not "1900" <= str(int(value))[:4] <= "2099":
        return None
    date = pd.to_datetime(str(int(value)), format=form, errors="coerce")
    return None if date is pd.NaT else _object_days(date.to_pydatetime())


def time_from_text(text: str) -> float | None:
    """Fraction of a day of a time of day such as 13:45; None for other texts."""
    return _read_time(text)


def days_from_native(column: pd.Series[Any]) -> pd.Series[Any] | None:
    """Days of a column of dates, timestamps, periods, times of day or durations; else None."""
    kind = native_kind(column)
    if kind is None:
        return None
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.start_time
    elif isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "mM":
        cells = column.to_numpy()
        one = np.ones(1, dtype=cells.dtype.str.replace("M8", "m8"))
        per_day = (np.timedelta64(1, "D") / one)[0]
        days = np.where(np.isnat(cells), np.nan, cells.astype("int64") / per_day)
    else:
        days = np.array([_object_days(value) for value in column.astype(object)], dtype=float)
    return pd.Series(whole_numbers(days), name=column.name)


def native_kind(column: pd.Series[Any]) -> str | None:
    """Words for the kind of a column of dates or times; None for other columns."""
    dtype = column.dtype
    if types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        return "dates"
    if types.is_timedelta64_dtype(dtype):
        return "durations"
    if isinstance(dtype, pd.ArrowDtype):
        kind = next((k for k in ("timestamp", "date", "duration", "time") if k in str(dtype)), "")
    elif types.is_object_dtype(dtype):
        kind = types.infer_dtype(column, skipna=True)
    else:
        return None
    names = {
        **dict.fromkeys(("date", "datetime", "datetime64", "period", "timestamp"), "dates"),
        **dict.fromkeys(("timedelta", "timedelta64", "duration"), "durations"),
        "time": "times of day",
    }
    return names.get(kind)


def days_note(kind: str, names: Sequence[str]) -> str:
    """Note of a card on columns of dates or times that became numbers."""
    became = {
        "dates": "the number of days since 1970-01-01 (UTC)",
        "durations": "a number of days",
        "times of day": "a fraction of a day",
    }[kind]
    return (
        f"{kind} became {became}: {listed(names)}; a column that must not be a feature can be "
        f"left out with drop"
    )


def short_year_note(shown: Sequence[str]) -> str:
    """Note of a card on dates whose years have two digits."""
    return (
        f"years of two digits were read as 1969 to 2068: {listed(shown)}; name columns in "
        f"categorical to keep them as text"
    )


def stays_note(reason: str, shown: Sequence[str]) -> str:
    """Note of a card on columns of dates or times that stay text."""
    because, action = _STAYS[reason]
    columns = "times" if reason == "time" else "dates"
    return f"columns of {columns} stay text because {because}: {listed(shown)}; {action}"


def listed(names: Sequence[str]) -> str:
    """Names, at most ten of them."""
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(printable(name, 60) for name in names[:10]) + more


def _read(text: str, day: int | None = None) -> float | None:
    """Days of one text. `day`: place of the day in a date that ends with the year."""
    text = text.strip()
    if day is None:
        match = next((m for p in _YEAR_FIRST if (m := p.fullmatch(text))), None)
    else:
        match = _YEAR_LAST.fullmatch(text)
    if match is None:
        return None
    part = match.groupdict()
    if day is not None:
        numbers = int(part["first"]), int(part["other"])
        month_day = numbers[::-1] if day == 1 else numbers
    elif part.get("name"):
        month_day = (_MONTHS.get(part["name"].lower(), 0), int(part.get("day") or 1))
    else:
        month_day = (int(part["month"]), int(part.get("day") or 1))
    year = int(part["year"])
    if len(part["year"]) == 2:
        year += 2000 if year < 69 else 1900  # as pandas and POSIX do
    try:
        days = dt.date(year, *month_day).toordinal() - _EPOCH
    except ValueError:
        return None
    if part["hour"] is None:
        return float(days)
    fraction = _fraction(part)
    return None if fraction is None else days + fraction - _offset(part["zone"]) / 86400


def _read_time(text: str) -> float | None:
    """Fraction of a day of a text such as 13:45."""
    match = _TIME_OF_DAY.fullmatch(text.strip())
    return None if match is None else _fraction(match.groupdict())


def _fraction(part: dict[str, Any]) -> float | None:
    """Fraction of a day of the groups of `_CLOCK`; None if there is no such time."""
    hour, minute = int(part["hour"]), int(part["minute"])
    second = float((part["second"] or "0").replace(",", "."))
    half = part["half"] or {"오전": "am", "오후": "pm"}.get(part["half_before"] or "")
    if half is not None:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    if hour > 23 or minute > 59 or second >= 60:
        return None
    return (hour * 3600 + minute * 60 + second) / 86400


def _offset(zone: str | None) -> int:
    """Seconds east of UTC."""
    if zone is None or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def _object_days(value: Any) -> float:
    if isinstance(value, pd.Period):
        value = value.start_time
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return np.nan
    if isinstance(value, (dt.timedelta, np.timedelta64)):
        return float(pd.Timedelta(value) / pd.Timedelta(days=1))
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(dt.UTC)
    if isinstance(value, dt.time):
        return _seconds(value) / 86400
    days = float(value.toordinal() - _EPOCH)
    return days + _seconds(value) / 86400 if isinstance(value, dt.datetime) else days


def _seconds(time: dt.time | dt.datetime) -> float:
    return time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6


def whole_numbers(days: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As int64 if all are whole and none is missing."""
    with np.errstate(invalid="ignore"):
        whole = bool((days == np.floor(days)).all())
    return days.astype(np.int64) if whole else days
