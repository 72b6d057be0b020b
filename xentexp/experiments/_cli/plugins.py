"""Hydra's launchers and sweepers: which may run, and which of their parameters are only data."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, OmegaConf

from xentexp.errors import InputError

KINDS: dict[str, Any] = {"launcher": Launcher, "sweeper": Sweeper}
PACKAGES = {
    "launcher": {
        "joblib": "hydra-joblib-launcher",
        "ray": "hydra-ray-launcher",
        "ray_aws": "hydra-ray-launcher",
        "rq": "hydra-rq-launcher",
        "submitit_local": "hydra-submitit-launcher",
        "submitit_slurm": "hydra-submitit-launcher",
    },
    "sweeper": {
        "ax": "hydra-ax-sweeper",
        "nevergrad": "hydra-nevergrad-sweeper",
        "optuna": "hydra-optuna-sweeper",
    },
}
"""Distributions of Hydra's plug-ins, for the advice to install one."""

_SUBMITIT = {
    *("submitit_folder", "timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node"),
    *("mem_gb", "nodes", "name", "stderr_to_stdout", "partition", "qos", "comment", "constraint"),
    *("exclude", "gres", "cpus_per_gpu", "gpus_per_task", "mem_per_gpu", "mem_per_cpu", "account"),
    *("signal_delay_s", "max_num_timeout", "array_parallelism"),
}  # not setup, which are commands, and additional_parameters
DATA: dict[str, set[str]] = {
    "hydra._internal.core_plugins": {"max_batch_size", "params"},
    "hydra_plugins.hydra_joblib_launcher": {
        *("n_jobs", "prefer", "require", "verbose", "timeout", "pre_dispatch", "batch_size"),
        *("temp_folder", "max_nbytes", "mmap_mode"),
    },
    "hydra_plugins.hydra_submitit_launcher": _SUBMITIT,
    "hydra_plugins.hydra_optuna_sweeper": {
        *("direction", "storage", "study_name", "n_trials", "n_jobs", "max_failure_rate"),
        *("params", "search_space"),  # not custom_search_space, which names a function
    },
}
"""Parameters of plug-ins that cannot run code, by package; others need --trust PACKAGE."""
_OVERRIDES = {"params", "search_space"}  # they become overrides of jobs, which are checked
_PLAIN = re.compile(r"[\w .:/@%+*=~,-]*")


def check_name(kind: str, name: str) -> None:
    """Refuse a launcher or sweeper that is not installed."""
    Plugins.instance()  # imports the plug-ins, which register their configurations
    known = sorted(
        file.removesuffix(".yaml")
        for file in ConfigStore.instance().list(f"hydra/{kind}")
        if file.endswith(".yaml")
    )
    if name not in known:
        package = PACKAGES[kind].get(name)
        advice = f"install {package}" if package else "install the plug-in that has this name"
        raise InputError(
            f"hydra/{kind} must be an installed plug-in ({', '.join(known)}); got {name}; {advice}"
        )


def check_plugin(
    kind: str, section: DictConfig, choices: Mapping[str, Any], trusted: Collection[str]
) -> None:
    """Refuse classes that are not plug-ins of Hydra, and parameters that could run code."""
    name = str(choices.get(f"hydra/{kind}"))
    check_name(kind, name)
    own = _registered(f"hydra/{kind}/{name}")
    given: Any = OmegaConf.to_container(section, resolve=False)
    key = f"hydra.{kind}"
    classes = {
        f"{cls.__module__}.{cls.__qualname__}" for cls in Plugins.instance().discover(KINDS[kind])
    }
    target = own.get("_target_")
    if not isinstance(given, dict) or given.get("_target_") != target or target not in classes:
        got = given.get("_target_") if isinstance(given, dict) else given
        raise InputError(
            f"{key}._target_ must be the class of the plug-in {name}, {target}; got {got!r}; "
            f"choose a plug-in with hydra/{kind}=NAME"
        )
    package = ".".join(
        str(target).split(".")[: 2 if str(target).startswith("hydra_plugins") else 3]
    )
    for parameter, value in given.items():
        default = own.get(parameter, "???")
        if parameter == "sampler" and (sampler := choices.get(f"hydra/{kind}/sampler")):
            _check_sampler(f"{key}.sampler", value, _registered(f"hydra/{kind}/sampler/{sampler}"))
            continue
        if value == default:
            continue
        _check_data(f"{key}.{parameter}", value, overrides=parameter in _OVERRIDES)
        if parameter not in DATA.get(package, ()) and not _covers(trusted, package):
            raise InputError(
                f"{key}.{parameter} must not be set: it could run code; got {value!r}; remove it, "
                f"or trust the plug-in with --trust {package}"
            )


def _registered(path: str) -> dict[str, Any]:
    """Configuration that a plug-in has registered; a file of the same name does not count."""
    try:
        node = ConfigStore.instance().load(f"{path}.yaml").node
    except Exception as error:
        raise InputError(f"{path} must be registered by an installed plug-in") from error
    values = OmegaConf.to_container(node, resolve=False)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _check_sampler(key: str, value: object, own: Mapping[str, Any]) -> None:
    """Refuse anything but a registered sampler with numbers, switches and null."""
    given = value if isinstance(value, dict) else {"_target_": value}
    if given.get("_target_") != own.get("_target_") or not str(own.get("_target_")).startswith(
        "optuna.samplers."
    ):
        raise InputError(
            f"{key}._target_ must be a sampler of Optuna; got {given.get('_target_')!r}; choose "
            f"one with hydra/sweeper/sampler=NAME"
        )
    for parameter, inner in given.items():
        if inner != own.get(parameter, "???") and not isinstance(inner, (int, float, type(None))):
            raise InputError(f"{key}.{parameter} must be a number or null; got {inner!r}")


def _check_data(key: str, value: object, *, overrides: bool) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if str(name) in ("_target_", "_partial_", "_args_", "_recursive_", "_convert_"):
                raise InputError(f"{key} must not have the key {name}; got {value!r}; remove it")
            _check_data(f"{key}.{name}", inner, overrides=overrides)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_data(key, inner, overrides=overrides)
    elif isinstance(value, str) and ("${" in value or not (overrides or _PLAIN.fullmatch(value))):
        raise InputError(
            f"{key} must be a number or plain text without brackets, quotes and interpolations; "
            f"got {value!r}; write the value"
        )


def _covers(trusted: Collection[str], package: str) -> bool:
    return any(f"{package}.".startswith(f"{name}.") for name in trusted)
