"""Finds the formulas: every module of this package that has a ``FORMULAS`` tuple."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from refdp.audit.formulas._base import Formula
from refdp.audit.formulas._causes import CAUSES
from refdp.errors import RefDPError

_PACKAGE = __name__.rpartition(".")[0]


def _found() -> dict[str, Formula]:
    names = [info.name for info in pkgutil.iter_modules(import_module(_PACKAGE).__path__)]
    modules = [import_module(f"{_PACKAGE}.{name}") for name in names if not name.startswith("_")]
    every = [formula for module in modules for formula in module.FORMULAS]
    for formula in every:
        if formula.cause not in CAUSES:
            raise RuntimeError(f"formula {formula.name}: cause {formula.cause!r} is not in CAUSES")
    if len({formula.name for formula in every}) < len(every):
        raise RuntimeError("two formulas have one name")
    return {formula.name: formula for formula in sorted(every, key=lambda f: f.name)}


FORMULAS: Mapping[str, Formula] = MappingProxyType(_found())


def formula(name: str) -> Formula:
    """The formula of that name; raises RefDPError listing the names there are."""
    if name not in FORMULAS:
        raise RefDPError(f"unknown formula {name!r}: choose one of {', '.join(FORMULAS)}")
    return FORMULAS[name]
