"""What is made of the results of a finished run and logged: its page, and more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from xentexp.errors import InputError, StoreError
from xentexp.experiments._cli.outputs.finished import Finished
from xentexp.experiments._cli.outputs.model import has_model, log_model
from xentexp.experiments._cli.outputs.notes import log_notes
from xentexp.experiments._cli.outputs.page import log_page
from xentexp.experiments._cli.outputs.pictures import log_pictures
from xentexp.experiments._cli.outputs.view import log_view
from xentexp.experiments._cli.signals import Interrupted
from xentexp.experiments._cli.terminal import say
from xentexp.experiments._formatting import and_list, counted

__all__ = ["Finished", "Outputs"]


@dataclass(frozen=True)
class _Output:
    name: str
    log: Callable[[Finished], None]
    wanted: Callable[[Finished], object]


_PAGE = _Output("page", log_page, lambda finished: finished.study.report)
_NOTES = _Output("descriptions", log_notes, lambda _: True)
_ALL = (
    _Output("stored model", log_model, has_model),
    _PAGE,
    _Output("pictures", log_pictures, lambda finished: finished.study.pictures),
    _NOTES,
    _Output("view of the dashboard", log_view, lambda _: True),
)
"""In this order: notes and the view refer to what the other outputs log."""


class Outputs:
    """Write the results of a run and what is made of them; errors do not hide the results."""

    # In a `with` block, an error of the store is kept if there are results to show, and a signal
    # becomes `Interrupted`, with a sentence on the outputs that are missing.

    def __init__(self) -> None:
        self.errors: list[InputError] = []
        self.store_failed = False  # before all results were in it, or it does not respond
        self._lost: StoreError | None = None  # error before all results were in the store
        self._finished: Finished | None = None
        self._left: list[_Output] = []

    def write(self, write: Callable[[], object]) -> None:
        """Write results, unless the store has failed before; its error is kept."""
        if self.store_failed:
            return
        try:
            write()
        except StoreError as error:
            self.store_failed, self._lost = True, error
            say(f"warning: {error}; the run goes on to show its results", stderr=True)

    def begin(self, finished: Finished) -> None:
        """Set the results; raise the error of the store if they could not be written."""
        self._finished = finished
        self._left = [output for output in _ALL if output.wanted(finished)]
        if self._lost is not None:
            raise self._lost

    def log(self) -> None:
        """Log all outputs; errors of those that cannot be made are kept."""
        from xentexp.experiments._tracking.connect import responds

        finished = self._finished
        assert finished is not None
        if self.store_failed:
            return
        failure = None
        with self:
            for output in tuple(self._left):
                try:
                    output.log(finished)
                except StoreError as error:  # the results are logged, and are shown nevertheless
                    failure = failure or error
                    if not responds(finished.store.uri):
                        self.store_failed = True
                        break
                    continue
                except InputError as error:
                    self.errors.append(error)
                self._left.remove(output)
            if failure is not None:
                self.errors.append(StoreError(f"{failure}; {self._missing(finished)}"))
                self._tell(finished)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        finished = self._finished
        if isinstance(error, SystemExit) and not isinstance(error, Interrupted):
            if self._lost is not None:
                raise Interrupted(error.code, str(self._lost)) from None
            if finished is not None:
                self._tell(finished)
                raise Interrupted(error.code, self._missing(finished)) from None
        if isinstance(error, StoreError) and finished is not None:
            self.store_failed = True
            logged, all_models = len(finished.children), len(finished.result.candidate_results)
            self.errors.append(
                StoreError(
                    f"{error}; run {finished.run_id[:8]} is incomplete in MLflow, with the results "
                    f"of {logged} of {counted(all_models, 'model')}; the results of all are shown; "
                    f"run the command again when the store works"
                )
            )
            return True
        return False

    def _missing(self, finished: Finished) -> str:
        """Sentence on the outputs that are missing, and how to get them."""
        run_id = finished.run_id[:8]
        report = f"`xentexp report {run_id}` writes the page, and " if _PAGE in self._left else ""
        return (
            f"the results of run {run_id} are in MLflow, but these outputs are missing or "
            f"incomplete: {and_list(self._names())}; {report}the same command again makes a new "
            f"run with all outputs"
        )

    def _names(self) -> list[str]:
        return [output.name for output in self._left]

    def _tell(self, finished: Finished) -> None:
        """Note the missing outputs in the run, if the store responds."""
        from xentexp.experiments._tracking.connect import deferred_signals, responds
        from xentexp.experiments._tracking.items import Tag
        from xentexp.experiments._tracking.names import MISSING, NOTE

        if not self._left:
            return
        tags = [Tag(MISSING, ", ".join(self._names()))]
        if _NOTES in self._left:
            sentence = self._missing(finished)
            tags.append(Tag(NOTE, f"{sentence[0].upper()}{sentence[1:]}."))
        # A signal that is sent twice must not hide what is missing.
        with contextlib.suppress(InputError, SystemExit), deferred_signals():
            if responds(finished.store.uri):
                finished.store.log(finished.run_id, tags)
