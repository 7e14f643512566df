"""Worst-case initial weights: trained without privacy, so that the records' own gradients are small and a canary's is
not (Annamalai and De Cristofaro 2024, arXiv 2405.14106, section 4.1).

They are trained on records that no run uses: whoever hands out initial weights may know such records.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refdp.accounting import Schedule
from refdp.audit.runs.setup import Setup
from refdp.backend import numpy_backend
from refdp.engine import Trainer
from refdp.optimizers import optimizers
from refdp.samplers import samplers

MOST_RECORDS, PASSES, BATCH, RATE = 10_000, 10, 64, 0.05


def worst_case_weights(setup: Setup) -> np.ndarray:
    """Weights [D] after ``PASSES`` passes of SGD with momentum over at most ``MOST_RECORDS`` unused records."""
    count = min(len(setup.unused.y), MOST_RECORDS)
    split = replace(setup.unused, x=setup.unused.x[:count], y=setup.unused.y[:count])
    sampler = samplers.create("shuffle", dataset_size=count, batch_size=min(BATCH, count))
    plan = replace(
        setup.plan,
        sampler=sampler,
        clipper=None,
        schedule=Schedule("constant", sampler.steps(PASSES), 0.0),
        optimizer=optimizers.create("sgd:momentum=0.9"),
        learning_rate=RATE,
        neighboring=sampler.default_neighboring,
    )
    data = replace(setup.data, train=split)
    trainer = Trainer(plan, data, numpy_backend(), setup.seeds.weights(), workers=1)
    while trainer.step < plan.steps:
        trainer.advance()
    return np.asarray(trainer.weights)
