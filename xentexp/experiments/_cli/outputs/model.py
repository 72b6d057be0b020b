"""Models of a run fitted on all rows, stored to predict with."""

from __future__ import annotations

from dataclasses import replace

from xentexp.errors import InputError
from xentexp.experiments._cli.outputs.finished import Finished


def log_model(finished: Finished) -> None:
    """Store the best model or all models, and register the best one."""
    study = finished.study
    board = finished.result.leaderboard(study.shown)
    best = board.best()
    if study.stored == "none" or best is None:
        return
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
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("; ".join(problems))
