"""How a run was done: data, folds, tests, versions and terms."""

from __future__ import annotations

from xentexp.experiments._formatting import counted, plain
from xentexp.experiments._record import ModelRecord, RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Bullets,
    Details,
    PageSection,
    Terms,
    text_table,
)

_GLOSSARY = (
    ("out of fold", "predicted by a model that was fitted without the fold of the row"),
    (
        "constant model",
        "predicts the class frequencies of its training rows for every row; what a model must beat",
    ),
    (
        "interval",
        "95% interval of a difference: the wider of one over the rows and one over the folds, so "
        "that it covers both new rows and new training samples",
    ),
    ("skill", "1 minus the loss over the loss of the constant model"),
    (
        "miscalibration",
        "part of a loss that changing the probabilities, but not their order, would remove",
    ),
    ("discrimination", "how much the ranking of the rows lowers the loss of the constant model"),
    (
        "Murphy difference",
        "extra cost of decisions of one model, by the cutoff that the costs of both errors set",
    ),
    (
        "PSI",
        "population stability index of two distributions of scores; below 0.1 is usually called "
        "stable, above 0.25 a shift",
    ),
)


def methods_section(record: RunRecord) -> PageSection:
    """Data, folds, seeds, versions, command, and the terms of the page."""
    about = record.about
    seed = "" if about.seed is None else f", seed {about.seed}"
    terms = [
        ("data", f"{about.title}; source: {about.source or 'unknown'}; digest {about.digest}"),
        ("rows", f"{about.n_rows:,}, {counted(about.n_features, 'feature')}"),
        ("classes", ", ".join(map(str, about.classes))),
        ("folds", f"{about.folds}{seed}; all models have the same folds"),
    ]
    if about.command:
        terms.append(("command", about.command))
    if about.versions:
        versions = ", ".join(f"{name} {version}" for name, version in about.versions.items())
        terms.append(("versions", versions))
    if about.muted:
        terms.append(("muted checks", ", ".join(about.muted)))
    blocks: list[Block] = [Terms(tuple(terms))]
    if about.notes:
        blocks.append(Bullets(tuple(map(plain, about.notes))))
    blocks.append(Details("Terms", (Terms(_GLOSSARY),)))
    return PageSection("methods", "How it was done", tuple(blocks))


def parameters_details(record: RunRecord) -> list[Block]:
    """Settings, times and warnings of each model."""
    return [_parameters(model) for model in record.models if model.parameters or model.warnings]


def _parameters(model: ModelRecord) -> Block:
    rows = [[name, value] for name, value in model.parameters.items()]
    rows += [["time of all fits", f"{model.fit_seconds:.1f} s"]]
    rows += [["time of all predictions", f"{model.predict_seconds:.1f} s"]]
    blocks: list[Block] = [text_table(["setting", "value"], rows, n_text=2)]
    if model.warnings:
        blocks.append(Bullets(tuple(plain(f"Warning of a fit: {text}") for text in model.warnings)))
    return Details(f"Settings of {model.name}", tuple(blocks))
