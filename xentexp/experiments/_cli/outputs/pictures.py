"""Pictures and tables of a run and of its best models, among their artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentexp.experiments._cli.failures import picture_errors
from xentexp.experiments._cli.outputs.finished import Finished

if TYPE_CHECKING:
    from xentexp.experiments._report.pictures import Artifacts
    from xentexp.experiments._tracking.items import Item


def log_pictures(finished: Finished) -> None:
    """Log pictures of the run and of its best models."""
    # Imported here, because matplotlib takes a second.
    from xentexp.experiments._report.pictures import (
        checks_only,
        model_artifacts,
        pictured,
        run_artifacts,
    )

    record, run_id = finished.record, finished.run_id
    with picture_errors(run_id):
        finished.store.log(run_id, _items(run_artifacts(record)))
        chosen = {model.name for model in pictured(record, finished.study.pictures)}
        for model in record.models:
            if model.error is None:
                make = model_artifacts if model.name in chosen else checks_only
                made = make(record, model.name)
                finished.store.log(finished.children[model.name], _items(made))


def _items(made: Artifacts) -> list[Item]:
    from xentexp.experiments._tracking.items import Image, Text

    texts = [Text(name, content) for name, content in made.files.items()]
    return [*texts, *(Image(key, pixels) for key, pixels in made.images.items())]
