"""`xentexp run`: jobs, signals and errors."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xentexp._safe_text import without_secrets
from xentexp.errors import InputError, NothingToShowError
from xentexp.experiments._cli.arguments import Arguments, is_sweep, read_arguments
from xentexp.experiments._cli.composition import check_packaged_names, stored
from xentexp.experiments._cli.explain import explain
from xentexp.experiments._cli.failures import JobEndedError
from xentexp.experiments._cli.signals import STOPPING, Interrupted
from xentexp.experiments._cli.terminal import hide_secrets, print_json, say

_CORES = "LOKY_MAX_CPU_COUNT"
"""Variable with the largest number of cores that joblib counts."""


def run(words: list[str], *, quiet: bool, as_json: bool) -> int:
    """Run one job, or several with Hydra's sweeper and launcher; return the largest exit code."""
    arguments = read_arguments(words)
    check_packaged_names(arguments)
    from xentexp.experiments._cli.hydra_jobs import run_jobs

    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="xentexp-jobs-") as processes, _terminable(processes):
        job = Job(arguments, processes, quiet=quiet, as_json=as_json)
        try:
            run_jobs(arguments, job, lambda results: _collect(results, outcomes))
        except _Unexpected as unexpected:
            raise unexpected.error from None
        except Exception as error:
            if as_json:
                _print_documents(outcomes, arguments)
            _print_failures(_failures(outcomes))
            if isinstance(error, InputError):
                raise
            # All other errors of Hydra are caused by the command line or a file.
            choices = [
                word
                for word in arguments.overrides
                if re.match(r"(dataset|models|cv|report|engine|experiment)=", word)
            ]
            raise InputError(explain(error, choices)) from error
    if as_json:
        _print_documents(outcomes, arguments)
    failures = _failures(outcomes)
    if failures and not arguments.multirun:
        raise failures[0][1]
    _print_failures(failures[:-1])
    if failures:
        overrides, failure = failures[-1]
        raise type(failure)(f"[{overrides}] {failure}") from failure
    return max((done.code for done in outcomes), default=0)


@dataclass(repr=False)
class Outcome:
    """What a job returns to the command, possibly from another process."""

    overrides: str
    code: int = 0
    document: dict[str, Any] | None = None
    error: Exception | None = None
    out: str = ""
    err: str = ""

    def __repr__(self) -> str:  # Optuna's sweeper logs it
        return without_secrets(f"[{self.overrides}] {self.error or 'done'}")

    def __float__(self) -> float:
        """Value of the best model, for sweepers that optimize."""
        if self.document is None:
            raise ValueError("the job failed")
        mean = self.document["leaderboard"][0]["mean"]
        return float(mean[self.document["primary"]])


class _Unexpected(BaseException):
    """A fault of ours or of the system, at which Hydra must not go on with the next job."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Job:
    """Task of Hydra: run one configuration, in this process or in one of a launcher."""

    def __init__(self, arguments: Arguments, processes: str, *, quiet: bool, as_json: bool) -> None:
        self.arguments = arguments
        self.processes = processes
        self.quiet = quiet
        self.as_json = as_json
        self.process = os.getpid()
        self.sweep = uuid.uuid4().hex[:12]

    def __call__(self, config: DictConfig) -> Outcome:
        overrides = self._overrides()
        if os.getpid() == self.process:
            try:
                return self._run(config, overrides)
            except Exception as error:
                raise _Unexpected(error) from error
        out, err = io.StringIO(), io.StringIO()
        with (
            redirect_stdout(out),
            redirect_stderr(err),
            self._registered(),
            _terminable(),
            _own_cores(),
        ):
            try:
                outcome = self._run(config, overrides)
            except Exception:  # an exception of another package may not be picklable
                text = traceback.format_exc()
                outcome = Outcome(overrides, error=RuntimeError(without_secrets(text)))
        # Values of oc.env are known only in this process.
        outcome.overrides = without_secrets(overrides)
        outcome.out, outcome.err = (without_secrets(text.getvalue()) for text in (out, err))
        if outcome.document is not None:
            outcome.document = hide_secrets(outcome.document)  # type: ignore[assignment]
        if isinstance(outcome.error, InputError):
            outcome.error = type(outcome.error)(without_secrets(str(outcome.error)))
        return outcome

    def _run(self, config: DictConfig, overrides: str) -> Outcome:
        from xentexp.experiments._cli.job import run_job

        try:
            if self.arguments.cfg:
                _print_configuration(config, self.arguments)
                return Outcome(overrides)
            code, document = run_job(
                config,
                overrides=overrides,
                sweep=self.sweep,
                quiet=self.quiet,
                as_json=self.as_json,
                trusted=tuple(self.arguments.trust),
            )
            return Outcome(overrides, code, document)
        except (InputError, OmegaConfBaseException) as caught:
            error = caught if isinstance(caught, InputError) else InputError(explain(caught))
            return Outcome(overrides, error=error)

    def _overrides(self) -> str:
        """Overrides of this job, as typed where they do not vary."""
        words = self.arguments.overrides
        if self.arguments.multirun:
            of_job = dict.fromkeys(map(str, HydraConfig.get().overrides.task))
            varying = {word.partition("=")[0]: word for word in of_job}
            words = [
                varying.pop(word.partition("=")[0], word) if is_sweep(word) else word
                for word in words
            ]
        return " ".join(word for word in words if not re.match(r"[+~]*hydra\b", word))

    @contextmanager
    def _registered(self) -> Iterator[None]:
        """Leave the number of this process where the command finds it to end the job."""
        file = Path(self.processes, str(os.getpid()))
        if not file.parent.is_dir():  # on another computer
            yield
            return
        file.touch()
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def _own_cores() -> Iterator[None]:
    """Limit a job to its part of the cores, if Hydra's joblib launcher runs several at once."""
    hydra = HydraConfig.get()
    if hydra.runtime.choices.get("hydra/launcher") != "joblib":
        yield
        return
    cores = joblib.cpu_count()
    before = os.environ.get(_CORES)
    os.environ[_CORES] = str(max(cores // _at_once(hydra.launcher.n_jobs, cores), 1))
    try:
        yield
    finally:
        del os.environ[_CORES]
        if before is not None:
            os.environ[_CORES] = before


def _at_once(n_jobs: int | None, cores: int) -> int:
    """Number of processes of joblib's loky for its parameter n_jobs."""
    n_jobs = 1 if n_jobs is None else n_jobs
    return n_jobs if n_jobs > 0 else max(cores + 1 + n_jobs, 1)


def _collect(results: Sequence[Any], outcomes: list[Outcome]) -> None:
    """Add the outcomes of a batch, and print what jobs of other processes have printed."""
    from xentexp.experiments._cli.hydra_jobs import returned

    for result in results:
        done = returned(result)
        if isinstance(done, Outcome):
            outcomes.append(done)
            for text, stream in ((done.err, sys.stderr), (done.out, sys.stdout)):
                if text:
                    print(text, end="", file=stream, flush=True)
        elif isinstance(done, JobEndedError):
            overrides = without_secrets(" ".join(map(str, result.overrides)))
            outcomes.append(Outcome(overrides, error=done))


def _failures(outcomes: list[Outcome]) -> list[tuple[str, Exception]]:
    """Overrides and error of the failed jobs, the most serious error last."""
    found = [(done.overrides, done.error) for done in outcomes if done.error is not None]
    kinds = (NothingToShowError, InputError)  # exit codes 1, 2 and, for others, 3
    return sorted(found, key=lambda failure: [not isinstance(failure[1], k) for k in kinds][::-1])


def _print_failures(failures: list[tuple[str, Exception]]) -> None:
    for overrides, failure in failures:
        say(f"xentexp: error: [{overrides}] {failure}", stderr=True)


def _print_documents(outcomes: list[Outcome], arguments: Arguments) -> None:
    documents = [done.document for done in outcomes if done.document is not None]
    if documents:
        print_json(documents if arguments.multirun else documents[0])


def _print_configuration(config: Any, arguments: Arguments) -> None:
    """Print the configuration, or the section --package, for --cfg job."""
    if arguments.package is not None:
        config = OmegaConf.select(config, arguments.package)
        if not OmegaConf.is_config(config):
            raise InputError(
                f"--package must be a section of the configuration; got {arguments.package!r}"
            )
    say((stored(config) if arguments.resolve else OmegaConf.to_yaml(config)).rstrip("\n"))


def _end_jobs(processes: str, number: int) -> None:
    """End the jobs of other processes, and wait until they have told MLflow."""
    until = time.monotonic() + 10
    for file in Path(processes).iterdir():
        with suppress(ProcessLookupError, PermissionError, ValueError):
            os.kill(int(file.name), number)
    while time.monotonic() < until and any(Path(processes).iterdir()):
        time.sleep(0.05)


@contextmanager
def _terminable(processes: str | None = None) -> Iterator[None]:
    """End a run immediately on Ctrl-C, SIGTERM or SIGHUP, with the status KILLED in MLflow."""
    # Not by KeyboardInterrupt: scikit-learn's neural networks catch it, stop training early and
    # continue with the incomplete model.
    codes = [128 + number for number in STOPPING]

    def stop(number: int, _: object) -> None:
        if processes is not None:
            _end_jobs(processes, number)
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
    # A signal that is ignored, as SIGHUP is by nohup, stays ignored.
    ours = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in ours}
    try:
        yield
    except SystemExit as stopped:
        if stopped.code in codes:
            done = "results of completed models are in MLflow"
            if isinstance(stopped, Interrupted):
                done = stopped.sentence
            print(f"xentexp: interrupted; {done}", file=sys.stderr)
        raise
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
