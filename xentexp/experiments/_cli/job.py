"""One job of `xentexp run`: build the study, fit and score, log to MLflow, print."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from xentexp._safe_text import without_secrets
from xentexp.errors import StoreError
from xentexp.experiments._cli.collection import end_of_imports
from xentexp.experiments._cli.composition import resolved, stored
from xentexp.experiments._cli.failures import AllModelsFailedError
from xentexp.experiments._cli.outputs import Finished, Outputs
from xentexp.experiments._cli.progress import Progress
from xentexp.experiments._cli.terminal import print_answer, print_leaderboard, say, store_option
from xentexp.experiments._config.study import Study, build
from xentexp.experiments._folds import CV_OPTIONS
from xentexp.experiments._formatting import LONGEST_TAG, counted, escaped
from xentexp.experiments._new_files import check_not_read
from xentexp.experiments._record import About, about_data
from xentexp.experiments._shared_data import memory_mapped
from xentexp.experiments._tracking.provenance import git, installed, versions
from xentexp.tuning._storage import prepare

if TYPE_CHECKING:
    from xentexp.experiments._tracking.models import LoggedModel
    from xentexp.experiments._tracking.store import Store

_METRICS_NOTE = """\
Metrics of the child runs, one run per model. `scores.parquet` has all values of all losses and
metrics; MLflow gets the means of all, and the other metrics for those of the leaderboard:

- `cv/NAME`: mean of a loss or metric over the folds. Losses with equal values, such as the
  cross-entropies of two classes, are logged once; the tag `xentexp.aliases` has the other names
- `cv_low/NAME`, `cv_high/NAME`: limits of its 95% interval; `uncertainty.json` of the parent run
  names their target and method
- `diff/NAME`: the mean minus that of the best model
- `fold/NAME`: value of each fold
- `test/NAME`: labelled test rows, predicted by the model fitted on all training rows
- `cv_grouped/NAME`: mean over grouped folds, if the random folds share entities
- `regret/NAME`: expected loss minus the smallest possible one, if the true probabilities are known
- `rows/clipped`: rows in which the cross-entropy was computed with a lower bound for the
  probability of the true class
- `rows/infinite_values`: number of infinite losses, summed over rows and losses
"""


def run_job(
    config: DictConfig,
    *,
    overrides: str,
    sweep: str,
    quiet: bool,
    as_json: bool,
    trusted: tuple[str, ...] = (),
) -> tuple[int, dict[str, Any]]:
    """Run one composed configuration; return the exit code and the JSON document."""
    study = build(resolved(config), trusted)
    if study.tuning is not None:
        prepare(study.tuning.storage)
    with contextlib.ExitStack() as stack:
        if stack.enter_context(study.engine).in_local_processes(study.n_jobs):
            # The table is then in memory only once.
            study = replace(study, dataset=stack.enter_context(memory_mapped(study.dataset)))
        return _run(study, config, overrides=overrides, sweep=sweep, quiet=quiet, as_json=as_json)


def _run(
    study: Study, config: DictConfig, *, overrides: str, sweep: str, quiet: bool, as_json: bool
) -> tuple[int, dict[str, Any]]:
    """Run a study on its engine."""
    # Imported after the configuration is validated, because importing MLflow takes over a second.
    from xentexp.experiments._cli.sections import build_sections
    from xentexp.experiments._compare import run_experiment
    from xentexp.experiments._results import out_of_fold, out_of_test_set
    from xentexp.experiments._serving.refit import Refits
    from xentexp.experiments._submission import SUBMISSION, submit
    from xentexp.experiments._tracking.items import (
        DataInput,
        Param,
        Text,
        interval_items,
        result_items,
    )
    from xentexp.experiments._tracking.models import check_registry
    from xentexp.experiments._tracking.runs import log_candidate, log_trials
    from xentexp.experiments._tracking.store import Store
    from xentexp.experiments._tracking.stored_record import ABOUT

    dataset = study.dataset
    store = Store(
        study.tracking_uri,
        study.experiment,
        from_environment=study.experiment_is_default,
        primary=study.primary,
        description=(
            f"{escaped(dataset.card.title)}. Source: {escaped(dataset.card.source)}\n\n"
            f"{_METRICS_NOTE}"
        ),
    )
    if study.register is not None:
        check_registry(store)
    if study.submission is not None and store.file is not None:
        check_not_read(study.submission, [store.file], SUBMISSION)
    tags = _tags(study, overrides, sweep)
    settings = _settings(study)
    summary = json.dumps(dataset.describe(study.key), default=str)
    source = json.dumps({"source": dataset.card.source})
    data = DataInput(dataset.name, dataset.digest, source, summary)
    config_yaml = stored(config)
    about = _about(study, overrides)
    progress = Progress(study, quiet=quiet)
    outputs = Outputs()
    with (
        outputs,
        store.run(_run_name(study), {**tags, "xentexp.kind": "comparison"}) as run_id,
    ):
        store.log(
            run_id,
            [
                *(Param(key, value) for key, value in settings.items()),
                Param("models", ",".join(c.name for c in study.candidates)),
                Text("config/config.yaml", config_yaml),
                Text("config/dataset.json", summary),
                Text(ABOUT, json.dumps(about.to_record(), default=str)),
                Text("environment/requirements.txt", installed()),
                *(Text("findings.md", f"- {line}\n") for line in _to_read(study)),
                data,
            ],
        )

        children: dict[str, str] = {}

        def write(candidate_result: Any) -> None:
            children[candidate_result.candidate.name] = log_candidate(
                store,
                candidate_result,
                settings,
                data,
                out_of_fold(candidate_result, dataset),
                config_yaml,
                {**tags, "xentexp.kind": "candidate"},
                run_id,
                test_predictions=out_of_test_set(candidate_result, dataset),
                shown=study.shown,
            )
            log_trials(store, candidate_result, tags, run_id)

        def record(candidate_result: Any) -> None:
            outputs.write(partial(write, candidate_result))
            progress.result(candidate_result)

        run_on = partial(
            run_experiment,
            candidates=study.candidates,
            losses=study.losses,
            metrics=study.metrics,
            primary=study.primary,
            n_jobs=study.n_jobs,
            engine=study.engine,
            threads_per_fit=study.threads_per_fit,
            on_fold=progress.fold,
        )
        end_of_imports()
        with progress:
            result = run_on(dataset, cv=study.folds, on_result=record, explain=study.explain)
            if study.grouped_folds:
                # The test rows are scored once.
                grouped_result = run_on(
                    replace(dataset, test=None),
                    cv=study.grouped_folds,
                    on_result=progress.grouped,
                )
                result = replace(result, grouped=grouped_result)
        outputs.write(lambda: store.log(run_id, result_items(result, study.shown)))
        for name, items in interval_items(result, study.shown).items():
            if name in children:  # the constant model has no run, unless it is a candidate
                outputs.write(partial(store.log, children[name], items))
        board = result.leaderboard(study.shown)
        refits = Refits(
            study.candidates,
            dataset,
            study.folds,
            study.n_jobs,
            study.engine,
            study.threads_per_fit,
        )
        submitted = None
        if study.submission is not None:
            submitted = submit(study.submission, board, refits, dataset, overwrite=study.overwrite)
        if not any(row.reason is None for row in board.rows):
            if not outputs.store_failed:
                of_errors = Outputs()
                of_errors.begin(Finished(study, result, about, store, run_id, children, refits))
                of_errors.log()
            raise AllModelsFailedError(
                f"all models failed; the first error: {board.rows[0].reason}"
            )
        sections = build_sections(study, result)
        for section in sections:
            outputs.write(partial(store.log, run_id, section.items))
            for name, items in section.of_candidates.items():
                if name in children:  # unless the store failed before
                    outputs.write(partial(store.log, children[name], items))
        notes = [section.note for section in sections if section.note]
        notes += ["\n".join(f"- {line}" for line in lines)] if (lines := _to_read(study)) else []
        with_board = not any(section.instead for section in sections)
        finished = Finished(
            *(study, result, about, store, run_id, children, refits),
            tuple(notes),
            with_board=with_board,
        )
        outputs.begin(finished)
    # The run is finished, so that a failure of an output cannot change its status.
    outputs.log()
    best = board.best()
    model = None if best is None else finished.models.get(best.model)
    if not as_json:
        if any(section.instead for section in sections):
            say(_title(study))
        else:
            print_leaderboard(board, title=_title(study), store=store_option(store.uri))
        for section in sections:
            section.show()
        if submitted is not None and dataset.test is not None:
            rows = counted(len(dataset.test.X), "test row")
            say(f"\nPredictions of {submitted} for {rows}: {study.submission}")
        if not any(section.instead for section in sections):
            print_answer(board)  # near the end, where it is seen first
        if model is not None and not quiet:
            say(_model_hint(model, store.uri))
        if not quiet and not outputs.store_failed:
            try:
                say(_hint(store, run_id))
            except StoreError as failure:  # the errors of the outputs are shown too
                outputs.errors.append(failure)
    document = {
        "experiment": store.experiment,
        "experiment_id": store.experiment_id,
        "run_id": run_id,
        "store": without_secrets(store.uri),
        **board.to_document(),
        "model": None if model is None else model.to_document(),
        "notes": list(dataset.card.notes),
        "findings": [asdict(finding) for finding in study.findings],
        **{section.name: section.document for section in sections},
    }
    failed = any(row.reason or row.test_reason for row in board.rows) or any(
        section.failed for section in sections
    )
    for error in outputs.errors:
        say(f"xentexp: error: {error}", stderr=True)
    return int(failed or bool(outputs.errors)), document


def _about(study: Study, overrides: str) -> About:
    """Description of the run for its page."""
    return replace(
        about_data(study.dataset, study.folds, study.primary),
        folds=_folds(study),
        kind=study.cv.kind,
        seed=study.seed,
        shown=study.shown,
        findings=study.findings,
        leak=None if study.leak is None else study.leak.warning(),
        command=without_secrets(f"xentexp run {overrides}".strip()),
        versions=versions(),
        muted=study.muted,
    )


def _tags(study: Study, overrides: str, sweep: str) -> dict[str, object]:
    return {
        "xentexp.sweep": sweep,
        "xentexp.config_hash": study.config_hash,
        "xentexp.primary": study.primary,
        **({} if study.shown is None else {"xentexp.leaderboard": ",".join(study.shown)}),
        **({} if study.leak is None else {"xentexp.leak": study.leak.warning()}),
        **(
            {"xentexp.findings": "\n".join(lines)[:LONGEST_TAG]}
            if (lines := _to_read(study))
            else {}
        ),
        "dataset": study.dataset.name,
        "dataset_digest": study.dataset.digest,
        "seed": study.seed,
        "overrides": overrides or "(none)",
        "mlflow.source.name": "xentexp run",
        # One tag: with more, the dashboard shows the description of a run below the window.
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        **git(),
    }


def _to_read(study: Study) -> list[str]:
    """Notes on how the data were read, and findings of the checks before the fits."""
    notes = [f"note: {note}" for note in study.dataset.card.notes]
    return [*notes, *(f"warning: {finding}" for finding in study.findings)]


def _settings(study: Study) -> dict[str, object]:
    dataset = study.dataset
    return {
        "dataset": dataset.name,
        "n_rows": len(dataset.y),
        "n_classes": len(dataset.classes),
        "seed": study.seed,
        "n_jobs": study.n_jobs,
        "threads_per_fit": study.threads_per_fit,
        "engine": study.engine.name,
        "cv.kind": study.cv.kind,
        **{f"cv.{key}": getattr(study.cv, key) for key in CV_OPTIONS[study.cv.kind]},
        **_entities(study),
        **{f"dataset.{key}": value for key, value in study.dataset_parameters.items()},
    }


def _entities(study: Study) -> dict[str, object]:
    """Entities that the folds keep together or share, and how they were determined."""
    entities = study.entities if study.leak is None else study.leak.entities
    if entities is None:
        return {}
    return {"entities.number": entities.number, "entities.how": entities.how()}


def _run_name(study: Study) -> str:
    # The list of runs shows about 20 characters, and data sets have experiments of their own.
    names = [candidate.name for candidate in study.candidates]
    models = names[0] if len(names) == 1 else counted(len(names), "model")
    return f"{models}, seed {study.seed}, {_folds(study)}, {study.dataset.name}"


def _title(study: Study) -> str:
    dataset = study.dataset
    return (
        f"{dataset.card.title}: {counted(len(dataset.y), 'row')}, {len(dataset.classes)} classes, "
        f"{_folds(study)}, seed {study.seed}"
    )


def _folds(study: Study) -> str:
    kind = study.cv.kind
    if kind == "holdout":
        return f"holdout of {counted(len(study.folds[0].test), 'test row')}"
    return f"{counted(len(study.folds), 'fold')} ({kind})"


def _model_hint(model: LoggedModel, uri: str) -> str:
    registered = ""
    if model.registered is not None:
        version = model.registered
        registered = f", registered as {version.name} version {version.version} @{version.alias}"
    trust = "" if not model.note else f"\n{model.note}"
    return (
        f"\nModel {model.name}, fitted on all rows{registered}: {model.uri}. To predict: "
        f"{_program()} predict {model.run_id[:8]} FILE --out FILE{store_option(uri)}{trust}"
    )


def _hint(store: Store, run_id: str) -> str:
    from xentexp.experiments._tracking.connect import browser_address, store_errors
    from xentexp.experiments._tracking.read_back import run_page

    if store.uri.startswith(("http://", "https://")):
        with store_errors(store.uri):
            page = run_page(store.client, run_id)
        return f"\nAll results are in MLflow: {browser_address(store.uri)}{page}"
    return (
        f"\nAll results are in MLflow ({without_secrets(store.uri)}). To open them: "
        f"{_program()} ui{store_option(store.uri)}"
    )


def _program() -> str:
    """Command name, or its relative path if it is not on PATH."""
    if shutil.which("xentexp"):
        return "xentexp"
    return os.path.relpath(Path(sys.executable).with_name("xentexp"))
