"""What is made of the results of a finished run and logged: its page, and more."""

from __future__ import annotations

from collections.abc import Callable

from xentexp.errors import InputError
from xentexp.experiments._cli.outputs.finished import Finished
from xentexp.experiments._cli.outputs.model import log_model
from xentexp.experiments._cli.outputs.notes import log_notes
from xentexp.experiments._cli.outputs.page import log_page
from xentexp.experiments._cli.outputs.pictures import log_pictures
from xentexp.experiments._cli.outputs.view import log_view

__all__ = ["Finished", "log_outputs"]

_STEPS: tuple[Callable[[Finished], None], ...] = (
    log_model,
    log_page,
    log_pictures,
    log_notes,
    log_view,
)
"""In this order: notes and the view refer to what the other steps log."""


def log_outputs(finished: Finished) -> list[InputError]:
    """Log all outputs; return the errors of those that cannot be made."""
    errors = []
    for step in _STEPS:
        try:
            step(finished)
        except InputError as error:  # the results are logged, and are shown nevertheless
            errors.append(error)
    return errors
