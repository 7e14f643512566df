"""``refdp audit``: is a claimed epsilon true?"""

from __future__ import annotations

import click

from refdp.cli.lazy import LazyGroup

_COMMANDS = {
    "claim": ("refdp.cli.audit_claim", "Recompute a claimed epsilon from what was really run."),
    "mechanism": (
        "refdp.cli.audit_mechanism",
        "Attack a clipping and noise mechanism written by somebody else.",
    ),
}


@click.group(cls=LazyGroup, members=_COMMANDS)
def audit() -> None:
    """Audits: is a claimed epsilon true?"""
