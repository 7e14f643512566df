"""The process of one contender: imports, says so, makes the model when told to, then takes steps when told to.

    PYTHON -m peer_steps.worker MODULE MODE

Each line of standard input is a command, each line of standard output its answer in JSON. Between commands the
process waits for a pipe. What libraries print goes to standard error.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import sys
import time
from typing import Any

import numpy as np

from peer_steps import inputs
from peer_steps.base import Absent, Step


def serve(module: str, mode: str) -> None:
    """Answer commands until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)

    def answer(**fields: Any) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    try:
        peer = importlib.import_module(f"peer_steps.{module}")
    except ModuleNotFoundError as error:
        return answer(absent=f"not installed ({error})")
    answer(imported=True)
    run: Step | None = None
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "make":
            try:
                run = peer.make(mode, inputs.load(argument))
            except Absent as error:
                return answer(absent=str(error))
            versions = {"python": platform.python_version(), "numpy": np.__version__, **run.versions}
            answer(parameters=run.parameters(), versions=versions)
            continue
        assert run is not None
        if command == "take":
            answer(seconds=_take(run, int(argument)))
        elif command == "tune":
            answer(setting=run.tune())
        elif command == "sum":
            answer(written=_write_sum(run, argument))
    return None


def _take(run: Step, steps: int) -> list[float]:
    """Seconds of each step, with no garbage collection while they run."""
    seconds = []
    gc.collect()
    gc.disable()
    for _ in range(steps):
        begun = time.perf_counter()
        run.step()
        seconds.append(time.perf_counter() - begun)
    gc.enable()
    return seconds


def _write_sum(run: Step, path: str) -> bool:
    found = run.clipped_sum()
    if found is not None:
        np.savez(path, **found)
    return found is not None


if __name__ == "__main__":
    serve(*sys.argv[1:3])
