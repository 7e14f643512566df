"""``refdp audit``: is a claimed epsilon true, and does a training run leak more?"""

from __future__ import annotations

import click

from refdp.cli.lazy import LazyGroup

_COMMANDS = {
    "claim": ("refdp.cli.audit_claim", "Recompute a claimed epsilon from what was really run."),
    "mechanism": (
        "refdp.cli.audit_mechanism",
        "Attack a clipping and noise mechanism written by somebody else.",
    ),
    "run": ("refdp.cli.audit_run", "Train with canaries: how much does this training leak at least?"),
    "scores": (
        "refdp.cli.audit_scores",
        "Lower bounds on epsilon from a file of canaries' scores, of any framework.",
    ),
    "sampler": ("refdp.cli.audit_sampler", "From recorded batches: were they drawn as they were accounted?"),
}


@click.group(cls=LazyGroup, members=_COMMANDS)
def audit() -> None:
    """Audits: is a claimed epsilon true, and does a training run leak more?"""
