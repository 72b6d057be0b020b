"""`xentexp score`: losses and metrics of predictions in a file."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Any

from xentexp.errors import InputError, unknown_name
from xentexp.experiments.cli.terminal import print_json, print_table
from xentexp.experiments.formatting import finite_or_none, fixed
from xentexp.inputs.labels import plain_text
from xentexp.metrics.registry import get_sample_metric, is_sample_metric


def score(options: argparse.Namespace) -> int:
    """`xentexp score FILE --target y --proba p0,p1`.

    Parameters
    ----------
    options : Namespace
        Of the command.

    Returns
    -------
    int
        Exit code.
    """
    from xentexp.experiments.datasets.files import read_table
    from xentexp.inputs.read import read
    from xentexp.metrics.evaluation import choose, run
    from xentexp.metrics.sample import Sample

    if options.proba is None and options.decision is None:
        raise InputError("--proba or --decision must name columns of predictions")
    table = read_table(options.file, "score")
    target = _column(table, options.target, "--target")
    proba = _columns(table, options.proba, "--proba")
    decision = _columns(table, options.decision, "--decision")
    columns = (options.proba or options.decision).split(",")
    named = None if options.losses is None else options.losses.split(",")
    losses = None if named is None else [name for name in named if not is_sample_metric(name)]
    metrics = [] if named is None else [name for name in named if is_sample_metric(name)]
    try:
        checked = read(
            target,
            proba,
            decision=decision,
            from_logits=options.from_logits,
            labels=_labels(options.labels, columns, target),
            sample_weight=None
            if options.weight is None
            else _column(table, options.weight, "--weight"),
            normalize=options.normalize,
        )
        result = None
        if losses or named is None:
            result = run(checked, choose(checked, losses, ordered=options.ordered))
        sample = Sample(checked, state=None if result is None else result.state)
        values = {name: get_sample_metric(name).measure(sample) for name in metrics}
        if named is None:
            values = dict(_measured(sample))
    except InputError as error:
        advice = re.sub(
            r"normalize=True to (.*?), or normalize=None.*", r"--normalize to \1", str(error)
        )
        raise InputError(advice.replace("labels=", "--labels")) from error
    frame = {} if result is None else result.to_frame().to_dict("index")
    if options.json:
        print_json(
            {
                "rows": checked.n_rows,
                "classes": list(checked.classes),
                "clipped_rows": None if result is None else result.clipped,
                "losses": {
                    str(name): {key: finite_or_none(value) for key, value in row.items()}
                    for name, row in frame.items()
                },
                "metrics": values,
            }
        )
        return 0
    if result is not None:
        classes = [f"class {label}" for label in checked.classes]
        rows = [
            [str(name), *(fixed(row[key], 6) for key in ("mean", "standard_error"))]
            + [fixed(row[label]) for label in classes]
            for name, row in frame.items()
        ]
        title = f"{options.file.name}: {checked.n_rows:,} rows, {result.clipped:,} clipped"
        print_table(["loss", "mean", "std. error", *classes], rows, title=title)
    if values:
        rows = [[name, fixed(value, 6)] for name, value in values.items()]
        print_table(["of the whole sample", "value"], rows)
    return 0


def _measured(sample: Any) -> Iterator[tuple[str, float]]:
    """Metrics of a sample that apply, save those that need the shares of a training set."""
    from xentexp.metrics.base import UndefinedError
    from xentexp.metrics.registry import LOGGED

    for metric in LOGGED:
        if metric.properties.prior or metric.why_not_for(sample) is not None:
            continue
        try:
            yield metric.label, metric.value(sample)
        except UndefinedError:
            continue


def _column(table: Any, name: str, option: str) -> Any:
    if name not in table:
        raise unknown_name(f"column for {option}", name, map(str, table.columns))
    return table[name].to_numpy()


def _columns(table: Any, names: str | None, option: str) -> Any:
    """One column as a vector, several as a matrix in the order they are named in."""
    if names is None:
        return None
    listed = names.split(",")
    for name in listed:
        if name not in table:
            raise unknown_name(f"column for {option}", name, map(str, table.columns))
    return table[listed[0]].to_numpy() if len(listed) == 1 else table[listed].to_numpy()


def _labels(given: str | None, columns: list[str], target: Any) -> list[Any] | None:
    """Classes in the order of the columns; None where they are column numbers.

    As typed in the terminal, as the columns are named, and never by a guess at an order.
    """
    found = {plain_text(label): label for label in set(target.tolist())}
    if given is not None:
        return [found.get(name, name) for name in given.split(",")]
    if len(columns) > 1 and set(found) <= set(columns):
        return [found.get(name, name) for name in columns]
    if set(found) <= {str(number) for number in range(max(2, len(columns)))}:
        return None
    raise InputError(
        f"--labels must name the classes in the order of the columns {', '.join(columns)}; "
        f"the labels are {', '.join(sorted(found)[:10])}"
    )
