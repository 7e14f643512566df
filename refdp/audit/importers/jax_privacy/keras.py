"""DPKerasConfig: DP-SGD within Keras."""

from __future__ import annotations

from typing import Any

from refdp.accounting import ADD_REMOVE, GaussianEvent, Sampling
from refdp.audit.importers.jax_privacy.reading import (
    Fields,
    Reading,
    claim_of,
    noise_of,
    plain,
    steps_of,
)
from refdp.audit.importers.words import whole
from refdp.errors import RefDPError


def keras_config(fields: Fields) -> Reading:
    """DPKerasConfig: Poisson steps of the effective batch size."""
    if fields.get("noise_multiplier") is None:
        raise RefDPError(
            "DPKerasConfig holds no noise_multiplier: give config.update_with_calibrated_noise_multiplier()"
        )
    records = whole("train_size", plain(fields["train_size"]), minimum=1)
    accumulated = whole(
        "gradient_accumulation_steps", plain(fields.get("gradient_accumulation_steps", 1)), minimum=1
    )
    batch = whole("batch_size", plain(fields["batch_size"]), minimum=1)
    if batch * accumulated > records:
        raise RefDPError(
            f"batch_size x gradient_accumulation_steps = {batch * accumulated}: must not exceed train_size = {records}"
        )
    sampling = Sampling("poisson", rate=batch * accumulated / records)
    event = GaussianEvent(noise_of(fields), sampling, steps_of(fields, "train_steps"))
    actual: dict[str, Any] = {
        "batch_size": batch * accumulated,
        "physical_batch_size": batch,
        "dataset_size": records,
    }
    notes = []
    if accumulated > 1:
        notes.append(
            "the rate is that of the accumulated batch, batch_size x gradient_accumulation_steps / train_size"
        )
    if fields.get("poisson_sampling_in_fit") is not True:
        notes.append(
            "poisson_sampling_in_fit is off: fit() takes the batches it is given; Poisson is an assumption"
        )
        actual["sampler"] = "the caller's"
    return Reading((event,), ADD_REMOVE, "JAX-Privacy's accountants take it", notes, claim_of(fields), actual)
