"""Steps taken by the frameworks themselves, each in a process of its own, and their traces.

peers()          which methods of which packages are known
inputs_for(...)  weights, batches and settings that all are given
record(...)      take the steps; one trace a peer
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from refdp.crosscheck.process import Outcome, ask
from refdp.crosscheck.training.inputs import inputs_for
from refdp.crosscheck.training.peer_files import literals
from refdp.errors import RefDPError
from refdp.traces import Trace, read, write

__all__ = ["LivePeer", "chosen", "inputs_for", "peers", "record"]

FOLDER = Path(__file__).parent / "peers"
LARGEST_TRACE = 1 << 33
"""Bytes: a step of wrn-16-4 takes 17 MiB a sample in float32."""


@dataclass(frozen=True)
class LivePeer:
    """One way of one package to take a step.

    Attributes:
        name: such as ``opacus-ghost``.
        package: as it is installed, and as ``--peer`` calls it.
        file: the file that asks it.
        makes_gradients: whether it has per-sample gradients to record.
        takes_modules: whether it takes a user's own torch module.
    """

    name: str
    package: str
    file: Path
    makes_gradients: bool
    takes_modules: bool


def peers(folder: Path | None = None) -> tuple[LivePeer, ...]:
    """Every method of every file, packages sorted by file name; nothing is run.

    Raises:
        RefDPError: see ``literals``.
    """
    return tuple(
        LivePeer(name, package, path, of["grad_sample"], of["modules"])
        for path, package, methods in literals(folder or FOLDER, "METHODS")
        for name, of in methods.items()
    )


def chosen(names: Iterable[str] | None, known: tuple[LivePeer, ...]) -> tuple[LivePeer, ...]:
    """The peers of these names, or of packages of these names; all where None is given."""
    if names is None:
        return known
    wanted = list(names)
    for name in wanted:
        if not any(name in (each.name, each.package) for each in known):
            raise RefDPError(
                f"unknown peer {name!r}: choose among {', '.join(each.name for each in known)}, or a package"
            )
    return tuple(each for each in known if each.name in wanted or each.package in wanted)


def record(
    asked: Iterable[LivePeer],
    interpreters: Mapping[str, str],
    inputs: Trace,
    *,
    timeout: float,
    memory: int,
    module: str | None = None,
    stages: Iterable[str] | None = None,
) -> list[tuple[LivePeer, Outcome, Trace | None]]:
    """Have every peer take the steps of ``inputs`` from the same weights.

    Args:
        interpreters: by package; this one where none is given.
        inputs: as ``inputs_for`` makes them: x and y of every step, weights before the first, settings, and the model
            in its meta.
        timeout: seconds a peer; memory: bytes of its address space.
        module: ``FILE.py:NAME``, a user's torch module in the place of the model.
        stages: kinds to record: grad_sample, norms, clipped_sum, noised_sum, param_after; all where None.

    Guarantees:

    G1. What a peer did not give is None, beside an Outcome that says why; no number is made up.
    G2. A trace that cannot be read, or that took other steps than were asked for, is a crash of the peer.

    Raises:
        RefDPError: the inputs are no sound trace.
    """
    with tempfile.TemporaryDirectory(prefix="refdp-live-") as folder:
        given = Path(folder) / "inputs.npz"
        write(inputs, given)
        case: dict[str, Any] = {"inputs": str(given), "steps": len(inputs.steps)}
        if module is not None:
            case["module"] = module
        elif "model" in inputs.meta:
            case["model"] = inputs.meta["model"]
        else:
            raise RefDPError("inputs: meta names no model, and no module was given; give one of them")
        if stages is not None:
            case["stages"] = list(stages)
        found = []
        for peer in asked:
            out = Path(folder) / f"{peer.name}.npz"
            python = interpreters.get(peer.package, sys.executable)
            outcome = _ask(peer, case | {"out": str(out)}, python, timeout, memory)
            trace = None
            if outcome.status == "ok":
                outcome, trace = _trace(out, outcome, inputs)
            out.unlink(missing_ok=True)
            found.append((peer, outcome, trace))
        return found


def _ask(peer: LivePeer, case: dict[str, Any], python: str, timeout: float, memory: int) -> Outcome:
    if "module" in case and not peer.takes_modules:
        return Outcome("unsupported", "it takes no torch modules", None, {}, 0.0, 0)
    return ask(peer, case, python, timeout=timeout, memory=memory, largest_file=LARGEST_TRACE)


def _trace(path: Path, outcome: Outcome, inputs: Trace) -> tuple[Outcome, Trace | None]:
    try:
        trace = read(path)
    except RefDPError as error:
        return replace(outcome, status="crashed", cause=f"its trace: {error}"), None
    if len(trace.steps) != len(inputs.steps):
        cause = f"its trace holds {len(trace.steps)} steps: must be {len(inputs.steps)}"
        return replace(outcome, status="crashed", cause=cause), None
    return outcome, trace
