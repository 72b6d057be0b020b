"""Pictures and tables of one model: how far it can be trusted, what it costs, where it fails."""

from __future__ import annotations

from collections.abc import Sequence

from xentexp.displays._style import AXIS, INK, OTHER
from xentexp.experiments._formatting import Sentence, sentence
from xentexp.experiments._record import ModelRecord, RunRecord
from xentexp.experiments._report.contents import colours
from xentexp.experiments._report.costs import (
    EXAMPLE,
    cost_curve_of,
    costs_figure,
    costs_of_errors,
    cutoff_sentences,
)
from xentexp.experiments._report.details import (
    loss_distributions,
    losses_drawn,
    losses_figure,
    worst_share,
)
from xentexp.experiments._report.importance import (
    SHOWN,
    draw,
    importance_drawn,
    importance_finding,
    importances_of,
    loss_name,
)
from xentexp.experiments._report.pictures.drawing import PANEL, SIDE, Drawing
from xentexp.experiments._report.pictures.files import Artifacts
from xentexp.experiments._report.pictures.ranking import (
    Ranking,
    precision_figure,
    rankings,
    roc_figure,
)
from xentexp.experiments._report.pictures.tables import gains_csv, segments_csv, to_csv
from xentexp.experiments._report.pictures.texts import card, model_checks
from xentexp.experiments._report.reliability import calibration, outside_of_band, panel_figure
from xentexp.experiments._report.rows import loss_of_probabilities, rows_of
from xentexp.experiments._report.segments import (
    is_sure,
    segments_drawn,
    segments_figure,
    segments_finding,
    segments_of,
    worst_rows,
)

_PANELS, _SEGMENTS, _ROWS = 3, 8, 50


def pictured(record: RunRecord, most: int) -> list[ModelRecord]:
    """Models with pictures: the best ones, and of the constant ones the first."""
    models = [model for model in record.models if model.error is None]
    constant = record.constant_models()
    reference = [model for model in models if model.name in constant][:1]
    return models[:most] + [model for model in reference if model not in models[:most]]


def model_artifacts(record: RunRecord, name: str) -> Artifacts:
    """Files and images of a model: only what is defined for its predictions."""
    model = record.model(name)
    assert model is not None
    made = Artifacts()
    varies = _varies(record, name)
    if model in record.with_probabilities():
        _reliability(made, record, model)
        if varies:
            _cost(made, record, model)
        _losses(made, record, model)
        if varies:
            made.files["gains.csv"] = gains_csv(record, name)
        found = segments_of(record, name)
        if found:
            _segments(made, record, model)
            made.files["segments.csv"] = segments_csv(record, name, found)
        made.files["worst_rows.csv"] = to_csv(worst_rows(record, model, _ROWS).table)
    if varies:
        _ranking(made, record, model)
        _importance(made, record, model)
    made.files["checks.md"] = model_checks(record, name)
    made.files["card.md"] = card(record, name)
    return made


def checks_only(record: RunRecord, name: str) -> Artifacts:
    """File of a model without pictures."""
    text = model_checks(record, name)
    more = "The best models of the run have pictures; `report.pictures=NUMBER` makes more.\n"
    return Artifacts({"checks.md": f"{text}\n{more}"})


def _varies(record: RunRecord, name: str) -> bool:
    """Whether a model is not constant; constant ones have no images, which say little of them."""
    return name not in record.constant_models()


def _colour(record: RunRecord, name: str) -> str:
    """Colour of the model on the page; ink for those that are grey there."""
    colour = colours(record).get(name, OTHER)
    return INK if colour == OTHER else colour


def _best(record: RunRecord, name: str) -> str | None:
    """Best model with probabilities that is not constant; None for it itself."""
    best = next((model.name for model in record.varying_models()), None)
    return None if best == name else best


def _with_best(record: RunRecord, name: str) -> dict[str, str]:
    """Colours of the model and, behind it, of the best one."""
    best = _best(record, name)
    behind = {} if best is None else {best: AXIS}
    return {**behind, name: _colour(record, name)}


def _reliability(made: Artifacts, record: RunRecord, model: ModelRecord) -> None:
    own = calibration(record, model.name)
    known = {model.name: _colour(record, model.name)}
    panels = own.panels[:_PANELS]
    image = panel_figure(panels[0], known, SIDE, square=True)
    figures = tuple(panel_figure(panel, known, PANEL) for panel in panels)
    figures = (image,) if len(panels) == 1 else figures
    classes = "the class" if len(panels) > 1 else f"class {panels[0].label}"
    order = " The classes furthest outside of their bands come first." if len(panels) > 1 else ""
    drawn = (
        f"How often {classes} occurs where the model predicts a probability. Of a calibrated "
        f"model, the curve lies in the grey band with a probability of "
        f"{panels[0].band.confidence:.0%} at each place; the bars are the numbers of rows.{order}"
    )
    made.draw(
        Drawing("1_reliability.svg", figures, outside_of_band(own, panels[0]), drawn),
        "reliability" if _varies(record, model.name) else None,
        image,
    )


def _cost(made: Artifacts, record: RunRecord, model: ModelRecord) -> None:
    """Cost over the cutoff; only for two classes with costs of a miss and of a false alarm."""
    cost = rows_of(record, model.name).cost
    if len(record.about.classes) != 2:
        return
    errors = (float(EXAMPLE), 1.0) if cost is None else costs_of_errors(cost)
    if errors is None:
        return
    miss, false_alarm = errors
    known = _with_best(record, model.name)
    curves = {name: cost_curve_of(record, name, miss, false_alarm) for name in known}
    own = curves[model.name]
    finding, _ = cutoff_sentences(model.name, own)
    finding = sentence(finding.template.rstrip("."), **finding.values)
    given = f"A miss costs {miss:g}, a false alarm {false_alarm:g}"
    given += " (an example: no costs are set)" if cost is None else ""
    drawn = (
        f"{given}. Cost of the decisions over the cutoff, lower is better; dots: lowest cost; "
        f"vertical line: best cutoff of calibrated probabilities."
    )
    figure = costs_figure(curves, known, SIDE, SIDE)
    made.draw(Drawing("2_cost.svg", (figure,), finding, drawn), "cost")


def _losses(made: Artifacts, record: RunRecord, model: ModelRecord) -> None:
    known = _with_best(record, model.name)
    loss = loss_of_probabilities(record).name
    found = loss_distributions(record, list(known))
    figure = losses_figure(found, loss, known, SIDE, SIDE)
    own = {model.name: found[model.name]}
    made.draw(Drawing("3_loss.svg", (figure,), worst_share(own), losses_drawn(loss)))


def _ranking(made: Artifacts, record: RunRecord, model: ModelRecord) -> None:
    found = rankings(record, model.name)
    if not found:
        return
    shown, colour = found[0], _colour(record, model.name)
    best = _best(record, model.name)
    reference = None
    if best is not None:
        same = [r for r in rankings(record, best) if r.column == shown.column]
        reference = (best, same[0]) if same else None
    figures = (
        roc_figure(shown, model.name, colour, PANEL, reference),
        precision_figure(shown, model.name, colour, PANEL, reference),
    )
    image = roc_figure(shown, model.name, colour, SIDE, reference)
    drawn = f"Class {shown.label} against the rest, out of fold. Line: mean over the folds"
    n_folds = len(shown.roc.areas)
    drawn += "; band: from the lowest to the highest fold." if n_folds > 1 else " (one split)."
    drawn += "" if best is None else f" Grey: {best}."
    made.draw(
        Drawing("4_roc_pr.svg", figures, _ranking_finding(model.name, found), drawn), "roc", image
    )


def _ranking_finding(name: str, found: Sequence[Ranking]) -> Sentence:
    first = found[0]
    values: dict[str, object] = {
        "model": name,
        "area": first.roc.area,
        "precision": first.precision_recall.area,
        "label": first.label,
    }
    if len(found) > 1:
        mean = sum(ranking.roc.area for ranking in found) / len(found)
        return sentence(
            "The ROC curves of {model} have a mean area of {mean:.4f} over {n} classes; the "
            "smallest is that of class {label}: {area:.4f}",
            mean=mean,
            n=len(found),
            **values,
        )
    return sentence(
        "The area under the ROC curve of {model} is {area:.4f}, the average precision "
        "{precision:.4f}",
        **values,
    )


def _segments(made: Artifacts, record: RunRecord, model: ModelRecord) -> None:
    found = segments_of(record, model.name)
    assert found
    several = len(record.about.classes) > 2
    shown = [(model.name, segment) for segment in found[:_SEGMENTS]]
    sure = [(model.name, segment) for segment in found if is_sure(segment)]
    known = {model.name: _colour(record, model.name)}
    figure, image = segments_figure(shown, known), segments_figure(shown, known, SIDE)
    drawn = segments_drawn(record, [model.name])
    finding = segments_finding(sure, several)
    key = "segments" if _varies(record, model.name) else None
    made.draw(Drawing("5_segments.svg", (figure,), finding, drawn), key, image)


def _importance(made: Artifacts, record: RunRecord, model: ModelRecord) -> None:
    if model.importance is None:
        return
    items = importances_of(record, model.name)
    if not any(item.increase for item in items):
        return
    colour = _colour(record, model.name)
    figure = draw(items[:SHOWN], colour, f"increase of {loss_name(model)}")
    finding = importance_finding(model, items)
    drawn = importance_drawn(model, len(items))
    made.draw(Drawing("6_importance.svg", (figure,), finding, f"{drawn}."))
