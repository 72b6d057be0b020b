"""The subcommands that look things up or score what exists."""

from __future__ import annotations

import argparse
import difflib
import inspect
import os
import re
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from xentexp.cli.terminal import (
    console,
    facts_row,
    print_json,
    print_leaderboard,
    print_losses,
    print_sample_metrics,
    print_table,
)
from xentexp.errors import InputError, unknown_name
from xentexp.losses import LOSSES, Loss, get_loss, load_plugins
from xentexp.samples import SAMPLE_METRICS, SampleMetric, get_sample_metric, is_sample_metric
from xentexp.validation import plain_text


def losses(options: argparse.Namespace) -> int:
    """`xentexp losses [NAME]`.

    Parameters
    ----------
    options : Namespace
        Of the command.

    Returns
    -------
    int
        Exit code.
    """
    load_plugins()
    if options.name is None:
        if options.json:
            judges: list[Loss | SampleMetric] = [*LOSSES.values(), *SAMPLE_METRICS.values()]
            print_json([facts_row(judge) for judge in judges])
        else:
            print_losses(LOSSES)
            print_sample_metrics()
        return 0
    if is_sample_metric(options.name):
        judge: Loss | SampleMetric = get_sample_metric(options.name)
    else:
        judge = _loss_of(options.name)
    if options.json:
        print_json(facts_row(judge))
    else:
        from xentexp import metrics

        function = getattr(metrics, judge.name)
        print(f"xentexp.metrics.{judge.name}{inspect.signature(function)}\n")
        if isinstance(judge, SampleMetric) and judge.label != judge.name:
            print(f"{judge.label} is {judge!r}.\n")
        print(function.__doc__)
    return 0


def _loss_of(name: str) -> Loss:
    """Loss by name; where there is none, the metrics of a sample are near names too."""
    try:
        return get_loss(name)
    except InputError:
        near = difflib.get_close_matches(name, SAMPLE_METRICS, n=1, cutoff=0.7)
        if near:
            raise unknown_name("loss or metric", name, [*LOSSES, *SAMPLE_METRICS]) from None
        raise


def datasets(options: argparse.Namespace) -> int:
    """`xentexp datasets [NAME [PARAMETER=VALUE ...]] [--key COLUMNS]`.

    Parameters
    ----------
    options : Namespace
        Of the command.

    Returns
    -------
    int
        Exit code.
    """
    from dataclasses import asdict

    from xentexp.datasets import dataset_cards

    cards = {card.name: asdict(card) for card in dataset_cards()}
    if options.name is None:
        if options.json:
            print_json(list(cards.values()))
        else:
            print_table(
                ["name", "title", "target", "licence"],
                [[c["name"], c["title"], c["target"], c["licence"]] for c in cards.values()],
            )
        return 0
    if options.name not in cards:
        raise unknown_name("data set", options.name, cards)
    card = cards[options.name]
    parameters = _parameters(options.parameters)
    if parameters or options.name in _WITHOUT_ARGUMENTS or _is_at_hand(options.name):
        from xentexp.datasets import load_dataset

        key = None if options.key is None else options.key.split(",")
        card = load_dataset(options.name, **parameters).describe(key)
    elif options.key is not None:
        raise InputError(
            f"--key needs the rows of {options.name}; name what its loader needs, e.g. path=FILE"
        )
    if options.json:
        print_json(card)
        return 0
    out = console()
    for key, value in card.items():
        if isinstance(value, (list, tuple)) and key == "traps":
            out.print(Text("traps", style="bold"))
            for trap in value:
                out.print(Text(f"  - {trap}"))
        elif key == "entities" and isinstance(value, dict):
            told = (
                f"{value['number']:,} ({value['how']}); {value['repeated_rows']:,} rows share "
                f"one with another row, {value['largest']:,} at most"
            )
            out.print(Text.assemble((f"{key:<14}", "bold"), told))
        elif key == "entities":
            out.print(Text.assemble((f"{key:<14}", "bold"), "none found"))
        elif key in ("constant", "id_like"):
            out.print(Text.assemble((f"{key:<14}", "bold"), ", ".join(value) or "none"))
        elif isinstance(value, dict):
            inner = ", ".join(
                f"{k}: {v:.4f}" if isinstance(v, float) else f"{k}: {v}" for k, v in value.items()
            )
            out.print(Text.assemble((f"{key:<14}", "bold"), inner or "none"))
        elif value is not None:
            out.print(Text.assemble((f"{key:<14}", "bold"), str(value)))
    return 0


def _parameters(words: list[str]) -> dict[str, Any]:
    """Parameters of a loader, as Hydra reads them on the command line of `run`."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for word in words:
        if not re.match(r"\w+=", word):
            raise InputError(f"a parameter must be NAME=VALUE; got {word!r}")
    try:
        read = OmegaConf.to_container(OmegaConf.from_dotlist(words), resolve=True)
    except (OmegaConfBaseException, ValueError) as error:
        raise InputError(f"the parameters {' '.join(words)} cannot be read: {error}") from error
    assert isinstance(read, dict)
    return {str(name): value for name, value in read.items()}


def _is_at_hand(name: str) -> bool:
    from xentexp.datasets.dacon import FOLDER_VARIABLE

    return name == "dacon" and bool(os.environ.get(FOLDER_VARIABLE))


# Data sets whose card is completed by loading them: they are at hand and need nothing.
_WITHOUT_ARGUMENTS = ("uci_default", "simulated_delinquency")


def leaderboard(options: argparse.Namespace) -> int:
    """`xentexp leaderboard`.

    Parameters
    ----------
    options : Namespace
        Of the command.

    Returns
    -------
    int
        Exit code.
    """
    from xentexp import tracking

    uri = tracking.store_uri(options.store)
    client = tracking.open_client(uri, create=False)
    with tracking.told_plainly(uri):
        name, board = tracking.read_leaderboard(client, options.experiment, every=options.all)
    if options.sort is not None:
        board = board.sorted_by(options.sort)
    if options.losses is not None:
        names = None if options.losses == "all" else options.losses.split(",")
        board = board.showing(names)
    if options.json:
        records = board.to_records()
        print_json({"experiment": name, "primary": board.primary, "leaderboard": records})
    else:
        which = "all runs, whose data and folds may differ" if options.all else "latest run"
        print_leaderboard(board, title=f"{name}: {which}")
    return 0


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
    from xentexp.datasets.files import read_table
    from xentexp.evaluation import choose, run
    from xentexp.samples import Sample
    from xentexp.validation import read

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
        problem = read(
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
            result = run(problem, choose(problem, losses, ordered=options.ordered))
        sample = Sample(problem, state=None if result is None else result.state)
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
                "rows": problem.n_rows,
                "classes": list(problem.classes),
                "clipped_rows": None if result is None else result.clipped,
                "losses": {
                    str(name): {key: _finite(value) for key, value in row.items()}
                    for name, row in frame.items()
                },
                "metrics": values,
            }
        )
        return 0
    if result is not None:
        classes = [f"class {label}" for label in problem.classes]
        rows = [
            [str(name), f"{row['mean']:.6f}", f"{row['standard_error']:.6f}"]
            + [f"{row[label]:.4f}" for label in classes]
            for name, row in frame.items()
        ]
        title = f"{options.file.name}: {problem.n_rows:,} rows, {result.clipped:,} clipped"
        print_table(["loss", "mean", "std. error", *classes], rows, title=title)
    if values:
        rows = [[name, f"{value:.6f}"] for name, value in values.items()]
        print_table(["of the whole sample", "value"], rows)
    return 0


def _measured(sample: Any) -> Iterator[tuple[str, float]]:
    """Metrics of a sample that apply, save those that need the shares of a training set."""
    from xentexp.samples import LOGGED, UndefinedError

    for metric in LOGGED:
        if metric.facts.prior or metric.unsuited_to(sample) is not None:
            continue
        try:
            yield metric.label, metric.value(sample)
        except UndefinedError:
            continue


def _finite(value: Any) -> Any:
    return value if not isinstance(value, float) or value - value == 0 else None


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


__all__ = ["datasets", "leaderboard", "losses", "score"]
