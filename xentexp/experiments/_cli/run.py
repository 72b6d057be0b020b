"""`xentexp run`, towards Hydra: arguments, signals, several jobs, and what goes wrong."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from xentexp.errors import InputError
from xentexp.experiments._cli.conf import conf_folder
from xentexp.experiments._cli.explain import explain
from xentexp.experiments._cli.signals import STOPPING


def run(overrides: list[str], *, quiet: bool, as_json: bool) -> int:
    """One run, or several with Hydra's multirun."""
    codes = [0]
    started: list[bool] = []
    documents: list[dict[str, Any]] = []
    failures: list[tuple[str, InputError]] = []
    main_process = os.getpid()

    @hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="run")
    def job(config: DictConfig) -> None:
        from xentexp.experiments._cli.job import run_job

        started.append(True)
        try:
            _leave_out_others(config)
            code, document = run_job(
                config, overrides=_overrides(), sweep=_sweep(), quiet=quiet, as_json=as_json
            )
            codes.append(code)
            documents.append(document)
        except (InputError, OmegaConfBaseException) as caught:
            error = caught if isinstance(caught, InputError) else InputError(explain(caught))
            if os.getpid() != main_process:  # a job of a parallel launcher, which reports it
                raise error from caught
            # Hydra would add lines of its own, and a sweep would end with its first failure.
            failures.append((_overrides(), error))

    several = any(word in ("-m", "--multirun") for word in overrides)
    with _terminable(), _hydra_arguments(["xentexp run", *_options_first(overrides)]):
        try:
            job()
        except Exception as error:
            # What Hydra raises while it composes is the user's to mend, whatever its class.
            if started and not isinstance(error, (HydraException, OmegaConfBaseException)):
                raise
            choices = [
                word for word in overrides if re.match(r"(dataset|models|cv|experiment)=", word)
            ]
            raise InputError(explain(error, choices)) from error
    if as_json and documents:
        from xentexp.experiments._cli.terminal import print_json

        print_json(documents if several else documents[0])
    for overridden, failure in failures[:-1]:
        print(f"xentexp: error: [{overridden}] {failure}", file=sys.stderr)
    if failures:
        raise failures[-1][1]
    return max(codes)


def _leave_out_others(config: DictConfig) -> None:
    """Take away an experiment's settings of models that ``models=[...]`` leaves out."""
    models = config.get("models")
    for name in list(models) if isinstance(models, DictConfig) else ():
        if not isinstance(model := models[name], DictConfig):
            continue
        classifier = model.get("classifier", {})
        there = not isinstance(classifier, (dict, DictConfig)) or "_target_" in classifier
        if there or not (conf_folder() / "models" / f"{name}.yaml").exists():
            continue
        typed = [word for word in _overrides().split() if word.startswith(f"models.{name}.")]
        if typed:
            raise InputError(f"{typed[0]} sets a model that is not among models=; add it there")
        with open_dict(config):
            del models[name]


def _overrides() -> str:
    """What was set on the command line, as typed: interpolations are not looked up."""
    words = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return " ".join(map(str, words if isinstance(words, list) else []))


def _sweep() -> str | None:
    """Folder of the sweep that this job belongs to, which names it."""
    hydra_config = HydraConfig.get()
    if hydra_config.mode != RunMode.MULTIRUN:
        return None
    return Path(hydra_config.sweep.dir).as_posix()


def _options_first(words: list[str]) -> list[str]:
    """Hydra's parser refuses overrides on both sides of an option: put the options first."""
    with_value = {"--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp"}
    with_value |= {"--cfg", "-c", "--package", "-p", "--experimental-rerun"}
    options: list[str] = []
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            others.append(word)
            continue
        options.append(word)
        if word in with_value:
            options += [value for value in [next(rest, None)] if value is not None]
    return [*options, *others]


@contextmanager
def _hydra_arguments(words: list[str]) -> Iterator[None]:
    """Hydra reads sys.argv; it hands us its errors instead of printing them if asked to."""
    before = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = words, "1"
    try:
        yield
    finally:
        sys.argv = before[0]
        if before[1] is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before[1]


@contextmanager
def _terminable() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end a run at once; MLflow's record says KILLED."""
    codes = [128 + number for number in STOPPING]

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    def lost(caught: Any) -> None:
        """Raised within a destructor, as of a connection, it is lost there: try again soon."""
        error = caught.exc_value
        if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code in codes:
            again = threading.Timer(0.05, os.kill, (os.getpid(), error.code - 128))
            again.daemon = True
            again.start()
        else:
            hook(caught)

    hook, sys.unraisablehook = sys.unraisablehook, lost
    before = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield
    except SystemExit as stopped:
        if stopped.code in codes:
            print("xentexp: interrupted; models that were done are in the store", file=sys.stderr)
        raise
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
