"""Checks of a configuration that Hydra composed, and its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.resolvers import oc

from xentexp._safe_text import remember
from xentexp.errors import InputError
from xentexp.experiments._cli.arguments import Arguments
from xentexp.experiments._cli.conf import conf_folder
from xentexp.experiments._cli.plugins import check_plugin
from xentexp.experiments._cli.yaml_files import check_file

RESOLVERS = ("oc.env", "oc.decode", "oc.select")
"""Resolvers that a configuration may use, besides references to other keys."""


def check_composed(
    config: DictConfig,
    reference: DictConfig,
    words: list[str],
    named: Mapping[str, str],
    trusted: Collection[str],
    *,
    is_job: bool,
) -> None:
    """Check a configuration before Hydra uses it; `reference` is Hydra's own section."""
    _check_hydra(config.hydra, reference, named, trusted)
    raw = OmegaConf.to_container(config, resolve=False)
    assert isinstance(raw, dict)
    check_resolvers(raw.pop("hydra"), (*RESOLVERS, "now", "hydra"))
    check_resolvers(raw)
    if is_job:  # without choices that vary
        _check_choices(words)
        _remove_unselected_models(config, words)


def _check_choices(words: list[str]) -> None:
    """Refuse several files of a group other than models: Hydra would merge them."""
    for override in OverridesParser.create().parse_overrides(words):
        group, names = override.key_or_group, override.value()
        if group != "models" and isinstance(names, list) and (conf_folder() / group).is_dir():
            text = ",".join(map(str, names))
            raise InputError(
                f"{group} must be one name; got [{text}]; for one run of each, write "
                f"-m {group}={text}"
            )


def check_packaged_names(arguments: Arguments) -> None:
    """Refuse files of --config-dir that Hydra would ignore: packaged files come first."""
    folder = arguments.config_dir
    for file in sorted(folder.rglob("*.yaml")) if folder is not None else ():
        assert folder is not None
        check_file(file)
        name = file.relative_to(folder)
        if name.parts[0] == "hydra":
            raise InputError(
                f"--config-dir must not have files of the group hydra; got {name}; remove it"
            )
        if name == Path("models/log.yaml"):
            raise InputError(
                "--config-dir must not have the file models/log.yaml: models.log says which models "
                "of a run are stored; rename the file and its key"
            )
        packaged = conf_folder() / name
        if packaged.is_file() and packaged.read_bytes() != file.read_bytes():
            raise InputError(
                f"--config-dir must not have a file with the name of a packaged one; got {name}, "
                f"which would be ignored; rename it, and its key, e.g. to my_{name.stem}"
            )


_ALLOWED = {"launcher", "sweeper", "run", "sweep", "overrides", "runtime"}
_OF_JOB = ("env_set", "env_copy", "chdir", "config")


def _check_hydra(
    section: DictConfig, reference: DictConfig, named: Mapping[str, str], trusted: Collection[str]
) -> None:
    """Refuse settings of Hydra except launcher, sweeper, folders and the name of the job."""
    given: Any = OmegaConf.to_container(section, resolve=False)
    default: Any = OmegaConf.to_container(reference, resolve=False)
    pairs = {key: (given[key], default.get(key)) for key in given if key not in {*_ALLOWED, "job"}}
    pairs |= {f"job.{key}": (given["job"].get(key), default["job"].get(key)) for key in _OF_JOB}
    for key, (value, usual) in pairs.items():
        if value != usual:
            raise InputError(
                f"hydra.{key} must not be set: only the launcher, the sweeper, their folders and "
                f"the name of the job can be; remove it"
            )
    choices = {str(key): value for key, value in section.runtime.choices.items()}
    for kind, name in named.items():
        if choices.get(f"hydra/{kind}") != name:
            chosen = choices.get(f"hydra/{kind}")
            raise InputError(
                f"hydra/{kind} must be chosen on the command line; got {chosen!r} in a file; write "
                f"hydra/{kind}={chosen}"
            )
        check_plugin(kind, section[kind], choices, trusted)


def check_resolvers(node: Any, allowed: Collection[str] = RESOLVERS) -> None:
    """Refuse interpolations that call anything but the allowed resolvers."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            check_resolvers(key, allowed)
            check_resolvers(value, allowed)
    elif isinstance(node, list):
        for value in node:
            check_resolvers(value, allowed)
    elif isinstance(node, str):
        for name in re.findall(r"\$\{\s*((?:[^\s:${}]|\$\{[^{}]*\})+)\s*:", node):
            if name not in allowed:
                raise InputError(
                    f"interpolations must name another key or use one of the resolvers "
                    f"{', '.join(allowed)}; got {node!r}; write the value"
                )


def resolved(config: DictConfig) -> dict[str, Any]:
    """Plain values; those of ``${oc.env:NAME}`` are hidden wherever they are shown or stored."""

    def value(name: str, *default: Any) -> Any:
        found = oc.env(name, *default)
        if isinstance(found, str):
            remember(found, f"${{oc.env:{name}}}")
        return found

    with _environment(value):
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): inner for key, inner in plain.items()}


def stored(config: DictConfig) -> str:
    """The configuration as YAML, with ``${oc.env:NAME}`` instead of its value."""
    with _environment(lambda name, *_: f"${{oc.env:{name}}}"):
        return OmegaConf.to_yaml(config, resolve=True)


@contextmanager
def _environment(resolver: Callable[..., Any]) -> Iterator[None]:
    OmegaConf.register_new_resolver("oc.env", resolver, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _remove_unselected_models(config: DictConfig, words: list[str]) -> None:
    """Remove an experiment's settings of models that ``models=[...]`` does not select."""
    models = config.get("models")
    selected = _selected_models(words)
    for name in selected:
        if not isinstance(models, DictConfig) or name not in models:
            keys = [str(key) for key in models or () if key not in (*selected, "log")]
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
        overrides = [word for word in words if word.startswith(f"models.{name}.")]
        if overrides:
            raise InputError(
                f"{overrides[0]} sets a parameter of a model that is not run; add {name} to models="
            )
        with open_dict(config):
            del models[name]


def _selected_models(words: list[str]) -> list[str]:
    """Names of models=[...] on the command line; empty if the key is not set there."""
    groups = [
        override.value()
        for override in OverridesParser.create().parse_overrides(words)
        if override.key_or_group == "models" and not override.is_delete()
    ]
    names = groups[-1] if groups else []
    names = names if isinstance(names, list) else [names]
    return [name for name in names if isinstance(name, str) and not re.search("[/@:]", name)]
