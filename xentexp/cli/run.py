"""`xentexp run`: Hydra composes, `configuration` builds, `experiment` computes, the rest tells."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from xentexp.cli import STOPPING, conf_folder
from xentexp.cli.progress import Progress
from xentexp.errors import InputError


def run(overrides: list[str], *, quiet: bool, as_json: bool) -> int:
    """One run, or several with Hydra's multirun.

    Parameters
    ----------
    overrides : list of str
        Arguments for Hydra.
    quiet : bool
        Whether to leave out progress and hints.
    as_json : bool
        Whether the leaderboard is printed as JSON.

    Returns
    -------
    int
        Exit code, the largest of all jobs.
    """
    codes = [0]
    started: list[bool] = []
    documents: list[dict[str, Any]] = []
    failures: list[tuple[str, InputError]] = []
    main_process = os.getpid()

    @hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="run")
    def job(config: DictConfig) -> None:
        started.append(True)
        try:
            code, document = _job(config, quiet=quiet, as_json=as_json)
            codes.append(code)
            documents.append(document)
        except (InputError, OmegaConfBaseException) as caught:
            error = caught if isinstance(caught, InputError) else InputError(_explain(caught))
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
            choices = [word for word in overrides if re.match(r"(dataset|models|cv)=", word)]
            raise InputError(_explain(error, choices)) from error
    if as_json and documents:
        from xentexp.cli.terminal import print_json

        print_json(documents if several else documents[0])
    for overridden, failure in failures[:-1]:
        print(f"xentexp: error: [{overridden}] {failure}", file=sys.stderr)
    if failures:
        raise failures[-1][1]
    return max(codes)


def _overrides() -> str:
    """What was set on the command line, as typed: interpolations are not looked up."""
    words = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return " ".join(map(str, words if isinstance(words, list) else []))


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
    """Ctrl-C, SIGTERM and a closed terminal end a run at once; MLflow's record says KILLED.

    Not as a KeyboardInterrupt: scikit-learn's neural networks take that for "stop training here"
    and go on with a model that is half trained.
    """

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield
    except SystemExit as stopped:
        if stopped.code in [128 + number for number in STOPPING]:
            print("xentexp: interrupted; models that were done are in the store", file=sys.stderr)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _job(config: DictConfig, *, quiet: bool, as_json: bool) -> tuple[int, dict[str, Any]]:
    from xentexp.configuration import build

    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    study = build({str(key): value for key, value in plain.items()})

    # Imported when the configuration is known to be good: MLflow takes more than a second.
    from xentexp import tracking
    from xentexp.cli.terminal import print_leaderboard
    from xentexp.experiment import out_of_fold, run_experiment

    dataset = study.dataset
    store = tracking.Store(
        study.tracking_uri,
        study.experiment,
        primary=study.primary,
        description=f"{dataset.card.title}. Source: {dataset.card.source}",
    )
    hydra_config = HydraConfig.get()
    sweep = None
    if hydra_config.mode == RunMode.MULTIRUN:
        sweep = Path(hydra_config.sweep.dir).as_posix()
    tags = {
        "xentexp.sweep": sweep or uuid.uuid4().hex[:12],
        "xentexp.config_hash": study.config_hash,
        "xentexp.primary": study.primary,
        **({} if study.shown is None else {"xentexp.leaderboard": ",".join(study.shown)}),
        "dataset": dataset.name,
        "dataset_digest": dataset.digest,
        "seed": study.seed,
        "overrides": _overrides() or "(none)",
        "mlflow.source.name": "xentexp run",
        **{f"version.{name}": number for name, number in _versions().items()},
        **_git(),
    }
    settings = {
        "dataset": dataset.name,
        "n_rows": len(dataset.y),
        "n_classes": len(dataset.classes),
        "seed": study.seed,
        "n_jobs": study.n_jobs,
        **{f"cv.{key}": value for key, value in study.config["cv"].items()},
        **{f"dataset.{k}": v for k, v in study.config["dataset"].items() if k != "name"},
    }
    data = tracking.DataInput(
        dataset.name,
        dataset.digest,
        json.dumps({"source": dataset.card.source}),
        json.dumps(dataset.describe(), default=str),
    )
    written = OmegaConf.to_yaml(config, resolve=True)
    name = f"{dataset.name} seed={study.seed} {study.config['cv']['kind']}"
    progress = Progress(study, quiet=quiet)
    with store.run(name, {**tags, "xentexp.kind": "comparison"}) as run_id:
        store.log(
            run_id,
            [
                *(tracking.Param(key, value) for key, value in settings.items()),
                tracking.Param("models", ",".join(c.name for c in study.candidates)),
                tracking.Text("config/config.yaml", written),
                tracking.Text("config/dataset.json", json.dumps(dataset.describe(), default=str)),
                tracking.Text("environment/requirements.txt", _installed()),
                data,
            ],
        )

        def record(outcome: Any) -> None:
            tracking.log_outcome(
                store,
                outcome,
                settings,
                data,
                None if outcome.error else out_of_fold(outcome, dataset),
                written,
                {**tags, "xentexp.kind": "candidate"},
                run_id,
            )
            progress.outcome(outcome)

        with progress:
            result = run_experiment(
                dataset,
                study.candidates,
                study.folds,
                losses=study.losses,
                samples=study.samples,
                primary=study.primary,
                n_jobs=study.n_jobs,
                on_fold=progress.fold,
                on_outcome=record,
            )
        store.log(run_id, tracking.result_items(result, study.shown))
        board = result.leaderboard(study.shown)
        if study.submission is not None:
            _submit(study, board.best())
        if not any(row.reason is None for row in board.rows):
            raise InputError(f"every model failed; the first: {board.rows[0].reason}")
    title = (
        f"{dataset.card.title}: {len(dataset.y):,} rows, {len(dataset.classes)} classes, "
        f"{len(study.folds)} folds ({study.config['cv']['kind']}), seed {study.seed}"
    )
    if not as_json:
        print_leaderboard(board, title=title)
        if not quiet:
            page = tracking.chart_page(store.experiment_id, run_id, study.primary)
            print(_where(store.uri, page))
    document = {
        "experiment": study.experiment,
        "experiment_id": store.experiment_id,
        "run_id": run_id,
        "store": store.uri,
        "primary": study.primary,
        "leaderboard": board.to_records(),
    }
    return (1 if any(row.reason for row in board.rows) else 0), document


def _where(uri: str, page: str) -> str:
    from xentexp.tracking import store_uri

    if uri.startswith(("http://", "https://")):
        return f"\nAll of it is in MLflow: {uri}{page}"
    option = "" if uri == store_uri() else f" --store {uri}"
    return f"\nAll of it is in MLflow ({uri}). To see it: {_program()} ui{option}"


def _program() -> str:
    """How to call the command from here: by name, or by its path where it is not on PATH."""
    if shutil.which("xentexp"):
        return "xentexp"
    return os.path.relpath(Path(sys.executable).with_name("xentexp"))


def _submit(study: Any, best: Any) -> None:
    """Refit the best candidate on all rows and write its probabilities for the test rows."""
    import pandas as pd
    from sklearn.base import clone

    from xentexp.scorers import predict

    if best is None:
        raise InputError(f"submission needs a model with {study.primary}; none has it")
    dataset = study.dataset
    candidate = next(c for c in study.candidates if c.name == best.model)
    try:
        model = clone(candidate.estimator).fit(dataset.X, dataset.y)
        proba, _ = predict(model, dataset.test.X, dataset.classes)
    except Exception as error:
        raise InputError(f"submission: {best.model} failed on all rows: {error}") from error
    if proba is None:
        raise InputError(f"submission needs probabilities, which {best.model} has not")
    frame = pd.DataFrame(proba, columns=list(dataset.test.columns))
    frame.insert(0, dataset.test.index_name, dataset.test.index.to_numpy())
    partial = study.submission.with_name(f".{study.submission.name}.{os.getpid()}")
    try:
        frame.to_csv(partial, index=False)
        partial.replace(study.submission)
    except OSError as error:
        raise InputError(f"submission {study.submission}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _versions() -> dict[str, str]:
    packages = ("xentexp", "scikit-learn", "numpy", "pandas", "mlflow")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _installed() -> str:
    names = {d.metadata["Name"]: d.version for d in distributions() if d.metadata["Name"]}
    return "".join(f"{name}=={names[name]}\n" for name in sorted(names, key=str.lower))


def _git() -> dict[str, str]:
    """Commit of the folder's repository, and whether it was changed since; nothing elsewhere."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *words], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    if commit is None:
        return {}
    return {
        "mlflow.source.git.commit": commit,
        "git_dirty": str(bool(ask("status", "--porcelain"))),
    }


def _explain(error: Exception, choices: list[str] | None = None) -> str:
    """Hydra's message in one sentence, with the nearest names instead of advice to append."""
    from xentexp.errors import unknown_name

    own, cause = (" ".join(str(e).split()) for e in (error, error.__cause__ or error))
    key = re.search(r"Could not override '([^']+)'", own)
    if key:
        return _unknown_key(key.group(1), choices)
    choice = re.search(r"Could not (?:find|load) '([^'/]+)/([^']+)'", own)
    if choice:
        group, name = choice.groups()
        known = [path.stem for path in (conf_folder() / group).glob("*.yaml")]
        return f"{unknown_name(group, name, known)} (and those of --config-dir)"
    advice = (
        r" (Set the environment variable|To append to your config use|full_key:|object_type=).*"
    )
    return re.sub(advice, "", cause)


def _unknown_key(key: str, choices: list[str] | None) -> str:
    """Which part of a dotted key does not exist, and what stands there instead."""
    from xentexp.errors import unknown_name

    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        try:
            node: Any = hydra.compose("run", choices)
        except HydraException:  # choices of a sweep, or of --config-dir
            node = hydra.compose("run")
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(node, DictConfig) or part not in node:
            above = ".".join(parts[:depth])
            kind = f"key of {above}" if above else "configuration key"
            known = map(str, node) if isinstance(node, DictConfig) else ()
            return str(unknown_name(kind, part, known))
        node = node[part]
    return f"{key} cannot be set"


__all__ = ["run"]
