"""Models of a run fitted on all rows, stored to predict with."""

from __future__ import annotations

from dataclasses import replace

from xentexp.errors import InputError, StoreError
from xentexp.experiments._cli.outputs.finished import Finished


def has_model(finished: Finished) -> bool:
    """Whether a model is stored: not with models.log=none, and not if all models failed."""
    study = finished.study
    return study.stored != "none" and finished.result.leaderboard(study.shown).best() is not None


def log_model(finished: Finished) -> None:
    """Store the best model or all models, and register the best one."""
    study = finished.study
    board = finished.result.leaderboard(study.shown)
    best = board.best()
    assert best is not None  # see has_model
    from xentexp.experiments._leaderboard import SHOWN
    from xentexp.experiments._serving.package import serving_model
    from xentexp.experiments._serving.refit import with_columns
    from xentexp.experiments._tracking import models
    from xentexp.experiments._tracking.items import LoggedMetric, Tag
    from xentexp.experiments._tracking.names import MODEL

    values = {row.model: row.value(board.primary) for row in board.ranked() if row.reason is None}
    names = [*values] if study.stored == "all" else [best.model]
    metrics = [f"cv/{name}" for name in {board.primary, *(study.shown or SHOWN)}]
    problems = []
    for name, refit in finished.refits.of(names).items():
        if refit.error is not None:
            problems.append(f"model {name} failed when it was fitted on all rows: {refit.error}")
            continue
        run_id = finished.children[name]
        pipeline = with_columns(refit.model, study.dataset)
        try:
            model = serving_model(pipeline, study.dataset, board.primary, values[name], name)
            stored = models.log_model(finished.store, run_id, model, metrics)
            finished.models[name] = stored
            finished.store.log(run_id, [LoggedMetric("time/refit_seconds", refit.seconds)])
            if name != best.model:
                continue
            finished.store.log(finished.run_id, [Tag(MODEL, stored.uri)])
            if study.register is not None:
                registered = models.register_model(
                    finished.store, stored, study.register, study.alias
                )
                finished.models[name] = replace(stored, registered=registered)
        except StoreError as error:  # it would fail for the other models too
            raise StoreError("; ".join([*problems, str(error)])) from error
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("; ".join(problems))
