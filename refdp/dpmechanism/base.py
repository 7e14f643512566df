"""What s0's three mechanisms share: the benchmark's interface, around refdp's clipping rules, noise and accountant."""

from __future__ import annotations

import itertools
import math
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from refdp.accounting import Bounds, Ledger
from refdp.backend import numpy_backend
from refdp.clippers import ClipContext, Clipper, clipped_sum, rounding_margin
from refdp.clippers.base import LARGEST_CLIP_NORM, SMALLEST_CLIP_NORM
from refdp.dpmechanism.plan import NoisePlan
from refdp.errors import BudgetError, RefDPError
from refdp.noise import add_gaussian_noise
from refdp.validate import in_range, whole

MOST_NOISE = 1e8


class NoiseMultiplierWarning(UserWarning):
    """The noise multiplier that was given is too little for the budget, and a greater one is used."""


class Mechanism(ABC):
    """Clips per-sample gradients, sums, adds noise, divides by ``batch_size``: a benchmark's ``DPMechanism``.

    The noise is solved from the target, the sizes and ``sampling``. ``noise_multiplier`` is a floor: it is used where
    it is at least what the target needs; else what is needed is used, with a ``NoiseMultiplierWarning``.

    G1. One record moves the sum of clipped gradients by at most ``max_grad_norm``, exactly, as a float64 norm.
    G2. Every call adds independent Gaussian noise of standard deviation ``get_effective_sigma(step, epoch)`` x
        ``max_grad_norm`` to every coordinate of that sum, for a batch of no records too.
    G3. A record with NaN or inf contributes nothing and changes nothing else.
    G4. ``epsilon().upper <= target_epsilon`` at ``target_delta``, whatever ``noise_multiplier`` was given, if batches
        are drawn as ``sampling`` says.
    G5. No step is released twice or beyond the plan: such a call is refused, and nothing is drawn for it.
    G6. The divisor is ``batch_size``, public, however many records come; shapes and dtypes are kept.

    Args:
        max_grad_norm: C, in [1e-30, 1e30].
        noise_multiplier: noise on the sum / C, in [0, 1e8]; a floor, see above.
        n_params: whole, >= 0; not used.
        dataset_size, batch_size, epochs: of the run, as in ``NoisePlan``.
        target_epsilon: finite and > 0.
        target_delta: in (0, 1).
        sampling: "shuffle", what s0's harness does: each record in at most one batch of an epoch, the last, shorter
            batch dropped; zero-out neighbours. Or "poisson": each record in each step independently with probability
            batch_size / dataset_size; add-remove.
        seed: of the noise, for research: who knows it can subtract the noise. By default the system's entropy.

    Attributes:
        noise_multiplier, noise_multiplier_needed, noise_multiplier_given: used, solved, and given. Each is the scale of
            the schedule: 1 / x^2 is the mean of 1 / sigma_t^2.
        plan: the steps and what they cost.

    Raises:
        RefDPError, AccountingError: an argument out of range, or a target out of reach.
    """

    release = "mean"

    def __init__(
        self,
        max_grad_norm: float,
        noise_multiplier: float,
        n_params: int,
        dataset_size: int,
        batch_size: int,
        epochs: int,
        target_epsilon: float,
        target_delta: float,
        *,
        sampling: str = "shuffle",
        seed: int | None = None,
    ) -> None:
        in_range(SMALLEST_CLIP_NORM, LARGEST_CLIP_NORM, max_grad_norm=max_grad_norm)
        in_range(0, MOST_NOISE, noise_multiplier=noise_multiplier)
        whole(n_params=n_params)
        if seed is not None:
            whole(seed=seed)
        whole(1, epochs=epochs)
        self.rule = self.clipping(float(max_grad_norm), int(epochs))
        self.plan = NoisePlan(dataset_size, batch_size, epochs, self.amplitude(int(epochs)), sampling)
        self.target_epsilon, self.target_delta = target_epsilon, target_delta
        self.noise_multiplier_given = float(noise_multiplier)
        self.noise_multiplier_needed = self.plan.needed(target_epsilon, target_delta)
        self.noise_multiplier = max(self.noise_multiplier_given, self.noise_multiplier_needed)
        if self.noise_multiplier_given < self.noise_multiplier_needed:
            warnings.warn(
                f"noise_multiplier = {noise_multiplier:g}: epsilon {target_epsilon:g} at delta {target_delta:g} needs "
                f"{self.noise_multiplier_needed:.6g} over {self.plan.steps:,} steps ({sampling}); that is used instead",
                NoiseMultiplierWarning,
                stacklevel=2,
            )
        self._multipliers = self.plan.schedule(self.noise_multiplier).noise_multipliers()
        self._rng = np.random.default_rng(seed)
        self._next, self._process = 0, os.getpid()

    @abstractmethod
    def clipping(self, max_grad_norm: float, epochs: int) -> Clipper:
        """The rule, with K = max_grad_norm."""

    @abstractmethod
    def amplitude(self, epochs: int) -> float:
        """The cosine's amplitude."""

    def clip_and_noise(
        self, per_sample_grads: Sequence[np.ndarray], step: int, epoch: int
    ) -> list[np.ndarray]:
        """The noised mean gradients of one step.

        Args:
            per_sample_grads: one array [B, *shape] a parameter tensor, float32 or float64, the same B >= 0 in all. They
                are left as they are.
            step: 0-based, counted from the start of the run, greater than at the last call.
            epoch: 0-based; under "shuffle" it must be the step's: step // (dataset_size // batch_size).

        Returns:
            One array [*shape] a tensor, in its dtype.

        Raises:
            BudgetError: a step beyond the plan, released before, or of another epoch. RefDPError: no such gradients.
        """
        arrays, records = _checked(per_sample_grads)
        self._check_step(step, epoch)
        sizes = tuple(math.prod(array.shape[1:]) for array in arrays)
        flat = np.concatenate([a.reshape(records, n) for a, n in zip(arrays, sizes, strict=True)], axis=1)
        ends = list(itertools.accumulate(sizes, initial=0))
        spans = [slice(start, end) for start, end in itertools.pairwise(ends)]
        groups = spans if self.rule.per_group else [slice(0, ends[-1])]
        shares = sizes if self.rule.per_group else (ends[-1],)
        context = ClipContext(int(step), self.plan.steps, rounding_margin(flat.dtype), shares)
        backend = numpy_backend()
        self._next = int(step) + 1
        total = clipped_sum(backend, self.rule, flat, groups, context)
        noised = add_gaussian_noise(
            backend,
            total.astype(np.float64),
            self.get_effective_sigma(step, epoch),
            self.rule.bound(context),
            self._rng.standard_normal,
            np.float64,
        )
        mean = noised / self.plan.batch_size
        return [
            mean[span].reshape(array.shape[1:]).astype(array.dtype)
            for span, array in zip(spans, arrays, strict=True)
        ]

    def get_effective_sigma(self, step: int, epoch: int) -> float:
        """The noise multiplier used at this step (0-based): noise on the sum / max_grad_norm.

        For a step after the last it is the last one's: harnesses ask after the run, when nothing can be released.
        """
        whole(step=step)
        return float(self._multipliers[min(int(step), self.plan.steps - 1)])

    def get_sensitivity(self, step: int, epoch: int) -> float:
        """K: the most that one record can add to the sum. max_grad_norm at every step."""
        return self.rule.bound(ClipContext(int(step), self.plan.steps, 0.0))

    def ledger(self) -> Ledger:
        """The planned run as a ledger: what ``refdp epsilon`` reads, once written as JSON."""
        return self.plan.ledger(self.noise_multiplier)

    def epsilon(self) -> Bounds:
        """Both bounds of the planned run at target_delta."""
        return self.plan.epsilon(self.noise_multiplier, self.target_delta)

    def _check_step(self, step: int, epoch: int) -> None:
        whole(step=step, epoch=epoch)
        plan = self.plan
        if os.getpid() != self._process:
            raise BudgetError(
                f"{type(self).__name__}: made in another process: a forked copy would release the same noise and spend "
                "the budget once more; make a new one for a new run"
            )
        if step >= plan.steps:
            raise BudgetError(
                f"step = {step}: beyond the {plan.steps:,} steps ({plan.epochs} epochs of {plan.steps_per_epoch}) that "
                f"epsilon {self.target_epsilon:g} pays for; plan more epochs"
            )
        if step < self._next:
            raise BudgetError(
                f"step = {step}: step {self._next - 1} is released already, and each step once only; count steps from "
                "the start of the run"
            )
        if plan.sampling == "shuffle" and epoch != step // plan.steps_per_epoch:
            raise BudgetError(
                f"epoch = {epoch}: step {step} belongs to epoch {step // plan.steps_per_epoch} of "
                f"{plan.steps_per_epoch} steps each, counted from 0; drop the last, shorter batch of an epoch"
            )

    def __reduce__(self) -> NoReturn:
        raise RefDPError(
            f"{type(self).__name__}: must not be copied or pickled: a copy would release the same noise and spend "
            "the budget once more; make a new one for a new run"
        )


def _checked(per_sample_grads: Sequence[np.ndarray]) -> tuple[list[np.ndarray], int]:
    """The arrays, and how many records they hold."""
    arrays = list(per_sample_grads)
    if not arrays:
        raise RefDPError("per_sample_grads = []: must hold one array for each parameter tensor")
    for i, array in enumerate(arrays):
        if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64) or not array.ndim:
            kind = (
                f"{array.dtype}, {array.ndim} axes" if isinstance(array, np.ndarray) else type(array).__name__
            )
            raise RefDPError(
                f"per_sample_grads[{i}] = {kind}: must be a numpy array [B, *shape], float32 or float64; a tensor's "
                ".numpy() is one"
            )
        if len(array) != len(arrays[0]):
            raise RefDPError(
                f"per_sample_grads[{i}] = {len(array)} records: must be as many as in the first, {len(arrays[0])}"
            )
    return arrays, len(arrays[0])
