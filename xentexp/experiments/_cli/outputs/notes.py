"""Notes of a run, its models and its experiment: the answer, where the dashboard shows it first."""

from __future__ import annotations

from xentexp.experiments._cli.outputs.finished import Finished


def log_notes(finished: Finished) -> None:
    """Log the notes, the values of the best model in the parent run, and the colours of models."""
    from xentexp.experiments._tracking.connect import store_errors
    from xentexp.experiments._tracking.items import Item, Tag, winner_items
    from xentexp.experiments._tracking.names import MODEL, NOTE, TRUST
    from xentexp.experiments._tracking.notes import (
        artifacts_page,
        child_note,
        latest_answer,
        parent_note,
    )

    record, store = finished.record, finished.store
    colours = record.colours()
    for name, run_id in finished.children.items():
        with store_errors(store.uri):
            tags = store.client.get_run(run_id).data.tags
            files = [item.path for item in store.client.list_artifacts(run_id)]
        uri = tags.get(MODEL)
        note = child_note(
            record,
            name,
            finished.issues,
            artifacts=files,
            page=artifacts_page(store.experiment_id, run_id),
            uri=uri,
            caution=tags.get(TRUST, ""),
            run_id=run_id,
        )
        items: list[Item] = [Tag(NOTE, note)]
        if name in colours:
            items.append(Tag("mlflow.runColor", colours[name]))
        store.log(run_id, items)
        if uri is not None:  # the page of the model shows the same note
            with store_errors(store.uri):
                store.client.set_logged_model_tags(uri.rpartition("/")[2], {NOTE: note})
    with store_errors(store.uri):
        files = [item.path for item in store.client.list_artifacts(finished.run_id)]
    note = parent_note(
        record,
        finished.issues,
        finished.notes,
        with_board=finished.with_board,
        artifacts=files,
        page=artifacts_page(store.experiment_id, finished.run_id),
    )
    store.log(finished.run_id, [Tag(NOTE, note), *winner_items(record.board)])
    store.describe(latest_answer(record, store.experiment_id))
