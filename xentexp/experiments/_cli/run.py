"""`xentexp run` with Hydra: arguments, signals, multirun and errors."""

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
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from xentexp.errors import InputError
from xentexp.experiments._cli.arguments import WITH_VALUE, check_arguments
from xentexp.experiments._cli.conf import conf_folder
from xentexp.experiments._cli.explain import explain
from xentexp.experiments._cli.failures import AllModelsFailedError
from xentexp.experiments._cli.signals import STOPPING


def run(overrides: list[str], *, quiet: bool, as_json: bool) -> int:
    """Run one job, or several with Hydra's multirun; return the largest exit code."""
    check_arguments(overrides)
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
            _remove_unselected_models(config)
            code, document = run_job(
                config, overrides=_overrides(), sweep=_sweep(), quiet=quiet, as_json=as_json
            )
            codes.append(code)
            documents.append(document)
        except (InputError, OmegaConfBaseException) as caught:
            error = caught if isinstance(caught, InputError) else InputError(explain(caught))
            if os.getpid() != main_process:  # in a parallel launcher, which reports the error
                raise error from caught
            # Raised here, Hydra would add lines, and the first failure would end a sweep.
            failures.append((_overrides(), error))

    several = any(word in ("-m", "--multirun") for word in overrides)
    with _terminable(), _hydra_arguments(["xentexp run", *_options_first(overrides)]):
        try:
            job()
        except Exception as error:
            # All errors of Hydra before the job starts are caused by the command line.
            if started and not isinstance(error, (HydraException, OmegaConfBaseException)):
                raise
            choices = [
                word for word in overrides if re.match(r"(dataset|models|cv|experiment)=", word)
            ]
            raise InputError(explain(error, choices)) from error
    if as_json and documents:
        from xentexp.experiments._cli.terminal import print_json

        print_json(documents if several else documents[0])
    # The last error is raised; an invalid input has a larger exit code than failed models.
    failures.sort(key=lambda failure: not isinstance(failure[1], AllModelsFailedError))
    for overridden, failure in failures[:-1]:
        print(f"xentexp: error: [{overridden}] {failure}", file=sys.stderr)
    if failures:
        raise failures[-1][1]
    return max(codes)


def _remove_unselected_models(config: DictConfig) -> None:
    """Remove an experiment's settings of models that ``models=[...]`` does not select."""
    models = config.get("models")
    selected = _selected_models()
    for name in selected:
        if not isinstance(models, DictConfig) or name not in models:
            keys = [str(key) for key in models or () if key not in selected]
            raise InputError(
                f"models=[{name}]: the file models/{name}.yaml must have the key {name}; got "
                f"{', '.join(keys) or 'no key'}; write '{name}:' above preprocessing and classifier"
            )
    for name in list(models) if isinstance(models, DictConfig) else ():
        if name in selected or not isinstance(model := models[name], DictConfig):
            continue
        classifier = model.get("classifier", {})
        complete = not isinstance(classifier, (dict, DictConfig)) or "_target_" in classifier
        if complete or not (conf_folder() / "models" / f"{name}.yaml").exists():
            continue
        overrides = [word for word in _overrides().split() if word.startswith(f"models.{name}.")]
        if overrides:
            raise InputError(
                f"{overrides[0]} sets a parameter of a model that is not run; add {name} to models="
            )
        with open_dict(config):
            del models[name]


def _selected_models() -> list[str]:
    """Names of models=[...] on the command line; empty if the key is not set there."""
    words = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    groups = [
        override.value()
        for override in OverridesParser.create().parse_overrides(list(map(str, words or ())))
        if override.key_or_group == "models" and not override.is_delete()
    ]
    names = groups[-1] if groups else []
    names = names if isinstance(names, list) else [names]
    return [name for name in names if isinstance(name, str) and not re.search("[/@:]", name)]


def _overrides() -> str:
    """Overrides of the command line as typed, without resolving interpolations."""
    words = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return " ".join(map(str, words if isinstance(words, list) else []))


def _sweep() -> str | None:
    """Name of the sweep (its folder); None for a single job."""
    hydra_config = HydraConfig.get()
    if hydra_config.mode != RunMode.MULTIRUN:
        return None
    return Path(hydra_config.sweep.dir).as_posix()


def _options_first(words: list[str]) -> list[str]:
    """Put options first: Hydra's parser rejects overrides before and after an option."""
    options: list[str] = []
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            others.append(word)
            continue
        options.append(word)
        if word in WITH_VALUE:
            options += [value for value in [next(rest, None)] if value is not None]
    return [*options, *others]


@contextmanager
def _hydra_arguments(words: list[str]) -> Iterator[None]:
    """Set sys.argv for Hydra, and make it raise its errors instead of printing them."""
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
