"""Pictures and tables of runs and models: names, contents, sizes, and what is left out."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.naive_bayes import GaussianNB

from tests.support.records import credit_data, numeric, predictions_of
from tests.support.runs import explained, run
from xentexp.experiments import Card, make_dataset
from xentexp.experiments._formatting import MINUS
from xentexp.experiments._record import RunRecord, pooled
from xentexp.experiments._report.page import run_page
from xentexp.experiments._report.pictures import (
    Artifacts,
    model_artifacts,
    pictured,
    run_artifacts,
)
from xentexp.experiments._report.pictures.drawing import framed
from xentexp.experiments._report.pictures.ranking import rankings
from xentexp.experiments._report.pictures.tables import to_csv
from xentexp.experiments._run_checks import run_checks
from xentexp.inference import segment_bias
from xentexp.metrics._registry import get_loss
from xentexp.metrics.credit import gains_table

HOSTILE = "<script>alert('x')</script> & \"|`$\\alpha$"
SVG = "{http://www.w3.org/2000/svg}"

MODEL_FILES = {
    "1_reliability.svg",
    "2_cost.svg",
    "3_loss.svg",
    "4_roc_pr.svg",
    "5_segments.svg",
    "6_importance.svg",
    "gains.csv",
    "segments.csv",
    "worst_rows.csv",
    "checks.md",
    "card.md",
}
MODEL_IMAGES = {"reliability", "cost", "roc", "segments"}


def all_artifacts(record: RunRecord) -> dict[str, Artifacts]:
    models = [model.name for model in record.models if model.error is None]
    return {"": run_artifacts(record), **{name: model_artifacts(record, name) for name in models}}


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def of(record: RunRecord, name: str) -> Artifacts:
    return model_artifacts(record, name)


def test_a_model_of_two_classes_has_all_files_and_images() -> None:
    made = of(run("three models"), "logistic")
    assert set(made.files) == MODEL_FILES
    assert set(made.images) == MODEL_IMAGES


def test_a_run_of_two_classes_has_its_files_and_images() -> None:
    made = run_artifacts(run("three models"))
    files = {"2_differences.svg", "3_murphy.svg", "4_reliability.svg", "checks.md"}
    assert set(made.files) == files
    assert set(made.images) == {"differences", "murphy", "reliability"}


def test_three_classes_have_no_costs_of_a_cutoff_and_no_image_of_an_unnamed_class() -> None:
    record = run("three classes")
    made = of(record, "logistic")
    assert set(made.files) == MODEL_FILES - {"2_cost.svg"}
    assert set(made.images) == MODEL_IMAGES - {"cost"}
    assert made.files["1_reliability.svg"].count("<svg") == 1 + 3  # a panel for each class
    of_run = run_artifacts(record)
    assert set(of_run.images) == {"differences"}
    assert "3_murphy.svg" in of_run.files


def test_a_model_without_probabilities_has_only_what_its_scores_define() -> None:
    made = of(run("decision scores only"), "svm")
    assert set(made.files) == {"4_roc_pr.svg", "checks.md", "card.md"}
    assert set(made.images) == {"roc"}
    assert "It predicts no probabilities." in made.files["card.md"]


def test_a_constant_model_has_no_costs_order_or_importance() -> None:
    made = of(run("three models"), "prior")
    assert {"1_reliability.svg", "5_segments.svg"} <= set(made.files)
    assert made.images == {}  # which the dashboard would show among those of the others
    assert not {"2_cost.svg", "4_roc_pr.svg", "6_importance.svg", "gains.csv"} & set(made.files)


FEW_CASES = ("only a constant", "three classes", "long names", "costs", "decision scores only")
ALL_CASES = [
    case if case in FEW_CASES else pytest.param(case, marks=pytest.mark.slow)
    for case in (
        "three models",
        "one model",
        "only a constant",
        "one split",
        "three classes",
        "ten classes",
        "long names",
        "long labels",
        "segment without positives",
        "groups",
        "weights",
        "repeats",
        "decision scores only",
        "primary is a metric",
        "certain",
        "costs",
        "amounts",
        "cost matrix",
        "training losses and curves",
    )
]


@pytest.mark.parametrize("case", ALL_CASES)
def test_files_have_short_names_and_images_one_size(case: str) -> None:
    for made in all_artifacts(run(case)).values():
        assert all(len(name) <= 20 for name in made.files)
        for name, text in made.files.items():
            if name.endswith(".svg"):
                check_svg(text)
        for pixels in made.images.values():
            assert pixels.shape == (600, 600, 3)
            assert pixels.dtype == np.uint8
            # The background is white in all corners but where labels may stand.
            assert (pixels[:, -1] == 255).all()
            assert 100 < (pixels < 128).any(axis=2).sum() < 200_000  # something is drawn


def check_svg(text: str) -> None:
    """A picture has no script, refers to nothing outside, and is white behind everything."""
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    background = root.find(f"{SVG}rect")
    assert background is not None
    assert background.attrib["fill"] == "#ffffff"
    assert background.attrib["width"] == background.attrib["height"] == "100%"
    assert root.attrib["aria-label"]
    assert "var(--" not in text
    for element in root.iter():
        assert element.tag.removeprefix(SVG) not in {"script", "foreignObject", "image", "a"}
        for key, value in element.attrib.items():
            assert not key.lower().startswith("on")
            if key.endswith("href"):
                assert value.startswith("#")
            assert "url(" not in value.replace("url(#", "")


@pytest.fixture(scope="module")
def hostile() -> RunRecord:
    """Run whose columns, classes and models have names that are markup elsewhere."""
    data = numeric(credit_data(400))
    X = data.X.rename(columns={"income": HOSTILE})
    y = data.y.map({0: "0 no", 1: HOSTILE})
    models = {HOSTILE: LogisticRegression(), "bayes": GaussianNB()}
    return explained(make_dataset(X, y, Card("named", title=HOSTILE, source=HOSTILE)), models)


def test_names_from_data_are_text_in_pictures_and_markdown(hostile: RunRecord) -> None:
    for made in all_artifacts(hostile).values():
        for name, text in made.files.items():
            if name.endswith(".svg"):
                check_svg(text)
            if name.endswith(".md"):
                assert "<script" not in text
                assert "\\|" in text or HOSTILE[:5] not in text
    made = of(hostile, HOSTILE)
    words = "".join(ElementTree.fromstring(made.files["1_reliability.svg"]).itertext())
    assert "<script>alert" in words  # as text
    rows = table(made.files["gains.csv"])
    assert {row["class"] for row in rows} == {HOSTILE}


def test_gains_are_those_of_gains_table_with_the_digits_of_the_page() -> None:
    record = run("weights")
    rows = pooled(predictions_of(record, "logistic"))
    expected = gains_table(
        rows.codes,
        rows.proba[:, 1],
        top=[0.05, 0.1, 0.2, 0.3, 0.5],
        sample_weight=rows.sample_weight,
    )
    found = table(of(record, "logistic").files["gains.csv"])
    assert len(found) == 5
    for line, row in zip(found, expected.rows, strict=True):
        assert line == {
            "class": "1",
            "highest scores (%)": f"{100 * row.share:g}",
            "rows": f"{row.n_rows:.0f}",
            "of the class": f"{row.events:.0f}",
            "rate (%)": f"{100 * row.rate:.1f}",
            "caught (%)": f"{100 * row.caught:.1f}",
            "lift": f"{row.lift:.2f}",
            "cutoff": f"{row.threshold:.3f}",
        }


def test_segments_are_those_of_segment_bias() -> None:
    data = numeric(credit_data(400))
    record = explained(data)
    rows = pooled(predictions_of(record, "bayes"))
    expected = {s.name: s for s in segment_bias(rows.codes, rows.proba, data.X.iloc[rows.rows])}
    found = table(of(record, "bayes").files["segments.csv"])
    assert len(found) > 8
    for line in found:
        segment = expected[line["segment"]]
        assert line["predicted (%)"] == f"{100 * segment.predicted:.1f}"
        assert line["observed (%)"] == f"{100 * segment.observed:.1f}"
        assert int(line["rows"]) == segment.n_rows
        assert float(line["low"]) == pytest.approx(100 * segment.low, abs=0.051)


def test_worst_rows_are_rows_with_the_largest_losses_without_features() -> None:
    record = run("three models")
    rows = pooled(predictions_of(record, "logistic"))
    losses = get_loss("categorical_crossentropy").per_sample(rows.y, rows.proba)
    order = np.argsort(-losses)[:50]
    found = table(of(record, "logistic").files["worst_rows.csv"])
    assert list(found[0]) == [
        "row",
        "p of class 1",
        "class",
        "categorical_crossentropy",
        "share of total (%)",
    ]
    assert [int(line["row"]) for line in found] == rows.rows[order].tolist()
    for line, loss in zip(found, losses[order], strict=True):
        assert float(line["categorical_crossentropy"]) == pytest.approx(loss, abs=5.1e-5)


def test_areas_are_the_means_of_the_folds() -> None:
    record = run("weights")
    (found,) = rankings(record, "bayes")
    for i, fold in enumerate(predictions_of(record, "bayes").folds):
        assert fold.proba is not None
        p = fold.proba[:, 1] if fold.proba.ndim == 2 else fold.proba
        options = {"sample_weight": fold.sample_weight}
        assert found.roc.areas[i] == pytest.approx(roc_auc_score(fold.y, p, **options))
        area = average_precision_score(fold.y, p, **options)
        assert found.precision_recall.areas[i] == pytest.approx(area)
    text = "".join(ElementTree.fromstring(of(record, "bayes").files["4_roc_pr.svg"]).itertext())
    words = " ".join(text.split())
    assert f"curve of bayes is {found.roc.area:.4f}" in words


def test_a_precision_is_that_of_the_smallest_selection_with_the_recall() -> None:
    record = run("three models")
    (found,) = rankings(record, "logistic")
    curves, places = found.precision_recall, found.precision_recall.places
    for i, fold in enumerate(predictions_of(record, "logistic").folds):
        assert fold.proba is not None
        p = fold.proba[:, 1] if fold.proba.ndim == 2 else fold.proba
        events = (fold.y == 1)[np.argsort(-p, kind="stable")]
        caught = np.cumsum(events) / events.sum()
        for place in (len(places) // 2, len(places) - 1):
            n = int(np.argmax(caught >= places[place] - 1e-12)) + 1
            assert curves.values[i, place] == pytest.approx(events[:n].mean())


def test_a_fold_without_a_class_has_no_curve_of_it() -> None:
    record = run("three models")
    model = record.model("logistic")
    assert model is not None
    assert model.predictions is not None
    first, *others = model.predictions.folds
    empty = replace(first, y=np.zeros_like(first.y))
    changed = replace(model, predictions=replace(model.predictions, folds=(empty, *others)))
    models = tuple(changed if m.name == "logistic" else m for m in record.models)
    (found,) = rankings(replace(record, models=models), "logistic")
    assert len(found.roc.areas) == len(others)


def test_checks_of_a_model_are_those_that_name_it() -> None:
    record = run("certain")
    found = run_checks(record)
    assert found
    for model in record.models:
        text = of(record, model.name).files["checks.md"]
        expected = {issue.code for issue in found if model.name in issue.models}
        assert set(re.findall(r"(X\d+): ", text)) == expected
    text = run_artifacts(record).files["checks.md"]
    assert all(f" {issue.code}: " in text for issue in found)


def test_a_muted_check_is_not_named() -> None:
    record = run("certain")
    code = run_checks(record)[0].code
    muted = replace(record, about=replace(record.about, muted=(code,)))
    assert code in run_artifacts(record).files["checks.md"]
    assert code not in run_artifacts(muted).files["checks.md"]


def test_the_card_has_the_value_with_its_interval_and_the_limits() -> None:
    record = run("three models")
    standing = record.board.standing("categorical_crossentropy")
    for name in ("logistic", "tree"):
        text = of(record, name).files["card.md"]
        level = standing.levels[name]
        value, low, high = (
            f"{x:.{standing.decimals}f}" for x in (level.mean, level.low, level.high)
        )
        assert f"categorical_crossentropy {value} (95% interval {low} to {high})" in text
        assert "## Limits" in text
        assert "xentexp predict" in text
    assert "the best model of the run" in of(record, str(standing.best)).files["card.md"]


def test_only_the_best_models_and_a_constant_one_have_pictures() -> None:
    record = run("twenty models")
    names = [model.name for model in pictured(record, 12)]
    assert names[:12] == [model.name for model in record.models[:12]]
    assert len(names) == 13
    assert names[-1] == "prior"
    assert [model.name for model in pictured(record, 50)] == [m.name for m in record.models]


def test_the_page_and_the_pictures_share_what_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    record = replace(run("costs"))
    run_page(record)
    for name in ("reliability.reliability_panels", "costs.cost_curve", "gains.gains_table"):
        monkeypatch.setattr(f"xentexp.experiments._report.{name}", _fail)
    monkeypatch.setattr("xentexp.experiments._report.murphy.murphy_difference", _fail)
    run_artifacts(record)
    made = of(record, "logistic")
    assert {"1_reliability.svg", "2_cost.svg", "gains.csv"} <= set(made.files)


def _fail(*args: object, **kwargs: object) -> None:
    raise AssertionError("computed again")


def test_a_changed_record_shares_nothing() -> None:
    record = run("three models")
    run_artifacts(record)
    assert record.computed
    assert not replace(record).computed


def test_figures_that_do_not_fit_beside_each_other_stand_below() -> None:
    one = '<svg width="180pt" height="90pt" viewBox="0 0 180 90" xmlns="{}"/>'.format(
        SVG.strip("{}")
    )
    root = ElementTree.fromstring(framed([one.replace("/>", "></svg>")] * 3, "Found", "Drawn"))
    places = [
        (float(part.attrib["x"]), float(part.attrib["y"])) for part in root.findall(f"{SVG}svg")
    ]
    assert places[0][1] == places[1][1] < places[2][1]
    assert places[0][0] == places[2][0] < places[1][0]
    assert float(root.attrib["viewBox"].split()[2]) == 2 * 240 + 2 * 14


def test_long_texts_are_broken_into_lines_that_fit() -> None:
    part = f'<svg width="240pt" height="90pt" viewBox="0 0 240 90" xmlns="{SVG.strip("{}")}"></svg>'
    finding = "word " * 40 + "x" * 200 + " 한국어" * 30
    lines = [
        element.text or ""
        for element in ElementTree.fromstring(framed([part], finding, "")).iter(f"{SVG}text")
    ]
    assert "".join("".join(lines).split()) == "".join(finding.split())
    assert max(map(len, lines)) * 0.5 * 14 < 2 * 320


def test_numbers_of_a_csv_are_plain() -> None:
    from xentexp.experiments._report.contents import Cell, PageTable

    rows = (
        (Cell("a, b"), Cell("1,234", 1234.0), Cell(f"{MINUS}1.5%", -0.015), Cell("+2.0", 2.0)),
        (Cell('"=1+1"'), Cell("none"), Cell("undefined", float("nan")), Cell(f"{MINUS}3.0", -3.0)),
    )
    text = to_csv(PageTable(("name", "n", "share", "points"), rows))
    frame = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert list(frame) == ["name", "n", "share (%)", "points"]
    assert frame["name"].tolist() == ["a, b", '"=1+1"']
    assert frame["n"].tolist() == ["1234", "none"]
    assert frame["share (%)"].tolist() == ["-1.5", "undefined"]
    assert frame["points"].tolist() == [2.0, -3.0]


@pytest.mark.parametrize("name", ["=1+1", "+a", "-a", "@a", " =a"])
def test_names_that_a_spreadsheet_would_compute_are_text_in_a_csv(name: str) -> None:
    from xentexp.experiments._report.contents import Cell, PageTable

    text = to_csv(PageTable(("class", "points"), ((Cell(name), Cell(f"{MINUS}3.0", -3.0)),)))
    assert text == f"class,points\n'{name},-3.0\n"


def test_identical_records_give_identical_files() -> None:
    record = run("three models")
    first, second = (of(replace(record), "logistic") for _ in range(2))
    assert first.files == second.files
    assert all(np.array_equal(first.images[key], second.images[key]) for key in first.images)


def test_the_best_model_is_drawn_behind_the_others() -> None:
    record = run("three models")
    best = next(model.name for model in record.varying_models())
    other = next(model.name for model in record.varying_models() if model.name != best)
    words = {
        name: re.sub(r"<[^>]*>", " ", of(record, name).files["2_cost.svg"])
        for name in (best, other)
    }
    assert other not in words[best]
    assert best in words[other]
