"""What each clipping rule costs beside flat clipping: whole training steps of mnistnet at batch 256.

    python benchmarks/clipping_overhead.py [--rounds 100]

Each round times one step of every rule, in a random order, so that whatever else the machine does meets all of them;
all use one buffer of gradients. Printed for each rule: its median step; the median over rounds of its step against
the round's flat ones, with the interval that holds that median with 95 % confidence, beside a second flat, which
shows what the measurement can tell apart; and how long the rule's ``scales`` takes by itself, as a part of flat's
step. That last is what a rule of the norm alone costs, since all else is the same code. Inputs are random.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from scipy.stats import binom
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
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    keep_freed_memory()
    names = ["flat", "flat again", *(name for name in clippers.names() if name != "flat")]
    runs = {name: trainer(name.split()[0], options.rounds + 2, options.workers) for name in names}
    for run in runs.values():
        run._space = runs["flat"]._space
    seconds = np.empty((options.rounds + 2, len(names)))
    order = np.random.default_rng(1)
    with threadpool_limits(1, user_api="blas"):
        for turn in seconds:
            for i in order.permutation(len(names)):
                begun = time.perf_counter()
                runs[names[i]].advance()
                turn[i] = time.perf_counter() - begun
    seconds = seconds[2:]
    flat = seconds[:, :2].mean(axis=1)
    print(
        f"{'rule':20} {'ms a step':>10} {'over flat':>10} {'95 % interval':>18} {'scales alone':>14}"
        f"   ({options.rounds} rounds)"
    )
    for i, name in enumerate(names):
        other = seconds[:, 1 - i] if i < 2 else flat  # a flat is held against the other one
        low, middle, high = interval(seconds[:, i] / other - 1)
        share = own(runs[name]) / np.median(flat)
        milliseconds = 1e3 * np.median(seconds[:, i])
        print(
            f"{name:20} {milliseconds:10.1f} {middle:+10.1%} {f'{low:+.1%} to {high:+.1%}':>18} {share:14.2%}"
        )


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """The median between the order statistics that hold it with 95 % confidence, whatever the distribution."""
    ordered = np.sort(values)
    below = int(binom.ppf(0.025, len(ordered), 0.5))
    return float(ordered[max(below - 1, 0)]), float(np.median(ordered)), float(ordered[-max(below, 1)])


if __name__ == "__main__":
    main()
