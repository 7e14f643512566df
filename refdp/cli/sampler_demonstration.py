"""A black-box run with planted canaries, for ``audit sampler --demonstrate``: refdp's own training, seen from outside.

A linear model on gaussian clusters, with one more input for each canary: 0 in every other record, so that nothing else
moves the weights that it lights. A canary is blank but for its own input. Its score is how much the final model's loss
falls when that input is lit; of the run nothing else is seen. Whoever runs a training to audit it may choose little
noise, and weights that start at zero, as is done here.
"""

from __future__ import annotations

import contextlib

import numpy as np

from refdp.accounting import ADD_REMOVE, ZERO_OUT, Schedule
from refdp.audit.scores import Scores
from refdp.backend import get_backend
from refdp.clippers import clippers
from refdp.data.base import Dataset, Split, datasets
from refdp.engine import Trainer
from refdp.models.layers import Linear
from refdp.models.network import Network
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.samplers import samplers

CANARIES, BATCH, STEPS = 100, 50, 100
"""Planted (and as many left out); with 400 other records the rate is 0.1: 10 epochs."""
RATE = BATCH / (400 + CANARIES)
_LIGHT, _LEARNING_RATE = 10.0, 0.05
"""Small steps: where a canary's own probability moves little, its loss is close to affine in its steps."""


def demonstrate(sampling: str, seed: int = 0, noise_multiplier: float = 0.1) -> Scores:
    """Train once with this sampler and score the canaries by queries to the final model."""
    data = _data(seed)
    inputs, classes = data.input_shape[0], data.num_classes
    network = Network([("linear", Linear(inputs, classes))], (inputs,), classes)
    plan = Plan(
        network=network,
        sampler=samplers.create(sampling, dataset_size=len(data.train.y), batch_size=BATCH),
        clipper=clippers.create("flat", clip_norm=1.0),
        schedule=Schedule("constant", STEPS, noise_multiplier),
        optimizer=optimizers.create("sgd"),
        learning_rate=_LEARNING_RATE,
        lr_schedule=lr_schedules.create("constant"),
        delta=1e-5,
        neighboring=ADD_REMOVE if sampling == "poisson" else ZERO_OUT,
    )
    trainer = Trainer(plan, data, get_backend("numpy"), Streams.from_seed(seed), workers=1)
    trainer.theta = np.zeros_like(trainer.theta)
    with contextlib.closing(trainer):
        for _ in range(STEPS):
            trainer.advance()
    scores = _scores(network, np.asarray(trainer.weights), inputs)
    return Scores(scores[:CANARIES], scores[CANARIES:])


def _data(seed: int) -> Dataset:
    base = datasets.create("gaussian-clusters").load(seed=seed)
    x = np.pad(base.train.x, ((0, 0), (0, 2 * CANARIES)))
    planted = _canaries(x.shape[1])[:CANARIES]
    train = Split(
        np.concatenate([x, planted]).astype(np.float32),
        np.concatenate([base.train.y, np.zeros(CANARIES, np.int64)]),
    )
    return Dataset("clusters with canaries", train, train, base.num_classes, None, None)


def _canaries(inputs: int) -> np.ndarray:
    """All canaries, planted ones first [2 CANARIES, inputs]."""
    lit = np.zeros((2 * CANARIES, inputs), dtype=np.float32)
    lit[:, inputs - 2 * CANARIES :] = _LIGHT * np.eye(2 * CANARIES)
    return lit


def _scores(network: Network, theta: np.ndarray, inputs: int) -> np.ndarray:
    """Loss of a blank record less that of each canary, both with the canaries' label [2 CANARIES]."""
    queries = np.vstack([np.zeros((1, inputs), np.float32), _canaries(inputs)])
    logits = network.logits(np, theta, queries).astype(np.float64)
    losses = np.log(np.exp(logits - logits[:, :1]).sum(axis=1))
    scores: np.ndarray = losses[0] - losses[1:]
    return scores
