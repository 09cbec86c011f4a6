"""Families of interchangeable parts: a folder with one file per member, found by looking into the folder."""

import pkgutil
from importlib import import_module
from types import ModuleType
from typing import Any


def members(package: ModuleType, attribute: str) -> dict[str, Any]:
    """What each module of `package` offers under `attribute`, by the module's name.

    Raises AttributeError for a module without it: a file in a family's folder is a member or does not belong there.
    """
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("_"):
            continue
        found[module.name] = getattr(import_module(f"{package.__name__}.{module.name}"), attribute)
    return found
