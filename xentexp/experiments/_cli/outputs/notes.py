"""Notes of a run, its models and its experiment: the answer, where the dashboard shows it first."""

from __future__ import annotations

from xentexp.experiments._cli.outputs.finished import Finished


def log_notes(finished: Finished) -> None:
    """Log the notes, the values of the best model in the parent run, and the colours of models."""
    from xentexp.experiments import _tracking as tracking

    record, store = finished.record, finished.store
    colours = record.colours()
    for name, run_id in finished.children.items():
        with tracking.store_errors(store.uri):
            tags = store.client.get_run(run_id).data.tags
            files = [item.path for item in store.client.list_artifacts(run_id)]
        uri = tags.get(tracking.MODEL)
        note = tracking.child_note(
            record,
            name,
            finished.issues,
            artifacts=files,
            page=tracking.artifacts_page(store.experiment_id, run_id),
            uri=uri,
            caution=tags.get(tracking.TRUST, ""),
            run_id=run_id,
        )
        items: list[tracking.Item] = [tracking.Tag(tracking.NOTE, note)]
        if name in colours:
            items.append(tracking.Tag("mlflow.runColor", colours[name]))
        store.log(run_id, items)
        if uri is not None:  # the page of the model shows the same note
            with tracking.store_errors(store.uri):
                store.client.set_logged_model_tags(uri.rpartition("/")[2], {tracking.NOTE: note})
    with tracking.store_errors(store.uri):
        files = [item.path for item in store.client.list_artifacts(finished.run_id)]
    note = tracking.parent_note(
        record,
        finished.issues,
        finished.notes,
        with_board=finished.with_board,
        artifacts=files,
        page=tracking.artifacts_page(store.experiment_id, finished.run_id),
    )
    store.log(
        finished.run_id, [tracking.Tag(tracking.NOTE, note), *tracking.winner_items(record.board)]
    )
    store.describe(tracking.latest_answer(record, store.experiment_id))
