"""Section on calibration: reliability curves, decomposition, and what recalibration would save."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from xentexp.displays import ReliabilityDisplay, ReliabilityPanel
from xentexp.displays._reliability import reliability_panels
from xentexp.displays._style import INK, placed, style
from xentexp.errors import InputError
from xentexp.experiments._formatting import (
    DASH,
    Sentence,
    and_list,
    decimals_for,
    plain,
    sentence,
    signed,
)
from xentexp.experiments._record import Pooled, RunRecord, pooled
from xentexp.experiments._report.contents import (
    Block,
    Bullets,
    Cell,
    Columns,
    Details,
    PageFigure,
    PageSection,
    PageTable,
    colours,
    count_cell,
    figure_block,
    named_cells,
    number_cell,
    shown_models,
)
from xentexp.experiments._report.once import once
from xentexp.experiments._report.rows import loss_of_probabilities
from xentexp.inference import Decomposition, decompose, holm

_FIRST = 3  # panels that are open on the page
_BAND_ROWS, _BAND_ROWS_OF_CLASSES = 10_000, 3_000
_MOST_CLASSES = 10  # the most frequent ones
_LEVEL = 0.05
_ERRORS = 4.0  # standard errors that make a gap between prediction and frequency notable
_FAMILIES = {
    "logit_line": "a line in the log-odds",
    "temperature_biases": "one temperature and a bias for each class",
}
_PANEL, _LEFT, _RIGHT, _TOP, _BOTTOM = 220, 48, 10, 8, 40  # pixels


@dataclass(frozen=True)
class _Group:
    """Rows with similar predictions of a class; means are weighted."""

    low: float
    high: float
    predicted: float
    frequency: float
    n: int
    error: float  # standard error of the frequency, if the predictions are calibrated


@dataclass(frozen=True)
class Calibration:
    """Calibration of one model; panels of more than two classes are sorted, the worst first."""

    name: str
    rows: Pooled
    panels: Sequence[ReliabilityPanel]

    @property
    def outside(self) -> float:
        return self.panels[0].band.outside


@once
def reliability_section(record: RunRecord) -> PageSection | None:
    """Whether the probabilities can be believed; None if no model predicts any."""
    models = record.varying_models()
    shown = shown_models(models)
    n_classes = len(record.about.classes)
    if not shown:
        return None
    found = [
        calibration(record, model.name) for model in (shown if n_classes == 2 else shown[:_FIRST])
    ]
    parts = _decompositions(record, found)  # what recalibration saves comes first
    blocks = [*_sentences(record, found), *parts[:1], *_curves(record, found), *parts[1:]]
    return PageSection("reliability", "Can the probabilities be believed", tuple(blocks))


# -- curves -----------------------------------------------------------------------------------


@once
def calibration(record: RunRecord, name: str) -> Calibration:
    """Reliability curves of a model that predicts probabilities; of several repeats the first."""
    model = record.model(name)
    assert model is not None
    assert model.predictions is not None
    first = tuple(fold for fold in model.predictions.folds if not fold.repeat)
    rows = pooled(replace(model.predictions, folds=first))
    return Calibration(name, rows, _panels(record, name, rows))


def _panels(record: RunRecord, name: str, rows: Pooled) -> list[ReliabilityPanel]:
    two = len(record.about.classes) == 2
    counts = np.bincount(rows.codes, minlength=len(record.about.classes))
    panels = reliability_panels(
        name,
        rows.y,
        rows.proba,
        labels=record.about.classes,
        sample_weight=rows.sample_weight,
        columns=None if two else np.argsort(-counts, kind="stable")[:_MOST_CLASSES].tolist(),
        max_rows=_BAND_ROWS if two else _BAND_ROWS_OF_CLASSES,
    )
    return sorted(panels, key=lambda panel: -panel.band.outside)


def _curves(record: RunRecord, found: Sequence[Calibration]) -> list[Block]:
    """Panels of the best models, or of the worst classes of the best model; others closed."""
    two = len(record.about.classes) == 2
    panels = [(m, p) for m in found for p in (m.panels if m is found[0] else m.panels[:_FIRST])]
    figures = [
        _figure(record, model, panel, first=not place)
        for place, (model, panel) in enumerate(panels)
    ]
    band = panels[0][1].band
    blocks: list[Block] = [
        Columns(tuple(figures[:_FIRST]), narrow=True),
        sentence(
            "A curve shows how often the class occurs where the model predicts a probability "
            "(isotonic regression). Of a calibrated model, it lies in the grey band with a "
            "probability of {level:.0%} at each place. The bars show the number of rows.",
            level=band.confidence,
        ),
    ]
    if any(model.rows.groups is not None for model in found):
        blocks.append(
            plain(
                "The bands are for independent rows. Rows of an entity depend on each other, so "
                "that the bands are too narrow."
            )
        )
    if len(figures) > _FIRST:
        summary = "Curves of the other models" if two else "Curves of other classes and models"
        blocks.append(Details(summary, (Columns(tuple(figures[_FIRST:]), narrow=True),)))
    return blocks


def _figure(
    record: RunRecord, model: Calibration, panel: ReliabilityPanel, *, first: bool
) -> PageFigure:
    name = f"reliability {model.name} {panel.label} {record.run_id}"
    figure = panel_figure(panel, colours(record), _PANEL)
    if not first:
        figure.axes[0].set_ylabel("")
    return figure_block(
        figure,
        outside_of_band(model, panel),
        f"How often class {panel.label} occurs, by prediction.",
        _groups_table(_groups(record, model, panel), panel),
        name=name,
    )


def panel_figure(
    panel: ReliabilityPanel,
    known: Mapping[str, str],
    width: int,
    title: str = "",
    *,
    square: bool = False,
) -> Figure:
    """Panel with square axes and a width in pixels; its title is the name of the model."""
    top = _TOP + (16 if title else 0)
    height = width if square else width - _LEFT - _RIGHT + top + _BOTTOM
    with style("reliability"):
        figure, axes = placed(width, height, left=_LEFT, right=_RIGHT, top=top, bottom=_BOTTOM)
        ReliabilityDisplay([panel]).plot(axes, colours=known)
        if title:
            axes.set_title(title, loc="left", color=known.get(panel.name, INK))
    return figure


def outside_of_band(model: Calibration, panel: ReliabilityPanel) -> Sentence:
    """Finding of a panel."""
    of_class = "" if len(model.panels) == 1 else f", class {panel.label}"
    return sentence(
        "{model}{of_class}: {outside:.0%} of rows outside the band ({usual} are usual)",
        model=model.name,
        usual=f"{1.0 - panel.band.confidence:.0%}",
        of_class=of_class,
        outside=panel.band.outside,
    )


def _groups(record: RunRecord, model: Calibration, panel: ReliabilityPanel) -> list[_Group]:
    """Ten groups of rows by their prediction; equal predictions are in one group."""
    column = record.about.classes.index(panel.label)
    rows = model.rows
    p = rows.proba[:, column]
    weight = np.ones(len(p)) if rows.sample_weight is None else rows.sample_weight
    edges = np.unique(np.quantile(p, np.arange(0.1, 0.95, 0.1)))
    groups = []
    group = np.searchsorted(edges, p, side="left")
    for number in np.unique(group[weight > 0.0]):
        own = (group == number) & (weight > 0.0)
        share = weight[own] / weight[own].sum()
        groups.append(
            _Group(
                low=float(p[own].min()),
                high=float(p[own].max()),
                predicted=float(share @ p[own]),
                frequency=float(share @ (rows.codes[own] == column)),
                n=int(own.sum()),
                error=math.sqrt(float(share**2 @ (p[own] * (1.0 - p[own])))),
            )
        )
    return groups


def _groups_table(groups: Sequence[_Group], panel: ReliabilityPanel) -> PageTable:
    rows = [
        (
            Cell(f"{group.low:.3f} to {group.high:.3f}"),
            Cell(f"{group.predicted:.1%}", group.predicted),
            Cell(f"{group.frequency:.1%}", group.frequency),
            count_cell(group.n),
            Cell(""),
        )
        for group in groups
    ]
    band = panel.band
    outside = Cell(f"{band.outside:.0%}", band.outside)
    rows.append(
        (Cell("all used for the band"), Cell(""), Cell(""), count_cell(band.n_rows), outside)
    )
    headers = ("predictions", "mean prediction", f"frequency of {panel.label}", "rows")
    return PageTable((*headers, "outside the band"), tuple(rows))


# -- sentences --------------------------------------------------------------------------------


def _sentences(record: RunRecord, found: Sequence[Calibration]) -> list[Block]:
    """The model that is most outside of its band, with numbers, or that none is far outside."""
    worst = max(found, key=lambda model: model.outside)
    panel = worst.panels[0]
    expected = 1.0 - panel.band.confidence
    groups = [
        group
        for group in _groups(record, worst, panel)
        if abs(group.frequency - group.predicted) > _ERRORS * group.error
    ]
    blocks: list[Block] = []
    if worst.outside > 2.0 * expected and groups:
        group = max(groups, key=lambda group: abs(group.frequency - group.predicted))
        blocks.append(
            sentence(
                "{model} predicts {predicted:.1%} on average for {n:,} rows, of which "
                "{frequency:.1%} are of class {label}.",
                model=worst.name,
                predicted=group.predicted,
                n=group.n,
                frequency=group.frequency,
                label=str(panel.label),
            )
        )
    elif worst.outside <= 2.0 * expected:
        blocks.append(
            sentence(
                "No curve is outside of its band for more than {most:.0%} of the rows; {expected} "
                "is usual for calibrated models.",
                most=worst.outside,
                expected=f"{expected:.0%}",
            )
        )
    return blocks


# -- decomposition ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Parts:
    """Decomposition of the loss of a model, by a parametric family and by isotonic regression."""

    family: Decomposition
    isotonic: Decomposition | None  # of two classes
    p: float  # of the family, adjusted for the number of models
    isotonic_p: float  # the same of the isotonic regression
    value: float  # loss
    above: float  # the best model; NaN for it, and without a difference

    @property
    def shown(self) -> Decomposition:
        return self.isotonic or self.family

    @property
    def saves(self) -> float:
        """What recalibration would save, 0 without evidence."""
        return self.family.saves if self.p < _LEVEL else 0.0

    @property
    def isotonic_saves(self) -> float:
        """The same for isotonic regression."""
        shown = self.isotonic is not None and self.isotonic_p < _LEVEL
        return self.isotonic.saves if shown and self.isotonic is not None else 0.0


def _decompositions(record: RunRecord, found: Sequence[Calibration]) -> list[Block]:
    loss = loss_of_probabilities(record, proper=True).name
    try:
        parts = _all_parts(record, found, loss)
    except InputError:  # e.g. a loss whose parameters make it improper
        return []
    blocks: list[Block] = [_savings(record, loss, parts), _parts_table(record, found, loss, parts)]
    notes = [
        plain(f"{name}: {note}.") for name, part in parts.items() for note in part.family.notes
    ]
    if notes:
        blocks.append(Details("Notes on the fitted maps", (Bullets(tuple(notes)),)))
    return blocks


def _all_parts(record: RunRecord, found: Sequence[Calibration], loss: str) -> dict[str, _Parts]:
    two = len(record.about.classes) == 2
    family = "logit_line" if two else "temperature_biases"
    fitted, isotonic = {}, {}
    for model in found:
        rows = model.rows
        options: dict[str, Any] = {
            "labels": record.about.classes,
            "sample_weight": rows.sample_weight,
            "groups": rows.groups,
        }
        fitted[model.name] = decompose(rows.y, rows.proba, loss, family=family, **options)
        if two:
            # The smallest p-value of the draws has to be below the level after the adjustment.
            n_draws = math.ceil(1.1 * len(found) / _LEVEL) + 19
            isotonic[model.name] = decompose(
                rows.y, rows.proba, loss, family="isotonic", n_draws=n_draws, **options
            )
    of_family, of_isotonic = _adjusted(fitted), _adjusted(isotonic)
    known = record.uncertainty
    standing = known.standing(loss) if known is not None and known.primary == loss else None
    parts = {}
    for name, result in fitted.items():
        level = None if standing is None else standing.levels.get(name)
        above = math.nan
        if standing is not None and name in standing.differences:
            above = standing.gap(name)[0]
        value = result.score if level is None else level.mean
        parts[name] = _Parts(
            result,
            isotonic.get(name),
            of_family.get(name, math.nan),
            of_isotonic.get(name, math.nan),
            value,
            above,
        )
    return parts


def _savings(record: RunRecord, loss: str, parts: Mapping[str, _Parts]) -> Block:
    """What recalibration would save: of the models with evidence, those that gain most."""
    gains = {name: max(part.saves, part.isotonic_saves) for name, part in parts.items()}
    named = sorted((name for name in gains if gains[name] > 0.0), key=lambda name: -gains[name])
    if not named:
        return sentence(
            "Recalibration ({family}) is not shown to lower the {loss} of {models}.",
            family=_FAMILIES[next(iter(parts.values())).family.family],
            loss=loss,
            models=and_list(list(parts), most=4),
        )
    decimals = _decimals(record, loss, parts)
    known = record.uncertainty
    best = "" if known is None else known.best.get(loss, "")
    return Bullets(
        tuple(_saving(name, loss, parts[name], best, decimals) for name in named[:_FIRST])
    )


def _saving(name: str, loss: str, part: _Parts, best: str, decimals: int) -> Sentence:
    """What recalibration of one model would save, compared with its distance to the best."""
    number = f":.{decimals}f}}"
    values: dict[str, object] = {"model": name, "family": _FAMILIES[part.family.family]}
    if part.above > 0.0:
        values |= {"above": part.above, "best": best}
    else:
        values |= {"loss": loss, "value": part.value}
    isotonic = ""
    if part.isotonic is not None and part.isotonic_saves > 0.0:
        isotonic = (
            f"sotonic regression finds a miscalibration of {{miscalibration{number}; a calibrated "
            f"model would show {{reference{number}."
        )
        values["miscalibration"] = part.isotonic.miscalibration
        values["reference"] = part.isotonic.calibrated_reference
    if part.saves > 0.0:
        values["saves"] = part.saves
        than = ", more than" if 0.0 < part.above <= part.saves else " of"
        compared = f"its {{loss}} of {{value{number}"
        if part.above > 0.0:
            compared = f"its distance of {{above{number} to {{best}}"
        text = f"recalibration ({{family}}) would save at least {{saves{number}{than} {compared}."
        text += f" I{isotonic}" if isotonic else ""
    else:
        compared = f"Its {{loss}} is {{value{number}."
        if part.above > 0.0:
            compared = f"Its distance to {{best}} is {{above{number}."
        text = f"i{isotonic} {compared} Recalibration ({{family}}) is not shown to save anything."
    if _clipped(part):
        text += " These numbers depend on the clip."
    return sentence(f"{{model}}: {text}", **values)


def _clipped(part: _Parts) -> bool:
    """Whether a clip replaced probabilities in the logarithm."""
    return any("below the clip" in note for note in part.family.notes)


def _adjusted(results: Mapping[str, Decomposition]) -> dict[str, float]:
    """P-values that are adjusted for the number of models; models without a test have none."""
    tested = [name for name, result in results.items() if not math.isnan(result.p)]
    return dict(zip(tested, holm([results[name].p for name in tested]), strict=True))


def _decimals(record: RunRecord, loss: str, parts: Mapping[str, _Parts]) -> int:
    if record.uncertainty is not None and record.uncertainty.primary == loss:
        return record.uncertainty.standing(loss).decimals
    return decimals_for([part.value for part in parts.values()])


def _parts_table(
    record: RunRecord, found: Sequence[Calibration], loss: str, parts: Mapping[str, _Parts]
) -> PageTable:
    decimals = _decimals(record, loss, parts)
    names = named_cells(record, list(parts))
    two = len(record.about.classes) == 2
    family = next(iter(parts.values())).family.family
    sizes = [s for p in parts.values() for s in (p.shown.discrimination, p.shown.miscalibration)]
    scale = max((size for size in sizes if math.isfinite(size)), default=1.0)
    headers = ["model", loss]
    above = any(not math.isnan(part.above) for part in parts.values())
    if above:
        headers.append("above the best")
    headers += ["outside the band" if two else "outside the band, worst class"]
    headers += ["discrimination ↑", "miscalibration ↓"]
    if two:
        headers.append("of calibrated predictions")
    headers.append(f"{family} saves at least")
    rows = []
    for model in found:
        part = parts[model.name]
        cells = [names[model.name], number_cell(part.value, decimals)]
        if above:
            shown = Cell(DASH) if math.isnan(part.above) else number_cell(part.above, decimals)
            cells.append(shown)
        cells.append(Cell(f"{model.outside:.0%}", model.outside))
        cells += [
            replace(number_cell(value, decimals), bar=_share(value, scale))
            for value in (part.shown.discrimination, part.shown.miscalibration)
        ]
        if two:
            cells.append(number_cell(part.shown.calibrated_reference, decimals))
        cells.append(
            number_cell(part.saves, decimals)
            if part.saves > 0.0
            else Cell("no test" if math.isnan(part.p) else "not significant", 0.0)
        )
        rows.append(tuple(cells))
    how = (
        "isotonic regression, which finds some miscalibration in calibrated predictions, too"
        if two
        else family
    )
    caption = sentence(
        "{loss} = {uncertainty} of the class frequencies − discrimination + miscalibration "  # noqa: RUF001
        "({how}). {family} is {words}. Tests at {level:.0%}, adjusted for the number of "
        "models (Holm).",
        family=family,
        words=_FAMILIES[family],
        loss=loss,
        uncertainty=signed(next(iter(parts.values())).shown.uncertainty, decimals),
        how=how,
        level=_LEVEL,
    )
    return PageTable(tuple(headers), tuple(rows), caption)


def _share(value: float, scale: float) -> float | None:
    """Width of a bar, from 0 to 1."""
    return max(value / scale, 0.0) if math.isfinite(value) and scale > 0.0 else None
