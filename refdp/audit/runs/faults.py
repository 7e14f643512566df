"""Known violations, built in on purpose: so that a reader sees an audit find them, and the sound run pass.

half-noise          noise at half the scale that is accounted for
record-twice        every drawn record is added twice: the sum moves by 2 K, the noise is for K
shuffle-as-poisson  batches are shuffled, the ledger says Poisson (Chua et al. 2024, arXiv 2403.17673)

Nothing outside this file knows of them but ``trainer``, which applies them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refdp.errors import RefDPError
from refdp.samplers import Sampler, samplers

HALF_NOISE, RECORD_TWICE, SHUFFLE_AS_POISSON = FAULTS = ("half-noise", "record-twice", "shuffle-as-poisson")


def check_fault(fault: str | None, sampler: Sampler, knows_batches: bool) -> None:
    """Refuse what would not be a fault, or would be refuted for a reason that is none.

    Raises:
        RefDPError: shuffle-as-poisson with another sampling, or with batches that hold everything, or with an adversary
            who knows the other records' batches: under Poisson sampling they say nothing of the canary's, of a
            shuffled order they give its place away.
    """
    if fault != SHUFFLE_AS_POISSON:
        return
    if sampler.name != "poisson":
        raise RefDPError(f"--fault {fault}: the ledger must say Poisson; leave --sampling {sampler.name} out")
    if sampler.batch_size == sampler.dataset_size:
        raise RefDPError(
            f"--fault {fault}: every batch holds everything, shuffled or not, which is no fault; give a smaller "
            "--batch-size"
        )
    if knows_batches:
        raise RefDPError(
            f"--fault {fault}: this canary's adversary knows the other records' batches, which in a shuffled order "
            "give its own away, whatever leaks; use --canary companions, or --scores black-box"
        )


def faulty_noise(fault: str | None, noise_multipliers: np.ndarray) -> np.ndarray:
    """The noise multipliers that are really used."""
    return noise_multipliers * 0.5 if fault == HALF_NOISE else noise_multipliers


def faulty_indices(fault: str | None, indices: np.ndarray) -> np.ndarray:
    """The records that are really added up."""
    return np.repeat(indices, 2) if fault == RECORD_TWICE else indices


def faulty_sampler(fault: str | None, sampler: Sampler) -> Sampler:
    """The sampler that batches really come from."""
    if fault != SHUFFLE_AS_POISSON:
        return sampler
    sizes: dict[str, Any] = {"dataset_size": sampler.dataset_size, "batch_size": sampler.batch_size}
    return samplers.create("shuffle", **sizes)
