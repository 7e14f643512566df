"""What each clipping rule costs beside flat clipping: whole training steps of mnistnet at batch 256.

    python benchmarks/clipping_overhead.py [--rounds 25]

Each round times one step of every rule, in a random order, so that whatever else the machine does meets all of them.
Printed: the fastest step of each rule against flat's fastest, beside a second flat, which shows what the measurement
can tell apart; and how long the rule's ``scales`` takes by itself, as a part of flat's step. That last is what a rule
of the norm alone costs, since all else is the same code. Inputs are random.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from threadpoolctl import threadpool_limits

from refdp.accounting import Schedule
from refdp.backend import numpy_backend
from refdp.clippers import clippers
from refdp.data import Dataset
from refdp.data.base import Split
from refdp.engine import Trainer
from refdp.models import models
from refdp.models.memory import keep_freed_memory
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.samplers import samplers

BATCH, RECORDS = 256, 4096


def trainer(clipping: str, steps: int, workers: int) -> Trainer:
    """A run of mnistnet on random images with this rule."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (RECORDS, 28, 28, 1), dtype=np.uint8)
    split = Split(x, rng.integers(0, 10, RECORDS))
    data = Dataset("random", split, split, 10, (0.5,), (0.3,))
    clipper = clippers.create(clipping, clip_norm=1.0)
    sampler = samplers.create("fixed-order", dataset_size=RECORDS, batch_size=BATCH)
    plan = Plan(
        network=models.create("mnistnet").build(data.input_shape, 10),
        sampler=sampler,
        clipper=clipper,
        schedule=clipper.noise_schedule(Schedule("constant", steps, 1.0)),
        optimizer=optimizers.create("sgd"),
        learning_rate=1e-6,
        lr_schedule=lr_schedules.create("constant"),
        delta=1e-5,
        neighboring=sampler.default_neighboring,
    )
    return Trainer(plan, data, numpy_backend(), Streams.from_seed(0), workers=workers)


def own(run: Trainer) -> float:
    """Seconds that the rule's scales take for all chunks of a batch: median of 200."""
    assert run.plan.clipper is not None
    norms = np.abs(np.random.default_rng(0).standard_normal((run.chunk, len(run.plan.sizes))))
    chunks, found = -(-BATCH // run.chunk), []
    for _ in range(200):
        begun = time.perf_counter()
        for _ in range(chunks):
            run.plan.clipper.scales(np, norms, run.context)
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    keep_freed_memory()
    names = ["flat", "flat again", *(name for name in clippers.names() if name != "flat")]
    runs = {name: trainer(name.split()[0], options.rounds + 2, options.workers) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    order = np.random.default_rng(1)
    with threadpool_limits(1, user_api="blas"):
        for turn in range(options.rounds + 2):
            for name in order.permutation(names):
                begun = time.perf_counter()
                runs[name].advance()
                if turn >= 2:
                    seconds[name].append(time.perf_counter() - begun)
    base = min(min(seconds["flat"]), min(seconds["flat again"]))
    print(f"{'rule':20} {'ms a step':>10} {'over flat':>10} {'scales alone':>14}   ({options.rounds} rounds)")
    for name in names:
        fastest, share = min(seconds[name]), own(runs[name]) / base
        print(f"{name:20} {1e3 * fastest:10.1f} {fastest / base - 1:+10.1%} {share:14.2%}")


if __name__ == "__main__":
    main()
