"""Every class and function of JAX-Privacy that is known: its arguments in order and its reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from refdp.audit.importers.jax_privacy.band_mf import band_mf_config
from refdp.audit.importers.jax_privacy.dp_params import dp_params
from refdp.audit.importers.jax_privacy.event_arguments import dpsgd_event
from refdp.audit.importers.jax_privacy.keras import keras_config
from refdp.audit.importers.jax_privacy.reading import Fields, Reading
from refdp.errors import RefDPError


def _sampler_alone(fields: Fields) -> Reading:
    raise RefDPError(
        "is a batch selection strategy: it holds no noise; give the plan's dp_event, or its configuration"
    )


@dataclass(frozen=True)
class Kind:
    """A class or function of JAX-Privacy: its arguments in order, those required, and its reader."""

    read: Callable[[Fields], Reading]
    names: tuple[str, ...]
    required: tuple[str, ...]


def _kind(read: Callable[[Fields], Reading], required: str, optional: str = "") -> Kind:
    return Kind(read, (*required.split(), *optional.split()), tuple(required.split()))


_EVENT = "noise_multiplier iterations"
READERS: dict[str, Kind] = {
    "BandMFExecutionPlanConfig": _kind(
        band_mf_config,
        "iterations strategy",
        "epsilon delta noise_multiplier l2_clip_norm rescale_to_unit_norm normalize_by sampling_prob "
        "truncated_batch_size num_examples partition_type dtype column_normalize accountant noise_seed",
    ),
    "DpParams": _kind(
        dp_params,
        "noise_multipliers num_samples batch_size",
        "delta num_updates batch_size_scale_schedule is_finite_guarantee batch_sizes examples_per_user cycle_length "
        "sampling_method truncated_batch_size",
    ),
    "DPKerasConfig": _kind(
        keras_config,
        "batch_size train_steps train_size",
        "epsilon delta clipping_norm gradient_accumulation_steps poisson_sampling_in_fit noise_multiplier "
        "rescale_to_unit_norm microbatch_size seed",
    ),
    "dpsgd_event": _kind(dpsgd_event, f"{_EVENT} sampling_prob"),
    "amplified_bandmf_event": _kind(dpsgd_event, f"{_EVENT} num_bands sampling_prob"),
    "truncated_dpsgd_event": _kind(dpsgd_event, f"{_EVENT} sampling_prob num_examples truncated_batch_size"),
    "truncated_amplified_bandmf_event": _kind(
        dpsgd_event, f"{_EVENT} num_bands sampling_prob largest_group_size truncated_batch_size"
    ),
    "fixed_dpsgd_event": _kind(dpsgd_event, f"{_EVENT} dataset_size batch_size", "replace"),
    **{
        name: _kind(_sampler_alone, "")
        for name in ("CyclicPoissonSampling", "BallsInBinsSampling", "FixedBatchSampling", "BMinSepSampling")
    },
}
