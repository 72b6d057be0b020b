"""Run jobs with Hydra's sweeper and launcher; only this module uses Hydra's internal classes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode, TaskFunction
from joblib.externals.loky.process_executor import TerminatedWorkerError
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from xentexp._safe_text import without_secrets
from xentexp.errors import InputError
from xentexp.experiments._cli.arguments import Arguments, for_hydra
from xentexp.experiments._cli.composition import check_composed
from xentexp.experiments._cli.conf import conf_folder
from xentexp.experiments._cli.failures import JobEndedError
from xentexp.experiments._cli.plugins import check_name

_SEARCH = "hydra.searchpath=[]"  # a search path in a file could import a package
_WITHOUT_FOLDER = ("basic", "joblib")
"""Launchers that do not need a folder; their sweep folder is temporary."""


class CheckedLoader(ConfigLoaderImpl):
    """Loader that checks each configuration, also in the processes of a launcher."""

    def __init__(self, path: ConfigSearchPath, reference: DictConfig, arguments: Arguments) -> None:
        super().__init__(config_search_path=path)
        self.reference = reference
        self.trusted = tuple(arguments.trust)
        self.fixed: list[str] = []
        """Overrides of every job; the sweeper adds those that vary."""
        self.named: dict[str, str] = {}
        """Launcher and sweeper of the command line."""
        self.sweep_folder: str | None = None

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        fixed = [_SEARCH, *self.fixed]
        if run_mode == RunMode.MULTIRUN:
            # A key may exist only with a choice that varies, e.g. cv.n_test.
            fixed = [word for word in fixed if _is_general(word)]
        words = [*fixed, *(word for word in overrides if word not in fixed)]
        config = super().load_configuration(
            config_name, words, run_mode, from_shell, validate_sweep_overrides
        )
        check_composed(
            config,
            self.reference,
            words,
            self.named,
            self.trusted,
            is_job=run_mode == RunMode.RUN,
        )
        with read_write(config), open_dict(config):
            section, default = config.hydra, self.reference
            section.output_subdir = None
            section.job.chdir = False
            section.hydra_logging = section.job_logging = {"root": None}
            if _raw(section.run, "dir") == _raw(default.run, "dir"):
                section.run.dir = "."
            if self.sweep_folder and _raw(section.sweep, "dir") == _raw(default.sweep, "dir"):
                section.sweep.dir = self.sweep_folder
        return config


def run_jobs(
    arguments: Arguments, task: TaskFunction, report: Callable[[Sequence[JobReturn]], None]
) -> None:
    """Call the task with the configuration of each job; report what each batch returned."""
    version.setbase("1.3")
    setup_globals()
    JobRuntime.instance().set("name", "xentexp")
    quoted = [for_hydra(word, multirun=arguments.multirun) for word in arguments.overrides]
    # The packaged files come first: those of --config-dir cannot replace them.
    reference = ConfigLoaderImpl(create_config_search_path(str(conf_folder()))).load_configuration(
        None, [], RunMode.RUN
    )
    path = create_config_search_path(str(conf_folder()))
    if arguments.config_dir is not None:
        # Not hydra.searchpath, in which the file of --config-name is not found.
        path.prepend(
            "command-line", f"file://{arguments.config_dir}", SearchPathQuery(provider="schema")
        )
    loader = CheckedLoader(path, reference.hydra, arguments)
    loader.named = _named(arguments.overrides)
    context = HydraContext(config_loader=loader, callbacks=Callbacks())
    if not arguments.multirun:
        config = loader.load_configuration(arguments.config_name, quoted, RunMode.RUN)
        result = run_job(
            task_function=task,
            config=config,
            job_dir_key="hydra.run.dir",
            job_subdir_key=None,
            hydra_context=context,
            configure_logging=False,
        )
        report([result])
        return
    varying = _split(quoted, arguments.overrides, loader)
    with tempfile.TemporaryDirectory(prefix="xentexp-sweep-") as folder:
        if loader.named["launcher"] in _WITHOUT_FOLDER and loader.named["sweeper"] == "basic":
            loader.sweep_folder = folder
        master = loader.load_configuration(arguments.config_name, [], RunMode.MULTIRUN)
        sweep_dir = Path(str(master.hydra.sweep.dir))
        _check_not_there(sweep_dir, master)
        sweeper = Plugins.instance().instantiate_sweeper(
            config=master, hydra_context=context, task_function=task
        )
        for holder in (sweeper, getattr(sweeper, "sweeper", None)):  # Optuna's is inside
            if isinstance(launcher := getattr(holder, "launcher", None), Launcher):
                holder.launcher = _Reporting(launcher, report, sweep_dir)  # type: ignore[union-attr]
        sweeper.sweep(arguments=varying)


@dataclass
class _Reporting(Launcher):
    """A launcher that reports the results of each batch, which some sweepers do not return."""

    inner: Launcher
    report: Callable[[Sequence[JobReturn]], None]
    sweep_dir: Path

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.inner.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        if (file := self.sweep_dir / "multirun.yaml").is_file():
            file.write_text(without_secrets(file.read_text("utf-8")), "utf-8")
        try:
            with _every_job(self.inner):
                results = self.inner.launch(job_overrides, initial_job_idx=initial_job_idx)
        except TerminatedWorkerError:
            raise JobEndedError(
                "a process of the launcher ended, out of memory or in a crash, and all jobs with "
                "it; results of completed models are in MLflow"
            ) from None
        self.report(results)
        return results


@contextmanager
def _every_job(launcher: Launcher) -> Iterator[None]:
    """Let submitit's launchers return a `JobEndedError` for a job whose process ended."""
    # They raise an error for the first one, and do not wait for the others.
    if not type(launcher).__module__.startswith("hydra_plugins.hydra_submitit_launcher"):
        yield
        return
    submitit: Any = import_module("submitit")
    map_array = submitit.AutoExecutor.map_array

    def map_every(
        executor: Any, function: Any, overrides: Sequence[list[str]], *more: Any
    ) -> list[_SubmittedJob]:
        jobs = map_array(executor, function, overrides, *more)
        return [_SubmittedJob(*pair) for pair in zip(jobs, overrides, strict=True)]

    submitit.AutoExecutor.map_array = map_every
    try:
        yield
    finally:
        submitit.AutoExecutor.map_array = map_array


@dataclass
class _SubmittedJob:
    """A job of submitit, with an error as result if its process ended."""

    job: Any
    overrides: list[str]

    def results(self) -> list[JobReturn]:
        utils: Any = import_module("submitit.core.utils")
        try:
            results: list[JobReturn] = self.job.results()
            return results
        except utils.UncompletedJobError:
            error = JobEndedError(
                f"the process of the job ended, out of memory, in a crash or at its time limit; "
                f"its output is in {self.job.paths.stdout}; results of completed models are in "
                f"MLflow"
            )
            return [JobReturn(self.overrides, status=JobStatus.COMPLETED, _return_value=error)]


def returned(result: JobReturn) -> Any:
    """What the task returned, or the exception of a job that did not start."""
    # Not return_value, which prints the overrides of a failed job to standard error.
    return result._return_value if result.status != JobStatus.UNKNOWN else None


def _named(words: list[str]) -> dict[str, str]:
    """Launcher and sweeper that the command line names."""
    named = {"launcher": "basic", "sweeper": "basic"}
    for word in words:
        group, _, name = word.partition("=")
        if group in ("hydra/launcher", "hydra/sweeper"):
            kind = group.removeprefix("hydra/")
            check_name(kind, name)
            named[kind] = name
    return named


def _split(quoted: list[str], words: list[str], loader: CheckedLoader) -> list[str]:
    """Overrides that vary; all others become those of every job, exactly as they are written."""
    varying = []
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(quoted)
    for word, text, override in zip(words, quoted, parsed, strict=True):
        if not override.is_sweep_override():
            loader.fixed.append(text)
            continue
        if override.is_hydra_override():
            raise InputError(f"{word} must have one value: keys of hydra are the same in all jobs")
        if loader.named["sweeper"] == "basic" and not override.is_discrete_sweep():
            raise InputError(
                f"{word} must list its values with -m; write e.g. {override.key_or_group}=1,2,3"
            )
        varying.append(text)
    return varying


def _check_not_there(sweep_dir: Path, master: DictConfig) -> None:
    for name in ("multirun.yaml", "optimization_results.yaml"):
        if (sweep_dir / name).exists() and master.get("overwrite") is not True:
            raise InputError(
                f"hydra.sweep.dir must be a folder without {name}; got {sweep_dir}; choose another "
                f"folder, or set overwrite=true"
            )


def _is_general(word: str) -> bool:
    """Whether an override concerns Hydra, or is a choice or key of the first level."""
    key = word.partition("=")[0].lstrip("+~")
    return key.startswith("hydra") or "." not in key


def _raw(section: DictConfig, key: str) -> object:
    values = OmegaConf.to_container(section, resolve=False)
    assert isinstance(values, dict)
    return values.get(key)
