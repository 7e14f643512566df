"""Why a peer's figure is not the truth: each suspected cause is a file here, found by itself.

A file has ORDER (causes are tried in this order) and ``find(finding)``, which computes with refdp's accountant what
the cause would make of the ledger and returns a Reason where the peer's figure is just that, else None.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from refdp.crosscheck.finding import Finding, Reason

_MODULES = sorted(
    (import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)),
    key=lambda m: m.ORDER,
)
UNEXPLAINED = Reason("unexplained", "no cause that refdp knows gives this figure")


def explain(finding: Finding) -> tuple[Reason, ...]:
    """Every cause that fits; UNEXPLAINED where the figure is not the truth and none does."""
    if finding.verdict.word == "agrees":
        return ()
    found = tuple(reason for module in _MODULES if (reason := module.find(finding)) is not None)
    if not any(reason.explains for reason in found):
        return (*found, UNEXPLAINED)
    return found
