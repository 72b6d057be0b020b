"""Import the public names of a package on first use, so that importing the package costs little."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any


def on_first_use(
    package: str, names: Mapping[str, tuple[str, ...]], *, modules: bool = False
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package, from the names of its modules."""
    # With `modules`, the modules are public names too.
    module_of = {name: module for module, listed in names.items() for name in listed}

    def import_name(name: str) -> Any:
        if name not in module_of and not (modules and name in names):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        module = import_module(f"{package}.{module_of.get(name, name)}")
        value = getattr(module, name) if name in module_of else module
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        return sorted(sys.modules[package].__all__)

    return import_name, list_names, sorted([*module_of, *(names if modules else ())])
