"""From Renyi DP to (epsilon, delta): each named conversion is a file here, found by itself.

A file defines NAME, ``epsilon_from_rdp(order, rdp, delta)`` (upper value; a negative one is a true statement that
is stronger than needed) and ``log_delta_from_rdp(order, rdp, epsilon)`` (upper value), each inf where the RDP is.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType


@dataclass(frozen=True)
class Conversion:
    """One conversion, by the name that answers give."""

    name: str
    epsilon_from_rdp: Callable[[float, float, float], float]
    log_delta_from_rdp: Callable[[float, float, float], float]


def _found() -> dict[str, Conversion]:
    modules = [import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return {m.NAME: Conversion(m.NAME, m.epsilon_from_rdp, m.log_delta_from_rdp) for m in modules}


CONVERSIONS: Mapping[str, Conversion] = MappingProxyType(_found())
