"""The training loop: every step of DP-SGD, in order, in one place.

for each step t:
    batch  <- sampler(t)                                    (may be empty)
    for each physical chunk: per-sample gradients -> norms -> scales -> weighted sum
    released <- sum + noise_multiplier_t * K * N(0, I)      (once, on the sum)
    gradient <- released / public batch size
    theta  <- optimizer(theta, gradient)
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from refdp.backend import Array, Backend
from refdp.clippers import ClipContext, clipped_sum, rounding_margin
from refdp.data import Dataset
from refdp.data.base import Split
from refdp.errors import RefDPError
from refdp.noise import add_gaussian_noise
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.validate import whole

_EVALUATION_CHUNK = 250
Part = TypeVar("Part")
Result = TypeVar("Result")


class Trainer:
    """A plan under way: weights, optimizer memory and the number of steps taken.

    Guarantees:

    G1. Noise is drawn once a logical batch, on the sum, with standard deviation noise_multiplier_t * K.
    G2. An empty batch is a step of pure noise, counted like any other.
    G3. The divisor is public: it never depends on which records were drawn under Poisson sampling.
    G4. How a logical batch is cut into physical chunks changes rounding only.
    G5. ``state`` and ``load_state`` resume to the bit.

    Args:
        plan: what to run.
        data: the data set.
        backend: where arrays live.
        streams: random streams; their root is secret.
        physical_batch_size: records of a chunk; by default what keeps a chunk's gradients in cache on the host, and
            in a gigabyte on a device.
        dtype: type of weights and gradients.
        watch_private: keep the un-noised training loss of each step (never released by default).
        workers: threads that work on chunks; by default one a core on the host and one on a device. Chunks are
            summed in their order, so the number of workers does not change a bit of the result.
    """

    def __init__(
        self,
        plan: Plan,
        data: Dataset,
        backend: Backend,
        streams: Streams,
        *,
        physical_batch_size: int | None = None,
        dtype: Any = np.float32,
        watch_private: bool = False,
        workers: int | None = None,
    ) -> None:
        room = (
            (8 if backend.reads_are_free else 1024) * 2**20 // (plan.network.size * np.dtype(dtype).itemsize)
        )
        size = min(max(room, 32), 4096) if physical_batch_size is None else physical_batch_size
        whole(1, physical_batch_size=size)
        if len(data.train.y) != plan.sampler.dataset_size:
            raise RefDPError(
                f"dataset_size = {plan.sampler.dataset_size}: must equal the {len(data.train.y)} training records"
            )
        self.plan, self.data, self.backend, self.streams = plan, data, backend, streams
        self.dtype = np.dtype(dtype).type
        self.chunk = min(size, plan.sampler.dataset_size)
        self.step = 0
        self.watch_private = watch_private
        self.private_losses: list[float] = []
        xp, network = backend.xp, plan.network
        self.theta = backend.asarray(network.initialise(streams.init(), dtype=self.dtype))
        self.memory = plan.optimizer.initial_state(xp, self.theta)
        self.noise_multipliers = plan.schedule.noise_multipliers()
        self._train_x, self._train_y = backend.asarray(data.train.x), backend.asarray(data.train.y)
        cores = (os.cpu_count() or 1) if backend.reads_are_free else 1
        self.workers = cores if workers is None else workers
        whole(1, workers=self.workers)
        self._pool: ThreadPoolExecutor | None = None
        self._own = threading.local()  # each worker's buffer of gradients
        whole_gradient = [slice(0, network.size)]
        tensors = [place for place, _ in network.parameters.values()]
        self._groups = tensors if plan.clipper is not None and plan.clipper.per_group else whole_gradient

    def _chunk_sum(self, indices: np.ndarray) -> tuple[Array, Array]:
        """One chunk: its summed (clipped) gradient [D], and its losses [b]."""
        backend, network, clipper = self.backend, self.plan.network, self.plan.clipper
        if not hasattr(self._own, "gradients"):
            self._own.gradients = backend.xp.empty((self.chunk, network.size), dtype=self.dtype)
        chosen = backend.asarray(indices)
        rows = self._own.gradients[: len(indices)]
        x = self.data.prepare(backend.xp, self._train_x[chosen])
        with np.errstate(
            all="ignore"
        ):  # a record whose gradient overflows is dropped by the clipper, quietly
            losses = network.per_sample_gradients(backend.xp, self.theta, x, self._train_y[chosen], rows)
            if clipper is None:
                return rows.sum(axis=0), losses
            context = ClipContext(self.step, self.plan.steps, rounding_margin(self.dtype))
            return clipped_sum(backend, clipper, rows, self._groups, context), losses

    def summed_gradient(self, indices: np.ndarray) -> Array:
        """Sum over these records of their (clipped, in a private run) gradients: float64 [D], NOT private."""
        xp = self.backend.xp
        total = xp.zeros(self.plan.network.size, dtype=xp.float64)
        chunks = [indices[start : start + self.chunk] for start in range(0, len(indices), self.chunk)]
        loss = 0.0
        for part, losses in self._map(self._chunk_sum, chunks):
            total += part
            if self.watch_private:
                loss += float(self.backend.to_host(losses.sum()))
        if self.watch_private:
            self.private_losses.append(loss / max(len(indices), 1))
        return total

    def _map(self, work: Callable[[Part], Result], parts: list[Part]) -> Iterator[Result]:
        """Results in the order of the parts, several at a time where there are workers for it."""
        if self.workers == 1 or len(parts) < 2:
            return map(work, parts)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.workers)
        return self._pool.map(work, parts)

    def advance(self) -> None:
        """Take one step."""
        if self.step >= self.plan.steps:
            raise RefDPError(f"step = {self.step}: the plan has {self.plan.steps} steps and all were taken")
        with np.errstate(all="ignore"):  # weights that overflow are the user's to see in the accuracy
            self._advance()

    def _advance(self) -> None:
        plan, backend = self.plan, self.backend
        batch = plan.sampler.batch(self.step, self.streams)
        released = self.summed_gradient(batch.indices)
        noise_std = 0.0
        if plan.clipper is not None:
            noise_multiplier, bound = float(self.noise_multipliers[self.step]), plan.clipper.bound()
            released = add_gaussian_noise(
                backend, released, noise_multiplier, bound, self.streams.noise(self.step), self.dtype
            )
            noise_std = noise_multiplier * bound / batch.divisor
        gradient = (released / batch.divisor).astype(self.dtype)
        rate = plan.learning_rate * plan.lr_schedule.factor(self.step, plan.steps)
        self.theta = plan.optimizer.update(backend.xp, self.theta, gradient, self.memory, rate, noise_std)
        self.step += 1

    @property
    def weights(self) -> Array:
        """What is evaluated and shared [D]: the weights under training, or their average."""
        return self.plan.optimizer.weights(self.theta, self.memory)

    def accuracy(self, split: Split | None = None) -> float:
        """Share of records (the test split's by default) whose label is predicted, in [0, 1]."""
        split = self.data.test if split is None else split
        parts = [
            slice(start, start + _EVALUATION_CHUNK) for start in range(0, len(split.y), _EVALUATION_CHUNK)
        ]

        weights = self.weights

        def hits(part: slice) -> int:
            xp = self.backend.xp
            x = self.data.prepare(xp, self.backend.asarray(split.x[part]))
            with np.errstate(all="ignore"):
                predicted = xp.argmax(self.plan.network.logits(xp, weights, x), axis=1)
            return int(self.backend.to_host((predicted == self.backend.asarray(split.y[part])).sum()))

        return sum(self._map(hits, parts)) / len(split.y)

    def state(self) -> dict[str, np.ndarray]:
        """Everything a resumed run needs, as host arrays. Holds the secret root of the random streams."""
        memory = {f"optimizer/{name}": self.backend.to_host(value) for name, value in self.memory.items()}
        root = np.frombuffer(self.streams.root.to_bytes(32, "little"), dtype=np.uint8)
        theta = self.backend.to_host(self.theta)
        return {"step": np.array(self.step), self.streams.root_name: root, "theta": theta, **memory}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Continue from ``state()`` of a run of the same plan."""
        root_name = self.streams.root_name
        expected = {"step", root_name, "theta", *(f"optimizer/{name}" for name in self.memory)}
        if set(state) != expected or state["theta"].shape != (self.plan.network.size,):
            raise RefDPError(
                "checkpoint: does not belong to this plan (other model, optimizer or noise source); start afresh"
            )
        step = state["step"]
        if step.shape != () or step.dtype.kind != "i" or not 0 <= int(step) <= self.plan.steps:
            raise RefDPError(
                f"checkpoint: step = {step!r}: must be a whole number from 0 to {self.plan.steps}"
            )
        root = int.from_bytes(state[root_name].tobytes(), "little")
        self.streams = dataclasses.replace(self.streams, root=root)
        self.step = int(state["step"])
        self.theta = self.backend.asarray(state["theta"].astype(self.dtype))
        for name in self.memory:
            self.memory[name] = self.backend.asarray(state[f"optimizer/{name}"].astype(self.dtype))
