"""refdp: the engine's own step, in one of its per-sample modes."""

from __future__ import annotations

import dataclasses
import inspect

import numpy as np
from threadpoolctl import threadpool_limits

import refdp
from peer_steps.base import Absent, Step
from peer_steps.inputs import Inputs
from refdp.backend import numpy_backend
from refdp.bench.step import trainer
from refdp.clippers import clippers
from refdp.engine import Trainer
from refdp.errors import RefDPError
from refdp.models.memory import keep_freed_memory


def make(mode: str, inputs: Inputs) -> Step:
    """mode: explicit, hybrid or ghost."""
    keep_freed_memory()
    return RefdpStep(_trainer(mode, inputs), inputs)


def _trainer(mode: str, inputs: Inputs) -> Trainer:
    options = {"per_sample": mode} if "per_sample" in inspect.signature(trainer).parameters else {}
    if not options and mode != "explicit":
        raise Absent("not built")
    try:
        return trainer(inputs.model, len(inputs.x), numpy_backend(), "flat", **options)
    except RefDPError as error:
        raise Absent(f"refused: {error}") from error


class RefdpStep(Step):
    """Workers and chunks as ``train`` chooses them, one BLAS thread each."""

    def __init__(self, run: Trainer, inputs: Inputs) -> None:
        self.versions = {"refdp": refdp.__version__}
        self._limits = threadpool_limits(1, user_api="blas")
        self._run = run
        if not np.array_equal(run.data.train.x, inputs.x) or not np.array_equal(run.data.train.y, inputs.y):
            raise ValueError("refdp.bench.step makes other data than peers.py")
        run.theta[...] = run.plan.network.from_framework(inputs.weights)
        run.plan = dataclasses.replace(run.plan, clipper=clippers.create("flat", clip_norm=inputs.clip))

    def step(self) -> None:
        if self._run.step == self._run.plan.steps:
            self._run.step = 0
        self._run.advance()

    def parameters(self) -> int:
        return self._run.plan.network.size

    def clipped_sum(self) -> dict[str, np.ndarray]:
        total = self._run.summed_gradient(np.arange(len(self._run.data.train.y)))
        return self._run.plan.network.to_framework(np.asarray(total))
