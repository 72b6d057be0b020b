"""`xentexp losses` and `xentexp datasets`."""

from __future__ import annotations

import argparse
import inspect
import os
import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from xentexp.errors import InputError, unknown_name
from xentexp.experiments._cli.terminal import console, print_json, print_table
from xentexp.experiments._formatting import counted
from xentexp.losses import LOSSES, Loss, load_plugins
from xentexp.metrics._base import DatasetMetric, Metric
from xentexp.metrics._registry import DATASET_METRICS, get_metric


def losses(options: argparse.Namespace) -> int:
    """`xentexp losses [NAME]`."""
    load_plugins()
    if options.name is None:
        if options.json:
            everything: list[Metric] = [*LOSSES.values(), *DATASET_METRICS.values()]
            print_json([properties_row(metric) for metric in everything])
        else:
            print_losses(LOSSES)
            print_dataset_metrics()
        return 0
    metric = get_metric(options.name)
    if options.json:
        print_json(properties_row(metric))
        return 0
    from xentexp import metrics

    name = metric.function if isinstance(metric, DatasetMetric) else metric.name
    function = getattr(metrics, name)
    print(f"xentexp.metrics.{name}{inspect.signature(function)}\n")
    if metric.name != name:
        print(f"{metric.name} is {metric!r}.\n")
    print(function.__doc__)
    return 0


def datasets(options: argparse.Namespace) -> int:
    """`xentexp datasets [NAME [PARAMETER=VALUE ...]] [--key COLUMNS]`."""
    from dataclasses import asdict

    from xentexp.experiments.datasets import Finding, dataset_cards

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
    if parameters or options.name in _WITHOUT_ARGUMENTS or _has_default_path(options.name):
        from xentexp.experiments.datasets import load_dataset

        key = None if options.key is None else options.key.split(",")
        card = load_dataset(options.name, **parameters).describe(key)
    elif options.key is not None:
        raise InputError(
            f"--key needs the rows of {options.name}; add the parameters of its loader, e.g. "
            f"path=FILE"
        )
    if options.json:
        print_json(card)
        return 0
    out = console()
    for key, value in card.items():
        if isinstance(value, (list, tuple)) and key in ("traps", "notes"):
            if value:
                title = {"traps": "known problems", "notes": "notes on reading"}[key]
                out.print(Text(title, style="bold"))
            for entry in value:
                out.print(Text(f"  - {entry}"))
        elif key == "findings":
            if value:
                out.print(Text("warnings", style="bold"))
            for entry in value:
                out.print(Text(f"  - {Finding(**entry)}"))
        elif key == "entities" and isinstance(value, dict):
            repeated = value["repeated_rows"]
            text = (
                f"{value['number']:,} ({value['how']}); {counted(repeated, 'row')} "
                f"{'shares' if repeated == 1 else 'share'} an entity with another row; the largest "
                f"entity has {counted(value['largest'], 'row')}"
            )
            out.print(Text.assemble((f"{key:<18}", "bold"), text))
        elif key == "entities":
            text = "none found; add --key COLUMNS to check columns that identify one"
            out.print(Text.assemble((f"{key:<18}", "bold"), text))
        elif key in ("constant", "id_like"):
            label = {"constant": "constant columns", "id_like": "row identifiers"}[key]
            columns = ", ".join(value) or "none found"
            out.print(Text.assemble((f"{label:<18}", "bold"), columns))
        elif key == "duplicates":
            rows, conflicting = value["rows"], value["conflicting"]
            text = (
                f"{counted(rows, 'row')} {'repeats' if rows == 1 else 'repeat'} the features of an "
                f"earlier row ({value['rows_with_label']:,} with the same label); "
                f"{counted(conflicting, 'row')} {'has' if conflicting == 1 else 'have'} the "
                f"features of a row with another label"
            )
            out.print(Text.assemble((f"{key:<18}", "bold"), text))
        elif isinstance(value, dict):
            inner = ", ".join(
                f"{k}: {v:.4f}" if isinstance(v, float) else f"{k}: {v}" for k, v in value.items()
            )
            out.print(Text.assemble((f"{key:<18}", "bold"), inner or "none"))
        elif value is not None:
            out.print(Text.assemble((f"{key:<18}", "bold"), str(value)))
    return 0


def _parameters(words: list[str]) -> dict[str, Any]:
    """Parse NAME=VALUE as on the command line of `xentexp run`."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from xentexp.experiments._cli.arguments import for_hydra, parse
    from xentexp.experiments._cli.composition import check_resolvers, resolved

    values: dict[str, Any] = {}
    for word in words:
        if not re.match(r"\w+=", word):
            short = word.removeprefix("dataset.")
            advice = f"; leave out 'dataset.': write {short}" if short != word else ""
            raise InputError(f"parameters must have the form NAME=VALUE; got {word!r}{advice}")
        parsed = parse(for_hydra(f"dataset.{word}", multirun=False))
        if parsed is None or parsed.is_sweep_override():
            raise InputError(f"{word} cannot be read; put the value in quotes: NAME='VALUE'")
        values[word.partition("=")[0]] = parsed.value()
    try:
        config = OmegaConf.create(values)
        check_resolvers(OmegaConf.to_container(config, resolve=False))
        return resolved(config)
    except (OmegaConfBaseException, ValueError) as error:
        raise InputError(f"the parameters {' '.join(words)} cannot be read: {error}") from error


def _has_default_path(name: str) -> bool:
    from xentexp.experiments.datasets._dacon import FOLDER_VARIABLE

    return name == "dacon" and bool(os.environ.get(FOLDER_VARIABLE))


# Data sets that load offline without parameters, so that their rows are always described.
_WITHOUT_ARGUMENTS = ("uci_default", "simulated_delinquency")


_FAMILIES = {
    "crossentropy": "Cross-entropy",
    "proper": "Proper scoring rules, and zero-one",
    "focal": "Focal losses",
    "robust": "Robust to wrong labels",
    "ordinal": "Ordered classes",
    "margin": "Margin losses of decision scores",
    "regression": "Errors of probabilities (regression losses)",
    "divergence": "Divergences of distributions",
    "multilabel": "Multilabel (several labels per row)",
}


def print_losses(names: Iterable[str]) -> None:
    """Print the table of losses by family, one line per loss."""
    families: dict[str, list[str]] = {}
    for name in names:
        module = type(LOSSES[name]).__module__
        built_in = module.startswith("xentexp.losses.")
        family = _FAMILIES[module.rpartition("._")[2]] if built_in else f"Registered by {module}"
        families.setdefault(family, []).append(name)
    width = console().width
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    headers = ["name", "proper", "response", "classes", "convex"]
    if width >= 100:
        headers.append("formula")
    for number, header in enumerate(headers):
        table.add_column(header, no_wrap=number < 5, overflow="fold")
    for family, members in families.items():
        table.add_row(Text(family, style="bold"))
        for name in members:
            properties = LOSSES[name].properties
            proper = _SHORT.get(properties.properness, properties.properness)
            response = _SHORT.get(properties.response, properties.response)
            classes = "2" if properties.binary_only else "ordered" if properties.ordered else "any"
            classes = "labels" if properties.targets == "multilabel" else classes
            cells = [f"  {name}", proper, response, classes, "yes" if properties.convex else "no"]
            table.add_row(*map(Text, [*cells, properties.formula][: len(headers)]))
        table.add_row()
    out = console()
    out.print(table)
    for note in (
        "proper: whether the true probabilities minimize the expected loss; strictly: "
        "only they do.",
        "response: predictions that the loss needs: probabilities (predict_proba), decision scores "
        "(decision_function), either of them, or latent (one score per row).",
        "classes: number or kind of classes; labels: multilabel. convex: as a function of the raw "
        "scores.",
        "y: label; t: target distribution; p: probabilities (divergences: p and q are the first "
        "and second distribution); d: decision scores; k: number of classes. Lower is better, "
        "except for entropy, which does not rank models.",
        *([] if width >= 100 else ["A terminal with at least 100 columns shows the formulas."]),
    ):
        out.print(Text(note, style="dim"))


def print_dataset_metrics() -> None:
    """Print the table of metrics of the whole data set, one line per metric."""
    formula = console().width >= 100
    headers = ["name", "best", "response", "classes", *(["formula"] if formula else [])]
    rows = []
    for name, metric in DATASET_METRICS.items():
        properties = metric.properties
        best = {"lower": "low", "higher": "high", "nearest": f"near {properties.optimum:g}"}
        classes = "2" if properties.binary_only else "any"
        row = [
            f"  {name}",
            best[properties.direction],
            _SHORT.get(properties.response, properties.response),
            classes,
        ]
        rows.append([*row, *([properties.formula] if formula else [])])
    print_table(headers, rows, title="Metrics of the whole data set (not averages over rows)")
    console().print(
        Text(
            "Full description: xentexp losses NAME. NAME may be that of another library, e.g. "
            "torch.nn.CrossEntropyLoss.",
            style="dim",
        )
    )


_SHORT = {
    "strictly proper": "strictly",
    "proper": "yes",
    "improper": "no",
    "predict_proba": "proba",
    "decision_function": "decision",
}


def properties_row(metric: Metric) -> dict[str, Any]:
    """Name, parameters and properties of a loss or metric, for `--json`."""
    parameters = asdict(metric)  # type: ignore[call-overload]
    name = metric.function if isinstance(metric, DatasetMetric) else metric.name
    row = {"name": name, "parameters": parameters, **asdict(metric.properties)}
    if isinstance(metric, Loss):
        trainable = (
            metric.properties.gradient != "none" and metric.properties.targets in _CLASS_TARGETS
        )
        row["invertible"] = metric.invertible(2) if trainable else None
    return row


_CLASS_TARGETS = ("labels", "one-hot", "soft")


__all__ = ["datasets", "losses"]
