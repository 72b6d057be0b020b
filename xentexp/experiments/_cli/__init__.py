"""Command line; each subcommand imports only the heavy packages that it needs."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

from xentexp import __version__
from xentexp.experiments._cli.collection import IMPORTS, RARE, collection
from xentexp.experiments._cli.parser import FLAGS, parsed, run_help


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 (no result, or not of all), 2 (bad input) or 130."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    from xentexp._safe_text import forget, printable
    from xentexp.errors import InputError, NothingToShowError

    def report(error: BaseException) -> None:
        """Print an error without secrets; all others end as tracebacks of Python."""
        if debug:
            text = "".join(traceback.format_exception(error))
            print(printable(text), end="", file=sys.stderr)
        else:
            print(f"xentexp: error: {printable(str(error), one_line=True)}", file=sys.stderr)

    forget()
    try:
        with collection(IMPORTS if words[:1] == ["run"] else RARE):
            code = _dispatch(words)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except InputError as error:
        report(error)
        return 1 if isinstance(error, NothingToShowError) else 2
    except KeyboardInterrupt:
        print("xentexp: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output has ended, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # e.g. a full disk, for which a traceback does not help
        where = f" ({error.filename})" if error.filename else ""
        with contextlib.suppress(OSError):
            report(error if debug else OSError(f"{error.strerror or error}{where}"))
            if sys.stdout is not None:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except Exception as error:  # a fault of ours; the traceback can contain values
        if arguments is not None:
            raise
        debug = True
        report(error)
        return 3


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["run"]:
        rest = words[1:]
        if "-h" in rest or "--help" in rest:
            print(run_help(), end="")
            return 0
        if "--version" in rest:
            print(f"xentexp {__version__}")
            return 0
        from xentexp.experiments._cli.run import run

        flags = {FLAGS[word] for word in rest if word in FLAGS}
        overrides = [word for word in rest if word not in FLAGS]
        return run(overrides, quiet="quiet" in flags, as_json="json" in flags)
    options = parsed(words)
    if options.command == "ui":
        from xentexp.experiments._cli.ui import ui

        return ui(options)
    if options.command == "score":
        from xentexp.experiments._cli.score import score

        return score(options)
    if options.command == "report":
        from xentexp.experiments._cli.report import report

        return report(options)
    if options.command == "compare":
        from xentexp.experiments._cli.compare import compare

        return compare(options)
    if options.command == "rescore":
        from xentexp.experiments._cli.rescore import rescore

        return rescore(options)
    if options.command == "predict":
        from xentexp.experiments._cli.predict import predict

        return predict(options)
    if options.command == "checks":
        from xentexp.experiments._cli.checks import checks

        return checks(options)
    if options.command == "leaderboard":
        from xentexp.experiments._cli.board import leaderboard

        return leaderboard(options)
    from xentexp.experiments._cli import catalog

    return catalog.losses(options) if options.command == "losses" else catalog.datasets(options)
