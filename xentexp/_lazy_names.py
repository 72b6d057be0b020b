"""Import the public names of a package on first use, so that importing the package costs little."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any


def on_first_use(package: str, module_of: Mapping[str, str]) -> Callable[[str], Any]:
    """`__getattr__` of a package, given the module of each name; a module has its own name."""

    def import_name(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        module = import_module(f"{package}.{module_of[name]}")
        value = module if module_of[name] == name else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return import_name
