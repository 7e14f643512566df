"""One model at one batch size: start every contender, then let them take turns in a random order."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from peer_steps import processes, truth
from peer_steps.base import Absent
from peer_steps.client import Client, Failed
from peer_steps.contenders import CONTENDERS

FEWEST = 6  # rounds: with fewer no interval holds a median with 95 % confidence
_REST = 0.05  # seconds between turns, in which the threads of the one before fall asleep
_WARM, _IDLE = 0.4, 0.2  # seconds
_SLOW = 1.0  # seconds of a step from which waking up takes no part worth an extra step

Say = Callable[[str], None]


@dataclass
class Row:
    """What came of one contender.

    Attributes:
        absent: why it took no part, or None.
        setting: what it chose for itself while warming up; "" where nothing is open.
        turns: median seconds of a step, a round.
        best: its fastest step.
        peak, imports: bytes at most, and of these what was there before the model was made.
        idle: share of a core that it took between its turns.
    """

    absent: str | None = None
    setting: str = ""
    parameters: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    turns: list[float] = field(default_factory=list)
    best: float = float("inf")
    peak: int = 0
    imports: int = 0
    idle: float = 0.0


@dataclass
class _Runner:
    """A contender under way: its process and how many steps make a turn."""

    client: Client
    row: Row
    steps: int = 1

    def warm_up(self, turn: float) -> None:
        """At least two steps (the first may compile), with an eye on memory, and the length of a turn."""
        self.client.watched(1)
        once = self.client.watched(1)[0]
        if once < _WARM:
            self.row.setting = self.client.tune()
        more = max(1, min(int(_WARM / once), 500))
        typical = statistics.median(self.client.watched(more)) if once < _WARM else once
        self.steps = max(1 if typical > _SLOW else 2, min(round(turn / typical), 1000))

    def turn(self) -> None:
        """One turn: where it has several steps, one more comes first and is not counted."""
        seconds = self.client.take(self.steps + 1)[1:] if self.steps > 1 else self.client.take(1)
        self.row.turns.append(statistics.median(seconds))
        self.row.best = min(self.row.best, *seconds)

    def rest(self) -> None:
        """Measure what it takes of a core while it waits, right after a step and the pause between turns."""
        self.client.take(1)
        time.sleep(_REST)
        before = self.client.processor_seconds()
        time.sleep(_IDLE)
        self.row.idle = (self.client.processor_seconds() - before) / _IDLE


def start(name: str, interpreters: dict[str, str], inputs: Path, size: int) -> tuple[Client, dict[str, Any]]:
    """A contender whose model is made; Absent where there is none, Failed where it is not the model asked for."""
    contender = CONTENDERS[name]
    if not interpreters.get(contender.interpreter):
        raise Absent("not installed (no interpreter given)")
    client = Client(contender, interpreters[contender.interpreter])
    try:
        made = client.make(inputs)
        if made["parameters"] != size:
            raise Failed(f"{made['parameters']:,} parameters: must be {size:,}")
    except BaseException:
        client.close()
        raise
    return client, made


def measure(
    model: str,
    batch: int,
    names: list[str],
    interpreters: dict[str, str],
    seconds: float,
    rounds: int | None,
    turn: float,
    directory: Path,
    say: Say,
) -> tuple[dict[str, Row], float]:
    """Rows of all contenders named, and the share of the cores that other processes took.

    Rounds: as many as given, or as fit into the seconds, but at least FEWEST.
    """
    path, size = directory / "inputs.npz", truth.network(model).size
    truth.timed_inputs(model, batch).save(path)
    rows, running = {name: Row() for name in names}, []
    with ExitStack() as stack:
        for name, row in rows.items():
            begun = time.perf_counter()
            try:
                client, made = start(name, interpreters, path, size)
                stack.callback(client.close)
                runner = _Runner(client, row)
                runner.warm_up(turn)
                runner.rest()
            except (Absent, Failed) as error:
                row.absent = str(error) if isinstance(error, Absent) else f"failed: {error}"
                say(f"  {name}: {row.absent}")
                continue
            row.parameters, row.versions, row.imports = made["parameters"], made["versions"], client.imports
            running.append(runner)
            say(f"  {name}: ready in {time.perf_counter() - begun:.1f} s, {runner.steps} steps a turn")
        others = _take_turns(running, seconds, rounds, say)
    for runner in running:
        runner.row.peak = runner.client.peak
    return rows, others


def _take_turns(running: list[_Runner], seconds: float, rounds: int | None, say: Say) -> float:
    order, begun, done = np.random.default_rng(0), time.perf_counter(), 0
    before = _processor_seconds(running)
    while running:
        for runner in [running[index] for index in order.permutation(len(running))]:
            try:
                runner.turn()
            except Failed as error:
                running.remove(runner)
                runner.row.turns, runner.row.absent = [], f"failed: {error}"
            time.sleep(_REST)
        done += 1
        spent = time.perf_counter() - begun
        enough = done >= FEWEST and spent * (done + 1) / done > seconds
        if done == rounds or (rounds is None and enough):
            break
    spent = time.perf_counter() - begun
    all_, ours = (now - then for now, then in zip(_processor_seconds(running), before, strict=True))
    say(f"  {done} rounds in {spent:.0f} s")
    return max(0.0, all_ - ours) / spent / len(os.sched_getaffinity(0))


def _processor_seconds(running: list[_Runner]) -> tuple[float, float]:
    """(of all processes, of this one and the contenders), so far."""
    ours = time.process_time() + sum(runner.client.processor_seconds() for runner in running)
    return processes.all_processor_seconds(), ours
