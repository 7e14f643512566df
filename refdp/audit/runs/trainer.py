"""A training run with canaries: the engine's own, which draws over slots and is watched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from refdp.audit.runs.canaries import Canary
from refdp.audit.runs.faults import faulty_indices, faulty_noise, faulty_sampler
from refdp.audit.runs.knowledge import divisor
from refdp.audit.runs.watched import Watched
from refdp.backend import Array, Backend
from refdp.data import Dataset, Split
from refdp.engine import Trainer
from refdp.plan import Plan
from refdp.rng import Streams


class AuditTrainer(Trainer):
    """The plan's own sampler, clipper, noise and optimizer, on records and canaries.

    G1. Slots are records first, then canaries. The sampler draws over all of them; drawn slots whose canary was left
        out add nothing. So a planted canary is drawn as a record is, and divisor and rate depend on no coin.
    G2. What the adversary sees is what the optimizer is handed; what it knows is the sum over drawn records, no canary
        in it.
    G3. With every canary planted, and without a fault, a run with canaries that are records is the engine's own on all
        slots, but for the rounding of one sum.

    Attributes:
        declared: the plan that is accounted for; ``plan`` is what is run, and differs in a faulty run only.
        accounted: noise multipliers of the declared plan [steps].
        records: number of slots that are records.
        planted: [canaries] bool, the coins.
        canary_records: of canaries, then references.
        drawn: slots of this step's batch, those left out too.
        known: float64 [D], what this step's drawn records added up to.
    """

    def __init__(
        self,
        plan: Plan,
        data: Dataset,
        backend: Backend,
        streams: Streams,
        canary: Canary,
        planted: np.ndarray,
        generator: np.random.Generator,
        *,
        canary_records: Split,
        watching: bool = True,
        fault: str | None = None,
        initial: np.ndarray | None = None,
        workers: int = 1,
    ) -> None:
        super().__init__(plan, data, backend, streams, workers=workers)
        self.planted, self.fault, self.canary_records = planted, fault, canary_records
        self.references = len(canary_records.y) - len(planted)
        self.records = plan.sampler.dataset_size - len(planted)
        if initial is not None:
            self.theta = backend.asarray(initial.astype(self.dtype))
        self.drawn = np.zeros(0, dtype=np.int64)
        self.known: Array = np.zeros(plan.network.size)
        self.declared, self.accounted = plan, self.noise_multipliers
        self.noise_multipliers = faulty_noise(fault, self.noise_multipliers)
        self.plan = self._really(plan, watching)
        self.watch = canary.watch(self, generator)

    def _really(self, plan: Plan, watching: bool) -> Plan:
        """The plan that is run: the declared one, but for a watcher and a fault."""
        sampler = faulty_sampler(self.fault, plan.sampler)
        relation = plan.neighboring if sampler is plan.sampler else sampler.default_neighboring
        optimizer = Watched(plan.optimizer, self._saw) if watching else plan.optimizer
        return replace(plan, sampler=sampler, neighboring=relation, optimizer=optimizer)

    def summed(self, indices: np.ndarray) -> tuple[Array, Array]:
        """The sum over these slots: records as the engine adds them up, canaries if they are planted."""
        self.drawn = indices
        added = faulty_indices(self.fault, indices)
        is_canary = added >= self.records
        self.known = self.watch.records_sum(added[~is_canary])
        total = self.known + self.watch.slots_sum(added[is_canary] - self.records)
        return total, np.zeros(len(self.plan.sizes))

    def records_sum(self, indices: np.ndarray) -> Array:
        """The engine's own sum of clipped gradients, float64 [D]."""
        return super().summed(indices)[0]

    def _saw(self, gradient: Array) -> None:
        """The optimizer was handed this: the release over the public divisor, in the weights' type."""
        self.watch.saw(gradient.astype(np.float64) * divisor(self.plan.sampler, self.drawn))

    def precision(self, coordinates: np.ndarray | slice = slice(None)) -> Any:
        """1 / variance of the noise that is accounted for at this step, in these coordinates: a number, or float64."""
        scale = self._noise_scale()
        scale = scale if isinstance(scale, float) else scale[coordinates]
        return 1.0 / (self.accounted[self.step] * scale) ** 2
