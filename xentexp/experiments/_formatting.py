"""Numbers and names as text: on the terminal, in notes, in reports and in records."""

from __future__ import annotations

import math
import re
import string
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DASH = "–"  # noqa: RUF001
MINUS = "−"  # noqa: RUF001

LONGEST_TAG = 5000
"""Length of a tag that servers of MLflow of all versions accept."""


def percent(value: float) -> str:
    """Percentage with at most two decimals; a dash for NaN."""
    if math.isnan(value):
        return DASH
    if value == 0.0:
        return "0"
    if value > 9999:
        return ">9999"
    if value < 0.01:
        return "<0.01"
    return f"{value:.2f}" if value < 0.995 else f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def signed_percent(value: float) -> str:
    """Positive percentage with sign and unit, e.g. ``+4.6 %``."""
    return f"+{percent(value)} %".replace("+<", "< +").replace("+>", "> +")


def p_value(value: float) -> str:
    """P-value, e.g. ``p = 0.043``; ``no test`` for NaN."""
    if math.isnan(value):
        return "no test"
    if value < 0.001:
        return "p < 0.001"
    return f"p = {value:.2g}"


def number(value: float) -> str:
    """Mean of a loss in at most nine characters and a sign; a dash for NaN."""
    if math.isnan(value):
        return DASH
    if 0.0 < abs(value) < 0.01:
        return f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.1e}"
    if 1000.0 <= abs(value) < math.inf:
        return f"{value:.0f}" if abs(value) < 99999.5 else f"{value:.1e}"
    return f"{value:.4f}" if math.isfinite(value) else f"{value}"


def fixed(value: float, decimals: int = 4, *, sign: str = "") -> str:
    """Number with fixed decimals, never ``-0``; a hyphen for NaN."""
    return "-" if math.isnan(value) else f"{value:{sign}z.{decimals}f}"


def signed(value: float, decimals: int = 4, *, sign: str = "") -> str:
    """Number for people: fixed decimals and a true minus sign; ``undefined`` for NaN."""
    if math.isnan(value):
        return "undefined"
    if 1e5 <= abs(value) < math.inf:
        return f"{value:{sign}.3g}".replace("-", MINUS)
    return fixed(value, decimals, sign=sign).replace("-", MINUS)


def decimals_for(values: Iterable[float], errors: Iterable[float] = (), *, least: int = 4) -> int:
    """Decimals of a column: at least `least`, more if all values or errors are smaller."""
    # Errors below 1e-12 are rounding.
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0.0]
    errors = [error for error in errors if math.isfinite(error) and error > 1e-12]
    needed = [least]
    if sizes:
        needed.append(3 - math.floor(math.log10(max(sizes))) if max(sizes) < 0.1 else least)
    if errors:
        needed.append(-math.floor(math.log10(min(errors))))  # one digit of the smallest error
    return min(max(needed), 8)


def and_list(names: Sequence[str], *, most: int = 20) -> str:
    """Names in a sentence: ``a``, ``a and b``, ``a, b and c``, ``a, b and 4 more``."""
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def setting(value: object, digits: int = 6) -> str:
    """Value of a parameter; a float is rounded to `digits` significant digits."""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def finite_or_none(value: float) -> float | None:
    """Number for JSON; None for NaN and infinity, which JSON does not have."""
    return value if math.isfinite(value) else None


def dotted(parameter: str) -> str:
    """Nested parameter ``a__b`` of scikit-learn as ``a.b``, the form of configuration files."""
    return parameter.replace("__", ".")


def counted(number: int, noun: str) -> str:
    """Number and noun, e.g. ``1 row`` or ``2,000 rows``."""
    return f"{number:,} {noun if number == 1 else noun + ('es' if noun.endswith('s') else 's')}"


def spaced(name: str) -> str:
    """Name with underscores replaced by spaces."""
    return name.replace("_", " ")


def wrapped(name: str, width: int) -> str:
    """Label of a loss in lines of `width` characters, with spaces for underscores in its name."""
    loss, space, rest = name.partition(" ")
    words = spaced(loss) + space + rest
    return "\n".join(textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False))


def escaped(text: str) -> str:
    """Text for Markdown: not read as HTML, a link, an emphasis or the border of a cell."""
    text = re.sub(r"\s*\n\s*", " ", text.replace("&", "&amp;").replace("<", "&lt;"))
    return re.sub(r"([\\`*|])", r"\\\1", text).replace("](", "]\\(")


def markdown_table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, n_text_columns: int = 1
) -> str:
    """Markdown table; the first columns are text, the others are aligned to the right."""
    rule = "---|" * n_text_columns + "---:|" * (len(headers) - n_text_columns)
    lines = [f"| {' | '.join(cells)} |" for cells in (headers, *rows)]
    return "\n".join([lines[0], f"|{rule}", *lines[1:]])


class _Text(string.Formatter):
    """Format of `str.format` with a true minus sign and words for values that are not finite."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return (
                "undefined"
                if math.isnan(value)
                else "infinite"
                if value > 0
                else f"{MINUS}infinite"
            )
        text = super().format_field(value, format_spec)
        return text.replace("-", MINUS) if isinstance(value, (int, float)) else text


@dataclass(frozen=True)
class Sentence:
    """Template of `str.format` and its values, which tests compare with those of tables."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return _Text().vformat(self.template, (), self.values)

    def numbers(self) -> dict[str, float]:
        """Values that are numbers."""
        return {
            name: float(value)
            for name, value in self.values.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }


def sentence(template: str, **values: object) -> Sentence:
    """Sentence from a template, e.g. ``sentence("{n:,} rows", n=3000)``."""
    return Sentence(template, values)


def plain(text: str) -> Sentence:
    """Sentence of a text that exists already."""
    return Sentence("{text}", {"text": text})


def harmless(value: object) -> object:
    """Value of a cell: text that a spreadsheet would compute as a formula starts with a quote."""
    if isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@"):
        try:
            float(value)
        except ValueError:
            return f"'{value}"
    return value
