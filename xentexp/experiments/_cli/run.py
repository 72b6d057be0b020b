"""`xentexp run`: jobs, signals and errors."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xentexp.errors import InputError
from xentexp.experiments._cli.arguments import Arguments, read_arguments
from xentexp.experiments._cli.composition import compose
from xentexp.experiments._cli.explain import explain
from xentexp.experiments._cli.failures import AllModelsFailedError
from xentexp.experiments._cli.signals import STOPPING
from xentexp.experiments._cli.terminal import print_json, say


def run(words: list[str], *, quiet: bool, as_json: bool) -> int:
    """Run one job, or several one after another with -m; return the largest exit code."""
    arguments = read_arguments(words)
    with _terminable():
        try:
            jobs = list(compose(arguments))
        except InputError:
            raise
        except Exception as error:  # all errors of Hydra are caused by the command line or a file
            choices = [
                word
                for word in arguments.overrides
                if re.match(r"(dataset|models|cv|experiment)=", word)
            ]
            raise InputError(explain(error, choices)) from error
        if arguments.cfg:
            for _, config in jobs:
                _print_configuration(config, arguments)
            return 0
        return _run_jobs(jobs, arguments, quiet=quiet, as_json=as_json)


def _run_jobs(jobs: list[Any], arguments: Arguments, *, quiet: bool, as_json: bool) -> int:
    from xentexp.experiments._cli.job import run_job

    codes = [0]
    documents: list[dict[str, Any]] = []
    failures: list[tuple[str, InputError]] = []
    sweep = uuid.uuid4().hex[:12]
    for job_words, config in jobs:
        overrides = " ".join(job_words)
        try:
            code, document = run_job(
                config,
                overrides=overrides,
                sweep=sweep,
                quiet=quiet,
                as_json=as_json,
                trusted=tuple(arguments.trust),
            )
            codes.append(code)
            documents.append(document)
        except (InputError, OmegaConfBaseException) as caught:
            error = caught if isinstance(caught, InputError) else InputError(explain(caught))
            if not arguments.multirun:
                raise error from caught
            failures.append((overrides, error))
    if as_json and documents:
        print_json(documents if arguments.multirun else documents[0])
    # The last error is raised; an invalid input has a larger exit code than failed models.
    failures.sort(key=lambda failure: not isinstance(failure[1], AllModelsFailedError))
    for overrides, failure in failures[:-1]:
        say(f"xentexp: error: [{overrides}] {failure}", stderr=True)
    if failures:
        overrides, failure = failures[-1]
        raise type(failure)(f"[{overrides}] {failure}") from failure
    return max(codes)


def _print_configuration(config: Any, arguments: Arguments) -> None:
    """Print the configuration, or the section --package, for --cfg job."""
    if arguments.package is not None:
        config = OmegaConf.select(config, arguments.package)
        if not OmegaConf.is_config(config):
            raise InputError(
                f"--package must be a section of the configuration; got {arguments.package!r}"
            )
    from xentexp.experiments._cli.composition import stored

    say((stored(config) if arguments.resolve else OmegaConf.to_yaml(config)).rstrip("\n"))


@contextmanager
def _terminable() -> Iterator[None]:
    """End a run immediately on Ctrl-C, SIGTERM or SIGHUP, with the status KILLED in MLflow."""
    # Not by KeyboardInterrupt: scikit-learn's neural networks catch it, stop training early and
    # continue with the incomplete model.
    codes = [128 + number for number in STOPPING]

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    def retry(caught: Any) -> None:
        """Send the signal again: an exception raised in a destructor is discarded."""
        error = caught.exc_value
        if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code in codes:
            again = threading.Timer(0.05, os.kill, (os.getpid(), error.code - 128))
            again.daemon = True
            again.start()
        else:
            hook(caught)

    hook, sys.unraisablehook = sys.unraisablehook, retry
    before = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield
    except SystemExit as stopped:
        if stopped.code in codes:
            print(
                "xentexp: interrupted; results of completed models are in MLflow", file=sys.stderr
            )
        raise
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
