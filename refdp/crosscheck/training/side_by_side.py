"""A model's steps through every framework that is installed, each judged by refdp."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refdp.crosscheck.process import Outcome
from refdp.crosscheck.training.check import Verdict, check_trace
from refdp.crosscheck.training.live import LivePeer, record
from refdp.crosscheck.training.report import document, rerun_to_json
from refdp.crosscheck.training.rerun import Rerun, rerun
from refdp.errors import RefDPError
from refdp.models import Network
from refdp.traces import Trace

GRADIENTS = ("grad_sample", "norms", "clipped_sum")
"""What is recorded where gradients are asked about and not whole steps."""


@dataclass(frozen=True)
class Row:
    """One framework's answer.

    Attributes:
        peer, outcome: who was asked, and what came of it.
        trace, verdict: what it recorded, and how it is judged; None where there is no trace.
        rerun: the whole run beside refdp's own; None where gradients alone were asked for.
    """

    peer: LivePeer
    outcome: Outcome
    trace: Trace | None = None
    verdict: Verdict | None = None
    rerun: Rerun | None = None

    @property
    def agrees(self) -> bool | None:
        """Whether nothing differs; None where there is no answer."""
        if self.verdict is None:
            return None
        return self.verdict.agrees and (self.rerun is None or self.rerun.parted is None)


def rows(
    peers: Sequence[LivePeer],
    interpreters: Mapping[str, str],
    inputs: Trace,
    network: Network,
    *,
    tolerance: float,
    whole_steps: bool,
    timeout: float,
    memory: int,
    module: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Row]:
    """Ask one after another, and judge each trace as it comes.

    Raises:
        RefDPError: the inputs are no sound trace.
    """
    for peer in peers:
        say(f"asking {peer.name}")
        asked = record(
            [peer],
            interpreters,
            inputs,
            timeout=timeout,
            memory=memory,
            module=module,
            stages=None if whole_steps else GRADIENTS,
        )
        for _, outcome, trace in asked:
            yield _judged(peer, outcome, trace, network, tolerance, whole_steps)


def _judged(
    peer: LivePeer,
    outcome: Outcome,
    trace: Trace | None,
    network: Network,
    tolerance: float,
    whole_steps: bool,
) -> Row:
    if trace is None:
        return Row(peer, outcome)
    try:
        verdict = check_trace(trace, network, tolerance)
        run = rerun(trace, network) if whole_steps else None
    except RefDPError as error:
        return Row(peer, dataclasses.replace(outcome, status="crashed", cause=f"its trace: {error}"))
    return Row(peer, outcome, trace, verdict, run)


def to_json(row: Row, tolerance: float) -> dict[str, Any]:
    """One row of the ``refdp-crosscheck-live/1`` document."""
    verdict = None if row.verdict is None else document(row.verdict, tolerance)
    run = row.rerun
    return {
        "peer": row.peer.name,
        "package": row.peer.package,
        "version": row.outcome.version,
        "status": row.outcome.status,
        "cause": row.outcome.cause,
        "agrees": row.agrees,
        "seconds": row.outcome.seconds,
        "verdict": verdict,
        "rerun": None if run is None else rerun_to_json(run),
    }
