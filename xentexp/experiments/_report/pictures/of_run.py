"""Pictures of a run: who wins, where, and whether the probabilities can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from xentexp.displays._style import AXIS, SMALL, SOFT, placed, shortened, style
from xentexp.experiments._formatting import sentence
from xentexp.experiments._record import RunRecord
from xentexp.experiments._report.contents import (
    Block,
    Columns,
    PageFigure,
    colours,
)
from xentexp.experiments._report.differences import differences_figure, differences_section
from xentexp.experiments._report.murphy import murphy_figure, murphy_section
from xentexp.experiments._report.pictures.drawing import PANEL, SIDE, Drawing, pixels
from xentexp.experiments._report.pictures.files import Artifacts
from xentexp.experiments._report.pictures.texts import run_checks_text
from xentexp.experiments._report.reliability import (
    Calibration,
    calibration,
    outside_of_band,
    panel_figure,
)

_MODELS = 3


def run_artifacts(record: RunRecord) -> Artifacts:
    """Files and images of a run: only what is defined for its models."""
    made = Artifacts()
    for name, section, figure, key in (
        (
            "2_differences.svg",
            differences_section(record),
            differences_figure(record, SIDE),
            "differences",
        ),
        ("3_murphy.svg", murphy_section(record), murphy_figure(record, SIDE), "murphy"),
    ):
        found = None if section is None else _first_figure(section.blocks)
        if found is not None and figure is not None:
            # The image of one of several classes would not say which.
            of_one = len(record.about.classes) == 2 or key == "differences"
            made.draw(Drawing(name, (figure,), found.finding, found.drawn), key if of_one else None)
    _reliability(made, record)
    made.files["checks.md"] = run_checks_text(record)
    return made


def _first_figure(blocks: Sequence[Block]) -> PageFigure | None:
    """First figure of a section, which may stand in columns."""
    for block in blocks:
        if isinstance(block, PageFigure):
            return block
        if isinstance(block, Columns) and (inner := _first_figure(block.blocks)) is not None:
            return inner
    return None


def _reliability(made: Artifacts, record: RunRecord) -> None:
    """Curves of the best models that are not constant, on their worst class."""
    shown = [calibration(record, model.name) for model in record.varying_models()[:_MODELS]]
    if not shown:
        return
    known = colours(record)
    several = len(record.about.classes) > 2
    figures = tuple(
        panel_figure(own.panels[0], known, PANEL, shortened(own.name, 26)) for own in shown
    )
    worst = max(shown, key=lambda own: own.outside)
    of_class = f", class {worst.panels[0].label}" if several else ""
    level = worst.panels[0].band.confidence
    finding = sentence(
        "{model}{of_class}: {outside:.0%} of rows outside the band, the most of these models",
        model=worst.name,
        of_class=of_class,
        outside=worst.outside,
    )
    if len(shown) == 1:
        finding = outside_of_band(worst, worst.panels[0])
    drawn = (
        f"How often the class occurs where a model predicts a probability. Of a calibrated model, "
        f"the curve lies in the grey band with a probability of {level:.0%} at each place; "
        f"{1.0 - level:.0%} of rows outside are usual."
    )
    drawn += " Of each model the class that is furthest outside." if several else ""
    made.draw(Drawing("4_reliability.svg", figures, finding, drawn))
    if not several:
        made.images["reliability"] = pixels(_overlaid(shown, known))


def _overlaid(shown: Sequence[Calibration], known: Mapping[str, str]) -> Figure:
    """Curves of several models in one panel, without bands."""
    with style("reliability"):
        figure, axes = placed(SIDE, SIDE, left=48, right=14, top=14, bottom=40)
        axes.plot([0.0, 1.0], [0.0, 1.0], color=AXIS, linewidth=0.8)
        for place, own in enumerate(shown):
            panel = own.panels[0]
            colour = known[own.name]
            axes.plot(
                panel.band.predicted, panel.band.observed, color=colour, linewidth=1.6, zorder=3
            )
            axes.annotate(
                f"{shortened(own.name)} {own.outside:.0%}",
                (0.98, 0.03),
                xycoords="axes fraction",
                xytext=(0, 11 * (len(shown) - 1 - place)),
                textcoords="offset points",
                ha="right",
                va="bottom",
                color=colour,
                fontsize=SMALL,
            )
        axes.annotate(
            "rows outside the band",
            (0.98, 0.03),
            xycoords="axes fraction",
            xytext=(0, 11 * len(shown)),
            textcoords="offset points",
            ha="right",
            va="bottom",
            color=SOFT,
            fontsize=SMALL,
        )
        axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), box_aspect=1.0)
        axes.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        axes.set_yticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        axes.set_xlabel("predicted probability")
        axes.set_ylabel(f"frequency of {shortened(str(shown[0].panels[0].label), 20)}")
    return figure
