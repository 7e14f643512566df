"""The sum over a batch: chunk after chunk, shared by several processes where that pays."""

from __future__ import annotations

import copy
import itertools
import os
from typing import Any

import numpy as np

from refdp.backend import Array, Backend
from refdp.chunks import Chunks
from refdp.data import Dataset
from refdp.data.base import Split
from refdp.errors import RefDPError
from refdp.plan import Plan
from refdp.processes import Workers
from refdp.rng import Streams
from refdp.validate import whole

_LARGEST_EVALUATED = 250
_SMALLEST_PART = 2**18
"""Gradient entries (records times parameters) that are worth another process: a message there and back takes 0.1 ms."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Batches(Chunks):
    """Sums over batches, and counts of records that are predicted right.

    A batch is cut into one part a worker, and each part into chunks. The parts are the same whenever the batch is, and
    are added in their order: with the same number of workers the same bits come out, whoever was fast.
    """

    def __init__(
        self,
        plan: Plan,
        data: Dataset,
        backend: Backend,
        streams: Streams,
        dtype: Any,
        physical_batch_size: int | None,
        per_sample: str,
        workers: int | None,
    ) -> None:
        super().__init__(plan, data, backend, streams, dtype, physical_batch_size, per_sample)
        self.workers = (cores() if backend.reads_are_free else 1) if workers is None else workers
        whole(1, workers=self.workers)
        if self.workers > 1 and not backend.reads_are_free:
            raise RefDPError(f"workers = {self.workers}: a device computes whole batches by itself; use 1")
        self.private_losses: list[float] = []
        self._processes: Workers | None = None

    @property
    def weights(self) -> Array:
        """What is evaluated and shared [D]."""
        return self.theta

    def summed(self, indices: np.ndarray) -> tuple[Array, Array]:
        """NOT private: the sum over these records of their (clipped, in a private run) gradients, float64 [D], and of
        an adaptive rule's centred counts, float64 [L] (0 for other rules)."""
        total, counts, loss = self._batch_sum(indices)
        if self.watch_private:
            self.private_losses.append(loss / max(len(indices), 1))
        return total, counts

    def summed_gradient(self, indices: np.ndarray) -> Array:
        """The first of ``summed``."""
        return self.summed(indices)[0]

    def _batch_sum(self, indices: np.ndarray) -> tuple[Array, Array, float]:
        """The two of ``summed``, and the records' summed loss where it is watched."""
        parts = self._parts(len(indices), len(indices) * self.plan.network.size)
        if parts == 1:
            return self._part_sum(indices)
        now = self.step, self.released, self.watch_private, 1 + len(self.past)
        tasks = [("sum", part, *now) for part in np.array_split(indices, parts)]
        (total, (counts, loss)), *others = self._workers().run(
            tasks, lambda: self._show([self.theta, *self.past])
        )
        total = total.copy()
        for part, (counted, lost) in others:
            total += part
            counts, loss = counts + counted, loss + lost
        return total, counts, loss

    def hits(self, split: Split) -> int:
        """How many records of a split are predicted right. Of training records: NOT private."""
        number = len(split.y)
        known = {id(self.data.train): "train", id(self.data.test): "test"}.get(id(split))
        parts = self._parts(number, number * self.plan.network.size)
        if parts == 1 or known is None:
            return self._part_hits(split, slice(0, number), self.weights)
        ends = np.linspace(0, number, parts + 1).astype(int).tolist()
        tasks = [("hits", known, start, end) for start, end in itertools.pairwise(ends)]
        return sum(found for _, found in self._workers().run(tasks, lambda: self._show([self.weights])))

    @property
    def worker_pids(self) -> list[int]:
        """Of the processes that share batches with this one, so far."""
        return [] if self._processes is None else self._processes.pids

    def close(self) -> None:
        """End the worker processes, if there are any; they start again when they are needed."""
        if self._processes is not None:
            self._processes.close()

    def _parts(self, records: int, work: int) -> int:
        """Into how many parts this many records are cut."""
        return max(1, min(self.workers, records, work // _SMALLEST_PART))

    def _workers(self) -> Workers:
        if self._processes is None:
            rows = 1 if self.plan.iterates is None else self.plan.iterates.memory
            kinds = {"weights": ((rows, self.plan.network.size), self.dtype)}
            self._processes = Workers(self._serve, self.workers, self.plan.network.size, kinds)
        return self._processes

    def _show(self, rows: list[Array]) -> None:
        """Let the workers see these weights."""
        for k, row in enumerate(rows):
            self._workers().shared["weights"][k] = row

    def _serve(self, task: Any, out: np.ndarray) -> Any:
        """One part, in whatever process: nothing is taken from this object but what never changes."""
        weights = self._workers().shared["weights"]
        kind, *rest = task
        if kind == "hits":
            name, start, end = rest
            return self._part_hits(getattr(self.data, name), slice(start, end), weights[0])
        indices, step, released, watch_private, rows = rest
        one = copy.copy(self)
        one.step, one.released, one.watch_private = step, released, watch_private
        one.theta, one.past = weights[0], list(weights[1:rows])
        out[:], counts, loss = one._part_sum(indices)
        return counts, loss

    def _part_sum(self, indices: np.ndarray) -> tuple[Array, Array, float]:
        """Sum, counts and loss of these records, by this process."""
        backend, xp, augmentation = self.backend, self.backend.xp, self.plan.augmentation
        total, counts = xp.zeros(self.plan.network.size, dtype=xp.float64), xp.zeros(len(self.plan.sizes))
        loss, finish, raw = 0.0, None, xp.zeros_like(total)
        if augmentation is not None and (self._drawn is None or self._drawn[0] != self.step):
            drawn = augmentation.draw(self.streams.views(self.step), self.plan.sampler.dataset_size)
            self._drawn = self.step, drawn
        self._prepared = self.plan.network.prepare(xp, self.theta)
        try:
            for chunk in self._cut(indices):
                part, losses, counted = self._chunk_sum(chunk)
                if self._finish is None:
                    total += part
                else:
                    finish = self._finish
                    raw += part
                counts += counted
                if self.watch_private:
                    loss += float(backend.to_host(losses.sum()))
            if finish is not None:
                total += finish(raw)
        finally:
            self._prepared = self._finish = None
        return total, counts, loss

    def _cut(self, indices: np.ndarray) -> list[np.ndarray]:
        """As few chunks as hold these records, of like sizes; none of no records."""
        chunks = -(-len(indices) // self.chunk)
        return np.array_split(indices, chunks) if chunks > 1 else [indices] * chunks

    def _part_hits(self, split: Split, part: slice, weights: Array) -> int:
        """How many of these records are predicted right, by this process."""
        backend, xp, network = self.backend, self.backend.xp, self.plan.network
        prepared, size, found = network.prepare(xp, weights), min(self.chunk, _LARGEST_EVALUATED), 0
        for start in range(part.start, part.stop, size):
            some = slice(start, min(start + size, part.stop))
            x = self.data.prepare(xp, backend.asarray(split.x[some]))
            with np.errstate(all="ignore"):
                predicted = xp.argmax(network.logits(xp, prepared, x), axis=1)
            found += int(backend.to_host((predicted == backend.asarray(split.y[some])).sum()))
        return found
