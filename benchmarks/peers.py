"""A DP-SGD training step in refdp and in its peers: samples per second and peak memory, on this machine.

    python benchmarks/peers.py --opacus VENV/bin/python --jax VENV/bin/python --json FILE --plot FILE.png
    python benchmarks/peers.py --opacus VENV/bin/python --jax VENV/bin/python --check

One step: forward pass, per-sample gradients, clipping at 1, sum, noise of multiplier 1, SGD update; float32, random
records in memory, no loading and no sampling. All contenders get the same records and weights, and may use all cores:
torch a thread a core, or a single one where it finds that faster while it warms up (steps above .4 s are not tried),
XLA what it chooses, refdp its default workers.

A peer lives in a virtual environment of its own, given by its interpreter; one that is not given is shown as not
installed. Each contender is a process that waits for its turn; in every round all take one, in a random order, so that
whatever else the machine does meets all of them. A ratio is the median over rounds of refdp's speed over the other's
in the same round, with the interval of order statistics that holds that median with 95 % confidence. Let the machine be
idle all the same: threads that wait for each other by spinning, as torch's do, can become a hundred times slower where
others take their cores. What others took is printed.

Memory is the most that a contender's processes held, pages that they share counted once, with what the interpreter
and its libraries take before the model is made beside it. ``--check`` measures nothing: it compares every contender's
clipped sum of a small batch with refdp's in float64. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
from peer_steps import cell, picture, report, truth
from peer_steps.base import Absent
from peer_steps.client import Failed
from peer_steps.contenders import CONTENDERS

BATCHES = {"mlp": 256, "mnistnet": 256, "cifar10net": 256, "resnet20": 256, "wrn-16-4": 64}
TOLERANCE, SMALL = 1e-4, 4
LAZY = 0.02  # of a core, while a contender waits


def say(text: str) -> None:
    """Progress goes to standard error, tables to standard output."""
    print(text, file=sys.stderr, flush=True)


def check(models: list[str], names: list[str], interpreters: dict[str, str], directory: Path) -> bool:
    """Compare all clipped sums; print a line each."""
    good = True
    for model in models:
        inputs, wanted = truth.checked_inputs(model, SMALL)
        size, path, answer = truth.network(model).size, directory / "inputs.npz", directory / "sum.npz"
        inputs.save(path)
        for name in names:
            try:
                client, _ = cell.start(name, interpreters, path, size)
            except (Absent, Failed) as error:
                good &= isinstance(error, Absent)
                print(f"{model:12} {name:24} {error}", flush=True)
                continue
            try:
                text = "nothing is clipped"
                if client.write_sum(answer):
                    with np.load(answer) as found:
                        off = truth.difference(dict(found), wanted)
                    text = f"clipped sum within {off:.1e}" + ("" if off <= TOLERANCE else ": TOO FAR")
                    good &= off <= TOLERANCE
            except Failed as error:
                good, text = False, f"failed: {error}"
            finally:
                client.close()
            print(f"{model:12} {name:24} {size:,} parameters, {text}", flush=True)
    return good


def measure(options: argparse.Namespace, interpreters: dict[str, str], directory: Path) -> None:
    """Measure every cell, one after the other, and print and write what was found."""
    cells = []
    answer = {"schema": "refdp-peers/1", "machine": report.machine(), "cells": cells}
    for model in options.models:
        for batch in options.batch or [BATCHES[model]]:
            say(f"{model}, batch {batch}")
            rows, others = cell.measure(
                model, batch, options.only, interpreters, options.seconds, options.rounds, options.turn,
                directory, say,
            )  # fmt: skip
            for name, row in rows.items():
                if row.idle > LAZY:
                    say(f"  warning: {name} takes {row.idle:.0%} of a core while it waits")
            found = report.figures(rows, batch)
            cells.append(
                {"model": model, "batch": batch, "others_share_of_cores": others, "contenders": found}
            )
            print(report.table(model, batch, others, found), flush=True)
            if options.json:
                options.json.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        about = answer["machine"]
        title = f"One DP-SGD step on {about['cores']} cores\n{about['processor']}, {about['date'][:10]}"
        picture.draw(cells, title, options.plot)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, of in (
        ("opacus", "Opacus and torch"),
        ("torch", "torch [default: that of Opacus]"),
        ("jax", "JAX"),
    ):
        parser.add_argument(f"--{name}", metavar="PYTHON", help=f"interpreter that has {of}")
    parser.add_argument("--models", nargs="+", choices=BATCHES, default=list(BATCHES), metavar="MODEL")
    parser.add_argument("--batch", nargs="+", type=int, help="sizes [default: 256; 64 for wrn-16-4]")
    parser.add_argument(
        "--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), metavar="CONTENDER"
    )
    parser.add_argument("--seconds", type=float, default=40, help="of rounds, a model [default: 40]")
    parser.add_argument("--rounds", type=int, help="this many, whatever they take")
    parser.add_argument("--turn", type=float, default=0.25, help="seconds of a turn, at least one step")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw them there")
    parser.add_argument("--check", action="store_true", help="compare clipped sums only")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the contenders on the way out
    given = {"opacus": options.opacus, "torch": options.torch or options.opacus, "jax": options.jax}
    interpreters = {name: os.path.abspath(path) for name, path in given.items() if path}
    interpreters["refdp"] = sys.executable
    with tempfile.TemporaryDirectory() as directory:
        if options.check:
            return 0 if check(options.models, options.only, interpreters, Path(directory)) else 1
        measure(options, interpreters, Path(directory))
    return 0


if __name__ == "__main__":
    sys.exit(main())
