"""`xentexp score`: losses and metrics of predictions in a file."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from xentexp._inputs.labels import plain_text
from xentexp.errors import InputError
from xentexp.experiments._cli.class_columns import (
    classes_by_name,
    contradiction,
    doubtful,
    read_labels,
    split_names,
)
from xentexp.experiments._cli.terminal import print_json, print_table
from xentexp.experiments._formatting import counted, finite_or_none, fixed
from xentexp.metrics._registry import get_metrics

if TYPE_CHECKING:
    from xentexp.experiments._file_columns import LabelColumn, RowNames

FILE_OPTIONS = ("separator", "encoding", "decimal", "header", "sheet", "max_megabytes")
"""Parameters of `load_table` that are options of `xentexp score`, too."""

_PREDICTIONS = ("proba", "decision")


def score(options: argparse.Namespace) -> int:
    """`xentexp score FILE --target y --proba p0,p1`."""
    from xentexp.experiments._file_columns import (
        ArrowColumns,
        RowNames,
        label_type,
        open_columns,
    )
    from xentexp.experiments._score_file import ScoredColumns, score_columns, score_on_dask
    from xentexp.experiments.datasets._files import FileOptions, with_rows_of_file

    if options.proba is None and options.decision is None:
        raise InputError(
            "columns of predictions must be set; pass --proba or --decision with names of columns"
        )
    if options.address is not None and options.engine is None:
        raise InputError("--address is the address of a Dask scheduler; add --engine dask")
    given = {key: getattr(options, key) for key in FILE_OPTIONS}
    try:
        file = open_columns(
            options.file,
            "score",
            FileOptions(**given),
            options.target,
            typed=options.engine is not None,
        )
        columns = {
            option: _names(file.names, getattr(options, option), option) for option in _PREDICTIONS
        }
        weight = {} if options.weight is None else {options.weight: "--weight"}
        numbers = {name: f"--{option}" for option, names in columns.items() for name in names}
        found = file.prepare({**numbers, **weight}, options.target)
    except InputError as error:
        raise InputError(as_options(str(error))) from error
    notes = [as_options(note) for note in file.notes]
    row_names = RowNames(found, file.parts)
    _check_missing(found, row_names, options)
    labels, columns = _classes(options.labels, columns, found.labels)
    scored_columns = ScoredColumns(
        options.target,
        tuple(columns["proba"]),
        tuple(columns["decision"]),
        options.weight,
        None if labels is None else tuple(labels),
        options.from_logits,
        options.normalize,
        label_type(found.labels) if file.large else "O",
    )
    try:
        metrics = None
        if options.losses is not None:
            metrics = get_metrics(_words(options.losses), "--losses")
        if isinstance(file, ArrowColumns) and options.engine == "dask":
            scored, left_out = score_on_dask(
                file, scored_columns, metrics, options.address, ordered=options.ordered
            )
            if left_out:
                notes.append(
                    f"{', '.join(left_out)} need all rows in one place; leave out --engine to "
                    f"compute them"
                )
        else:
            scored = score_columns(file, scored_columns, metrics, ordered=options.ordered)
    except InputError as error:
        message = with_rows_of_file(str(error), row_names)
        predicted = columns["proba"] or columns["decision"]
        raise InputError(_with_options(message, options.target, predicted)) from error
    result = scored.evaluation
    values = {name: value for name, value in result.metrics.items() if value == value}
    any_loss = bool(result.mean)
    if options.json:
        print_json(
            {
                "rows": scored.n_rows,
                "rows_without_label": found.n_missing,
                "classes": list(scored.classes),
                "clipped_rows": result.clipped if any_loss else None,
                "losses": {
                    name: {
                        "mean": finite_or_none(mean),
                        "standard_error": finite_or_none(result.standard_error[name]),
                        "infinite": result.infinite[name],
                        **{
                            f"class {label}": finite_or_none(value)
                            for label, value in result.class_mean[name].items()
                        },
                    }
                    for name, mean in result.mean.items()
                },
                "metrics": {name: finite_or_none(value) for name, value in values.items()},
                "notes": notes,
            }
        )
        return 0
    title = f"{options.file.name}: {counted(scored.n_rows, 'row')}"
    if any_loss:
        title += f", {result.clipped:,} clipped"
    if found.n_missing:
        title += f", {found.n_missing:,} without a label left out"
    if any_loss:
        classes = [f"class {label}" for label in scored.classes]
        rows = [
            [name, fixed(mean, 6), fixed(result.standard_error[name], 6)]
            + [fixed(value) for value in result.class_mean[name].values()]
            for name, mean in result.mean.items()
        ]
        headers = ["loss", "mean", "std. error", *classes]
        if any(result.infinite.values()):  # the number of rows explains a mean of inf
            headers.insert(3, "infinite")
            for row in rows:
                row.insert(3, str(result.infinite[row[0]]))
        print_table(headers, rows, title=title)
    if values:
        rows = [[name, fixed(value, 6)] for name, value in values.items()]
        headers = ["metric of the whole data set", "value"]
        print_table(headers, rows, title="" if any_loss else title)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return 0


def as_options(text: str) -> str:
    """Replace parameters of `load_table` in a text by options of the command line."""
    text = text.replace("; name columns in categorical to keep them as text", "")
    for name in FILE_OPTIONS:
        option = "--" + name.replace("_", "-")
        text = re.sub(rf"\b{name}=", f"{option} ", text)
        text = re.sub(rf"\b(set|and) {name}\b", rf"\1 {option}", text)
    return text


def _with_options(message: str, target: str, names: Sequence[str]) -> str:
    """Replace parameters of Python functions in a message by options of the command line."""
    predictions = f"column{'s' if len(names) > 1 else ''} {', '.join(names)}"
    replacements = [
        (r"raw scores, pass from_logits=True", "raw scores (logits), add --from-logits"),
        (r"normalize=True to (.*?), or normalize=None.*", r"--normalize to \1"),
        (r", or use a label instead and pass it as ignore_label=", ""),
        (r"pass ignore_label=\S+ to ignore such rows, or ", "remove these rows, or pass "),
        (r"needs decision scores$", "needs decision scores; pass --decision COLUMN"),
        (r"needs probabilities$", "needs probabilities; pass --proba COLUMNS"),
        (r"\blabels= ?", "--labels "),
        (r"\bfrom_logits=True", "--from-logits"),
        (r"\bnormalize=True", "--normalize"),
        (r"\by_true\b", _literal(f"column {target}")),
        (r"\by_pred\b", _literal(predictions)),
    ]
    for pattern, text in replacements:
        message = re.sub(pattern, text, message)
    return message


def _literal(text: str) -> str:
    """Text as a replacement for `re.sub`."""
    return text.replace("\\", r"\\")


def _words(text: str) -> list[str]:
    return [word for word in map(str.strip, text.split(",")) if word]


def _names(known: Sequence[str], text: str | None, option: str) -> list[str]:
    """Names of the columns of an option; a name may contain commas."""
    names = [] if text is None else split_names(text, known)
    if len(set(names)) < len(names):
        raise InputError(f"columns of --{option} must be different; got {text}")
    return names


def _check_missing(found: LabelColumn, rows: RowNames, options: argparse.Namespace) -> None:
    """Raise an InputError for rows without a label, unless they are left out."""
    if found.n_missing == found.n_rows:
        raise InputError(
            f"column {options.target} must have labels; got none in {counted(found.n_rows, 'row')}"
        )
    if found.n_missing and not options.drop_missing:
        raise InputError(
            f"column {options.target} must not have missing values; got {found.n_missing} in "
            f"{counted(found.n_rows, 'row')}, the first in row "
            f"{rows.in_file(int(found.missing[0][0]))} (counted from 0); fill them in, or add "
            f"--drop-missing to leave these rows out"
        )


Columns = dict[str, list[str]]  # names of the columns by option


def _classes(
    option: str | None, columns: Columns, found: set[Any]
) -> tuple[list[Any] | None, Columns]:
    """Classes (None: 0, 1, ...), and the columns in their order."""
    # From --labels or the names of the columns. The order is never guessed.
    labels = {plain_text(label): label for label in found}
    names = columns["proba"] or columns["decision"]
    if option is not None:
        classes = read_labels(option, labels)
        if len(classes) == 1:
            raise InputError(
                f"--labels must list all classes, comma-separated; got {option!r}; "
                f"{_second_class(names, labels)}"
            )
        for listed in columns.values():
            # A number at the end of a single name may be that of a model.
            if len(listed) == 1 and not any(isinstance(label, str) for label in classes):
                continue
            if reason := contradiction(listed, classes):
                raise InputError(f"--labels: {reason}; change the order, or rename the columns")
        return classes, columns
    named = classes_by_name(names, labels)
    if named is None:
        classes = _numbered(names, labels)
    elif any(isinstance(label, (str, bool)) for label in named):
        classes = named
    else:
        classes = sorted(named)
    in_order = {}
    for key, listed in columns.items():
        own = classes_by_name(listed, {plain_text(label): label for label in classes}) or named
        in_order[key] = listed
        if own is not None and len(own) == len(listed) and set(own) == set(classes):
            in_order[key] = [listed[own.index(label)] for label in classes]
        elif reason := contradiction(listed, classes):
            raise InputError(f"{reason}; write --labels 1,0 if these are its predictions, else 0,1")
    return None if classes == list(range(len(classes))) else classes, in_order


def _numbered(columns: list[str], labels: dict[str, Any]) -> list[Any]:
    """Classes 0, 1, ... of columns whose names do not tell the classes."""
    numbers = list(range(max(2, len(columns))))
    present = f"the labels in the file are {', '.join(sorted(labels)[:10])}"
    if set(labels) <= set(map(str, numbers)):
        if len(columns) > 1 and doubtful(columns):
            raise InputError(
                f"--labels must be set to the classes in the order of the columns "
                f"{', '.join(columns)}, because the numbers in these names are not 0, 1, ... in "
                f"this order; {present}"
            )
        return numbers
    if len(columns) == 1:
        raise InputError(
            f"--labels must be set to the two classes; {present}; {_second_class(columns, labels)}"
        )
    raise InputError(
        f"--labels must be set to the classes in the order of the columns {', '.join(columns)}; "
        f"{present}"
    )


def _second_class(columns: list[str], labels: Iterable[str]) -> str:
    """Advice to name both classes for a single column of probabilities or decision scores."""
    names = sorted(labels) if len(set(labels)) == 2 else ["FIRST", "SECOND"]
    if len(columns) > 1:
        return f"write them in the order of the columns {', '.join(columns)}"
    return (
        f"write e.g. --labels {','.join(names)}: the second is the class whose probability or "
        f"decision score column {columns[0]} contains"
    )
