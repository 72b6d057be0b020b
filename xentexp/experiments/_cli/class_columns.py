"""Which class each column of predictions belongs to: from --labels or the names of the columns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import takewhile
from typing import Any

from xentexp._inputs.labels import plain_text
from xentexp.errors import InputError


def split_names(text: str, known: Collection[str]) -> list[str]:
    """Split at commas, except at those inside the known names."""
    words = text.split(",")

    def splits(start: int) -> Iterable[list[str]]:
        if start == len(words):
            yield []
        for end in range(start + 1, len(words) + 1):
            if (name := ",".join(words[start:end])) in known:
                yield from ([name, *rest] for rest in splits(end))

    if not any("," in name for name in known):
        return words
    found = list(splits(0))
    if len(found) > 1:
        raise InputError(
            f"names must be separated by commas in one way; {text!r} can be read as "
            f"{' or as '.join(map(repr, found[:2]))}; rename the columns"
        )
    return found[0] if found else words


def read_labels(option: str, labels: dict[str, Any]) -> list[Any]:
    """Classes of --labels; `labels` are those of the file, by their text."""
    numeric = bool(labels) and all(_is_number(label) for label in labels.values())

    def read(name: str) -> Any:
        if name in labels:
            return labels[name]
        number = _number(name) if numeric else None
        if number is None:
            return name
        # 0.0 and 0 are the same class; a number that the file lacks has the type of the others.
        return labels.get(plain_text(number), int(number) if number.is_integer() else number)

    return [read(name) for name in split_names(option, labels)]


def classes_by_name(columns: Sequence[str], labels: dict[str, Any]) -> list[Any] | None:
    """Class of each column, if the names of all columns end in (or are) different classes."""
    if len(columns) < 2 or len(set(columns)) < len(columns):
        return None
    if set(labels) <= set(columns):
        return [labels.get(name, name) for name in columns]
    for names in (columns, _without_common_end(columns)):
        for ends in _NUMBER_ENDS if _all_numbers(labels) else (_label_ends,):
            found = ends(names, labels)
            if found is not None:
                return found
    return None


def contradiction(columns: Sequence[str], classes: Sequence[Any]) -> str | None:
    """Why the names of columns do not fit to classes in this order; None if they may fit."""
    labels = {plain_text(label): label for label in classes}
    if len(columns) == 1 and len(classes) == 2:
        found = _own_class(columns[0], labels)
        if found is None or found == classes[1]:
            return None
        return (
            f"a single column must contain predictions of the second class, "
            f"{plain_text(classes[1])}; the name {columns[0]} ends in {plain_text(found)}"
        )
    named = classes_by_name(columns, labels) if len(columns) == len(classes) else None
    if named is None or named == list(classes):
        return None
    return (
        f"the classes {_listed(classes)} must be in the order of the columns "
        f"{', '.join(columns)}, whose names end in {_listed(named)}"
    )


def doubtful(columns: Sequence[str]) -> bool:
    """Whether names end in numbers that are neither missing nor 0, 1, ... in this order."""
    # Such names may be those of other classes, or of classes in another order.
    for names in (columns, _without_common_end(columns)):
        matches = [re.search(r"\d+$", name) for name in names]
        ends = [None if match is None else match[0] for match in matches]
        if len(set(ends)) == 1:  # e.g. a2, b2: the number does not tell the columns apart
            continue
        if any(end and not end.endswith(str(number)) for number, end in enumerate(ends)):
            return True
    return False


def _own_class(column: str, labels: dict[str, Any]) -> Any | None:
    """Class whose label is the end of a single name; None if there is none."""
    if _all_numbers(labels):
        match = re.search(r"[-+]?\d+(\.\d+)?$", column) if _negative(labels) else None
        match = match or re.search(r"\d+$", column)
        return None if match is None else labels.get(plain_text(float(match[0])))
    ends = _longest_end(column, labels)
    return None if ends is None else labels[ends]


def _listed(classes: Iterable[Any]) -> str:
    return ", ".join(map(plain_text, classes))


def _is_number(label: Any) -> bool:
    return isinstance(label, (int, float)) and not isinstance(label, bool)


def _all_numbers(labels: dict[str, Any]) -> bool:
    return all(_is_number(label) for label in labels.values())


def _negative(labels: dict[str, Any]) -> bool:
    return any(label < 0 for label in labels.values())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _ends_in(pattern: str) -> Callable[[Sequence[str], dict[str, Any]], list[Any] | None]:
    """Read the classes as the numbers at the ends of the names."""

    def read(names: Sequence[str], labels: dict[str, Any]) -> list[Any] | None:
        matches = [re.search(pattern, name) for name in names]
        texts = [plain_text(float(match[0])) for match in matches if match is not None]
        if len(texts) < len(names) or len(set(texts)) < len(texts) or not set(labels) <= set(texts):
            return None
        return [labels.get(text, int(text) if _is_whole(text) else float(text)) for text in texts]

    return read


def _is_whole(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None


_NUMBER_ENDS = (
    _ends_in(r"[-+]?\d+(\.\d+)?$"),  # p_-1, p_1
    _ends_in(r"\d+(\.\d+)?$"),  # p-1, p-0: a hyphen, not a sign
    _ends_in(r"\d+$"),  # v2.1, v2.0
)


def _label_ends(names: Sequence[str], labels: dict[str, Any]) -> list[Any] | None:
    """Read the classes as the texts at the ends of the names; one class may not be in the file."""
    ends = [_longest_end(name, labels) for name in names]
    found = [end for end in ends if end is not None]
    if len(set(found)) < len(found) or set(found) != set(labels):
        return None
    starts = {
        name[: len(name) - len(end)]
        for name, end in zip(names, ends, strict=True)
        if end is not None
    }
    classes = []
    for name, end in zip(names, ends, strict=True):
        if end is not None:
            classes.append(labels[end])
            continue
        [start] = starts if len(starts) == 1 else [""]
        if not start or not name.startswith(start) or name == start:
            return None
        classes.append(name[len(start) :])
    return classes


def _longest_end(name: str, labels: Iterable[str]) -> str | None:
    """Longest label in which a name ends, at which a new word starts."""
    for exact in (True, False):
        text = name if exact else name.casefold()
        ends = [
            label
            for label in labels
            if label
            and text.endswith(label if exact else label.casefold())
            and _separate(name, len(name) - len(label))
        ]
        longest = [label for label in ends if len(label) == max(map(len, ends))]
        if len(longest) == 1:
            return longest[0]
    return None


def _separate(name: str, place: int) -> bool:
    """Whether a new word starts at a place of a name: P_BAD, predBad, p2bad, but not pbad."""
    if place <= 0:
        return place == 0
    before, first = name[place - 1], name[place]
    if not before.isalnum() or not first.isalnum():
        return True
    return before.isdigit() != first.isdigit() or (before.islower() and first.isupper())


def _without_common_end(columns: Sequence[str]) -> list[str]:
    """Names without the words that all of them end in: 1_prob, 0_prob become 1, 0."""
    letters = zip(*(name[::-1] for name in columns), strict=False)
    shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, letters))
    end = columns[0][len(columns[0]) - shared :]
    for start in range(len(end)):
        length = len(end) - start
        if all(_separate(name, len(name) - length) for name in columns):
            cut = [name[:-length].rstrip("_-. ") for name in columns]
            if not re.match(r"\d", end[start:]) and all(cut):
                return cut
    return list(columns)
