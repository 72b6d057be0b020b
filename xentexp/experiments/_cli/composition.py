"""Compose configurations with Hydra, which reads files and overrides but does not run anything."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.resolvers import oc

from xentexp._safe_text import remember
from xentexp.errors import InputError
from xentexp.experiments._cli.arguments import Arguments, for_hydra
from xentexp.experiments._cli.conf import conf_folder
from xentexp.experiments._cli.yaml_files import check_file

RESOLVERS = ("oc.env", "oc.decode", "oc.select")
"""Resolvers that a configuration may use, besides references to other keys."""


def compose(arguments: Arguments) -> Iterator[tuple[list[str], DictConfig]]:
    """Configuration of each job, with its overrides as typed."""
    _check_packaged_names(arguments)
    search = "hydra.searchpath=[]"  # a search path in a file could import a package
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        if arguments.config_dir is not None:
            _search_too(arguments.config_dir)
        for words, quoted in _jobs(arguments):
            config = hydra.compose(
                arguments.config_name, [*quoted, search], return_hydra_config=True
            )
            _check_hydra(config.hydra)
            with open_dict(config):
                del config["hydra"]
            check_resolvers(OmegaConf.to_container(config, resolve=False))
            _remove_unselected_models(config, words, quoted)
            yield words, config


def _search_too(folder: Path) -> None:
    """Add a folder after the packaged one, as Hydra does for its option --config-dir."""
    # Not hydra.searchpath, in which the file of --config-name is not found.
    path = create_config_search_path(str(conf_folder()))
    path.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
    GlobalHydra.instance().clear()
    Hydra.create_main_hydra2("xentexp", path)


def _jobs(arguments: Arguments) -> list[tuple[list[str], list[str]]]:
    """Overrides of each job, as typed and as Hydra reads them."""
    words = arguments.overrides
    quoted = [for_hydra(word, multirun=arguments.multirun) for word in words]
    if not arguments.multirun:
        return [(words, quoted)]
    loader = GlobalHydra.instance().config_loader()
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(quoted)
    alternatives: list[list[tuple[str, str]]] = []
    for word, text, override in zip(words, quoted, parsed, strict=True):
        if not override.is_sweep_override():
            alternatives.append([(word, text)])
        elif override.is_discrete_sweep():
            key = override.get_key_element()
            choices = [f"{key}={value}" for value in override.sweep_string_iterator()]
            alternatives.append([(choice, choice) for choice in choices])
        else:
            raise InputError(
                f"{word} must list its values with -m; write e.g. {override.key_or_group}=1,2,3"
            )
    return [
        ([word for word, _ in job], [text for _, text in job])
        for job in itertools.product(*alternatives)
    ]


def _check_packaged_names(arguments: Arguments) -> None:
    """Refuse files of --config-dir that Hydra would ignore: packaged files come first."""
    folder = arguments.config_dir
    for file in sorted(folder.rglob("*.yaml")) if folder is not None else ():
        assert folder is not None
        check_file(file)
        name = file.relative_to(folder)
        packaged = conf_folder() / name
        if packaged.is_file() and packaged.read_bytes() != file.read_bytes():
            raise InputError(
                f"--config-dir must not have a file with the name of a packaged one; got {name}, "
                f"which would be ignored; rename it, and its key, e.g. to my_{name.stem}"
            )


def _check_hydra(section: DictConfig) -> None:
    """Refuse settings of Hydra's runner in a file, which would be ignored."""
    core = "hydra._internal.core_plugins.basic_"
    used = {
        "callbacks": bool(section.callbacks),
        "launcher": not str(section.launcher.get("_target_", core)).startswith(core),
        "sweeper": not str(section.sweeper.get("_target_", core)).startswith(core),
        "job.env_set": bool(section.job.env_set),
    }
    for key, is_set in used.items():
        if is_set:
            raise InputError(
                f"hydra.{key} must not be set in a configuration file: xentexp uses Hydra to "
                f"compose the configuration, not to start jobs; remove it"
            )


def check_resolvers(node: Any) -> None:
    """Refuse interpolations that call anything but the resolvers of `RESOLVERS`."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            check_resolvers(key)
            check_resolvers(value)
    elif isinstance(node, list):
        for value in node:
            check_resolvers(value)
    elif isinstance(node, str):
        for name in re.findall(r"\$\{\s*((?:[^\s:${}]|\$\{[^{}]*\})+)\s*:", node):
            if name not in RESOLVERS:
                raise InputError(
                    f"interpolations must name another key or use one of the resolvers "
                    f"{', '.join(RESOLVERS)}; got {node!r}; write the value"
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


def _remove_unselected_models(config: DictConfig, words: list[str], quoted: list[str]) -> None:
    """Remove an experiment's settings of models that ``models=[...]`` does not select."""
    models = config.get("models")
    selected = _selected_models(quoted)
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
        overrides = [word for word in words if word.startswith(f"models.{name}.")]
        if overrides:
            raise InputError(
                f"{overrides[0]} sets a parameter of a model that is not run; add {name} to models="
            )
        with open_dict(config):
            del models[name]


def _selected_models(quoted: list[str]) -> list[str]:
    """Names of models=[...] on the command line; empty if the key is not set there."""
    groups = [
        override.value()
        for override in OverridesParser.create().parse_overrides(quoted)
        if override.key_or_group == "models" and not override.is_delete()
    ]
    names = groups[-1] if groups else []
    names = names if isinstance(names, list) else [names]
    return [name for name in names if isinstance(name, str) and not re.search("[/@:]", name)]
