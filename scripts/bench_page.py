"""What the page of a run costs, against the fits of a model and bare drawing in matplotlib."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from unittest import mock

from bench_run import CONF, processor_seconds
from bench_startup import log_runs
from hydra import compose, initialize_config_dir
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from xentexp.experiments import run_experiment
from xentexp.experiments._cli import main
from xentexp.experiments._cli.job import _about
from xentexp.experiments._config.study import Study, build
from xentexp.experiments._record import RunRecord, record_of
from xentexp.experiments._report import run_page

MODELS = "models=[logistic,hist_gradient_boosting,random_forest]"
REPEATS = 3


def study_of(*overrides: str) -> Study:
    with initialize_config_dir(str(CONF), version_base=None):
        return build(OmegaConf.to_container(compose("run", list(overrides)), resolve=True))


def page_of_three_models() -> tuple[str, bool]:
    """Size and processor time of the page of three models on 30,000 rows."""
    study = study_of(MODELS)
    result = run_experiment(
        study.dataset, study.candidates, study.folds, primary=study.primary, explain=study.explain
    )
    record = record_of(result, _about(study, MODELS))
    assert record.uncertainty is not None  # computed once, by the run and not by the page
    logistic = [c for c in study.candidates if c.name == "logistic"]
    start = processor_seconds()
    run_experiment(study.dataset, logistic, study.folds, losses=[study.primary], metrics=[])
    fits = processor_seconds() - start
    figures, text = drawn_by(record)
    page = min(timed(lambda: run_page(record)) for _ in range(REPEATS))
    bare = min(timed(lambda: [redraw(figure) for figure in figures]) for _ in range(REPEATS))
    ratio, size = page / (fits + bare), len(text.encode()) / 1000
    explained = sum(p.explain_seconds for c in result.candidate_results for p in c.predictions)
    words = (
        f"{ratio:.2f} times ({page:.1f} s; five fits of logistic {fits:.1f} s, {len(figures)} "
        f"figures bare {bare:.1f} s); {size:.0f} kB; importance and segments {explained:.1f} s"
    )
    return words, ratio <= 1.5 and size <= 300.0


def timed(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def drawn_by(record: RunRecord) -> tuple[list[Figure], str]:
    """The figures of a page, and its HTML."""
    figures: list[Figure] = []
    original = Figure.savefig

    def kept(figure: Figure, *arguments: object, **options: object) -> None:
        figures.append(figure)
        original(figure, *arguments, **options)

    with mock.patch.object(Figure, "savefig", kept):
        text = run_page(record)
    return figures, text


def redraw(figure: Figure) -> None:
    """The same lines, areas and texts in a new figure, by nothing but matplotlib."""
    copy = Figure(figsize=figure.get_size_inches())
    for axes in figure.axes:
        new = copy.add_axes(axes.get_position().bounds)
        for line in axes.lines:
            new.plot(*line.get_data(), color=line.get_color(), linewidth=line.get_linewidth())
        for collection in axes.collections:
            for path in collection.get_paths():
                if len(path.vertices):
                    new.fill(*path.vertices.T, alpha=0.2)
        for patch in axes.patches:
            new.fill(*patch.get_path().vertices.T, alpha=0.2)
        for label in axes.texts:
            new.text(*label.get_position(), label.get_text())
        new.set_xlim(axes.get_xlim())
        new.set_ylim(axes.get_ylim())
        new.set_xlabel(axes.get_xlabel())
        new.set_ylabel(axes.get_ylabel())
    copy.savefig(io.StringIO(), format="svg")


N_RUNS, N_CHAPTERS = 200, 10


def report_of_ten_runs() -> tuple[str, bool]:
    """Processor time of a report of 10 runs of a store with 200, against that of one run."""
    with folder_with_runs() as (folder, ids):
        ids = ids[:N_CHAPTERS]
        store = f"sqlite:///{folder}/mlflow.db"

        def report(*names: str) -> float:
            out = ["--out", str(folder / "page.html"), "--overwrite", "--store", store]
            return timed(lambda: main(["report", *names, *out]))

        report(ids[0])  # imports
        one = min(report(ids[0]) for _ in range(REPEATS))
        ten = min(report(*ids) for _ in range(REPEATS))
    return f"{ten / one:.1f} times ({ten:.1f} s of {one:.2f} s)", ten <= 15.0 * one


@contextmanager
def folder_with_runs() -> Iterator[tuple[Path, list[str]]]:
    """Store with many runs of two models."""
    study = study_of("dataset=simulated_delinquency", "dataset.n_samples=1000")
    result = run_experiment(
        study.dataset,
        [c for c in study.candidates if c.name in ("prior", "logistic")],
        study.folds,
        primary=study.primary,
        explain=study.explain,
    )
    with tempfile.TemporaryDirectory() as folder:
        ids = log_runs(f"sqlite:///{folder}/mlflow.db", result, N_RUNS, study.shown)
        yield Path(folder), ids
