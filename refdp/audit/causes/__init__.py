"""Why a claimed epsilon and the true one differ: one cause a file, each a function ``find(case)`` with its numbers."""

from __future__ import annotations

import importlib
import pkgutil

from refdp.audit.causes.base import Case, Cause

__all__ = ["Case", "Cause", "find_causes"]


def find_causes(case: Case) -> tuple[Cause, ...]:
    """All causes that apply, in the order of the modules' ``ORDER``; a refutation always has one."""
    modules = [
        importlib.import_module(f"{__name__}.{info.name}")
        for info in pkgutil.iter_modules(__path__)
        if info.name != "base"
    ]
    found: list[Cause] = []
    for module in sorted(modules, key=lambda m: (m.ORDER, m.__name__)):
        found += module.find(case)
    return tuple(found)
