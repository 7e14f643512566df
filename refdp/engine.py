"""The training loop: every step of DP-SGD, in order, in one place.

for each step t:
    batch  <- sampler(t)                                    (may be empty)
    for each physical chunk: per-sample gradients -> norms -> scales -> weighted sum
    released <- sum + noise_multiplier_t * K * N(0, I)      (once, on the sum)
    gradient <- released / public batch size
    theta  <- optimizer(theta, gradient)
    an adaptive clipping rule's counts, and a learning rate's accuracy, are noised and released; then they take effect
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refdp.backend import Array, Backend
from refdp.batches import Batches
from refdp.checkpoint import load_trainer_state, trainer_state
from refdp.clippers import AdaptiveClipper
from refdp.data import Dataset
from refdp.data.base import Split
from refdp.errors import RefDPError
from refdp.noise import add_gaussian_noise
from refdp.optimizers.lr.plateau import PrivatePlateau
from refdp.optimizers.lr.plateau_rule import Plateau
from refdp.plan import Plan
from refdp.rng import Streams


class Trainer(Batches):
    """A plan under way: weights, optimizer memory and the number of steps taken.

    Guarantees:

    G1. Noise is drawn once a logical batch, on the sum, with standard deviation noise_multiplier_t * K.
    G2. An empty batch is a step of pure noise, counted like any other.
    G3. The divisor is public: it never depends on which records were drawn under Poisson sampling.
    G4. How a logical batch is cut into physical chunks changes rounding only.
    G5. ``state`` and ``load_state`` resume to the bit.
    G6. Whatever later steps depend on was released with the noise that the plan's ledger charges.

    Args:
        plan: what to run.
        data: the data set.
        backend: where arrays live.
        streams: random streams; their root is secret.
        physical_batch_size: records of a chunk; by default what keeps a chunk's gradients in cache on the host, and
            in an eighth of its memory on a device.
        dtype: type of weights and gradients.
        watch_private: keep the un-noised training loss of each step (never released by default).
        workers: processes that share a batch (see ``processes``); by default one a core on the host and one on a
            device. Their number changes rounding only; with the same number a run repeats to the bit.
        per_sample: how gradients are clipped: see ``gradients.PER_SAMPLE``. A run without clipping makes them all.
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
        per_sample: str = "auto",
    ) -> None:
        if len(data.train.y) != plan.sampler.dataset_size:
            raise RefDPError(
                f"dataset_size = {plan.sampler.dataset_size}: must equal the {len(data.train.y)} training records"
            )
        super().__init__(plan, data, backend, streams, dtype, physical_batch_size, per_sample, workers)
        self.watch_private = watch_private
        self.theta = backend.asarray(plan.network.initialise(streams.init(), dtype=self.dtype))
        self.memory = plan.optimizer.initial_state(backend.xp, self.theta)
        self.noise_multipliers = plan.schedule.noise_multipliers()
        self.lr_state = plan.lr_schedule.initial() if isinstance(plan.lr_schedule, Plateau) else {}

    def advance(self) -> None:
        """Take one step."""
        if self.step >= self.plan.steps:
            raise RefDPError(f"step = {self.step}: the plan has {self.plan.steps} steps and all were taken")
        with np.errstate(all="ignore"):  # weights that overflow are the user's to see in the accuracy
            self._advance()

    def _advance(self) -> None:
        plan, backend = self.plan, self.backend
        batch = plan.sampler.batch(self.step, self.streams)
        released, counts = self.summed(batch.indices)
        noise_std: Any = 0.0
        if plan.clipper is not None:
            noise_multiplier, scale = float(self.noise_multipliers[self.step]), self._noise_scale()
            released = add_gaussian_noise(
                backend, released, noise_multiplier, scale, self.streams.noise(self.step), self.dtype
            )
            noise_std = self._as_weights(noise_multiplier * scale / batch.divisor)
            self._adapt(counts, batch.divisor)
        gradient = (released / batch.divisor).astype(self.dtype)
        rate = plan.learning_rate * self._rate_factor()
        before = self.theta
        self.theta = plan.optimizer.update(backend.xp, self.theta, gradient, self.memory, rate, noise_std)
        if plan.iterates is not None:
            self.past = [before, *self.past][: plan.iterates.memory - 1]
        self.step += 1
        if plan.observe_every and self.step % plan.observe_every == 0:
            self._observe()

    def _noise_scale(self) -> Any:
        """Standard deviation of the noise at noise multiplier 1: a number, or one for each coordinate [D]."""
        assert self.plan.clipper is not None
        scales = self.plan.clipper.noise_scales(self.context)
        if len(scales) == 1 or (scales == scales[0]).all():
            return float(scales[0])
        return self.backend.asarray(np.repeat(scales, self.plan.sizes))

    def _as_weights(self, values: Any) -> Any:
        """A number as it is, an array in the weights' own type."""
        return values if isinstance(values, float) else values.astype(self.dtype)

    def _adapt(self, counts: Array, divisor: float) -> None:
        """Release an adaptive rule's counts of this step, and let them take effect from the next on."""
        clipper = self.plan.clipper
        if isinstance(clipper, AdaptiveClipper):
            noise = self.streams.counts(self.step)(len(self.plan.sizes))
            noised = self.backend.to_host(counts) + self.plan.count_noise_std * noise
            self.released = clipper.advanced(self.context, noised, divisor)

    def _rate_factor(self) -> float:
        schedule = self.plan.lr_schedule
        if isinstance(schedule, Plateau):
            return schedule.factor(self.step, self.plan.steps, self.lr_state)
        return schedule.factor(self.step, self.plan.steps)

    def _observe(self) -> None:
        """Let the learning rate see an accuracy: of the test records, or a noised one of the training records."""
        schedule = self.plan.lr_schedule
        assert isinstance(schedule, Plateau)
        if not isinstance(schedule, PrivatePlateau):
            self.lr_state = schedule.observed(self.lr_state, self.accuracy())
            return
        records = len(self.data.train.y)
        centred = self.hits(self.data.train) - records / 2
        if self.plan.private:
            std = schedule.count_noise_std(records)
            centred += std * float(self.streams.accuracy(self.step)(1)[0])
        self.lr_state = schedule.observed(self.lr_state, centred / records + 0.5)

    @property
    def weights(self) -> Array:
        """What is evaluated and shared [D]: the weights under training, or their average."""
        return self.plan.optimizer.weights(self.theta, self.memory)

    def accuracy(self, split: Split | None = None) -> float:
        """Share of records (the test split's by default) whose label is predicted, in [0, 1]."""
        split = self.data.test if split is None else split
        return self.hits(split) / len(split.y)

    def state(self) -> dict[str, np.ndarray]:
        """Everything a resumed run needs, as host arrays. Holds the secret root of the random streams."""
        return trainer_state(self)

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Continue from ``state()`` of a run of the same plan."""
        self.close()  # workers know the random streams of their birth
        self._drawn = None
        load_trainer_state(self, state)
