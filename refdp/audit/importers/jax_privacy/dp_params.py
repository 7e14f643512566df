"""DpParams: DP-SGD as the training accountants of jax_privacy.accounting.analysis take it."""

from __future__ import annotations

from typing import Any

from refdp.accounting import ADD_REMOVE, REPLACE_ONE, GaussianEvent, Release, Sampling
from refdp.audit.importers.jax_privacy.reading import (
    FIXED,
    Fields,
    Reading,
    band_mf_event,
    choice,
    claim_of,
    plain,
    steps_of,
    truncated_event,
)
from refdp.audit.importers.words import multiplier, real, short, whole
from refdp.errors import RefDPError


def dp_params(fields: Fields) -> Reading:
    """DpParams with num_updates, as DpsgdTrainingAccountant and its user-level kin account them."""
    if "num_updates" not in fields:
        raise RefDPError(
            "DpParams holds no number of steps: write a JSON object of its fields with num_updates beside them"
        )
    steps = steps_of(fields, "num_updates")
    records = whole("num_samples", plain(fields["num_samples"]), minimum=1)
    cycle = whole("cycle_length", plain(fields.get("cycle_length") or 1), minimum=1, maximum=records)
    method = choice(
        "sampling_method", fields.get("sampling_method", "POISSON"), ("POISSON", "FIXED_BATCH_SIZE")
    )
    cap = fields.get("truncated_batch_size")
    users = whole("examples_per_user", plain(fields.get("examples_per_user") or 1), minimum=1)
    if fields.get("batch_size_scale_schedule") and not isinstance(
        plain(fields.get("batch_sizes")), list | tuple
    ):
        raise RefDPError(
            "batch_size_scale_schedule is given without batch_sizes: add batch_sizes, [[step, size], ...]"
        )
    if (cap is not None or method != "POISSON" or users > 1) and cycle > 1:
        raise RefDPError(
            f"cycle_length = {cycle} with another sampler than plain Poisson, or several examples a user: not "
            "supported, no bound is proven here"
        )
    private = fields.get("is_finite_guarantee", True)
    noises = _over_time(
        "noise_multipliers", plain(fields["noise_multipliers"]) if private is not False else 0.0
    )
    sizes = _over_time("batch_sizes", plain(fields.get("batch_sizes") or fields["batch_size"]))
    starts = sorted({start for start in (*noises, *sizes) if start < steps})
    if cycle > 1 and len(starts) > 1:
        raise RefDPError(f"cycle_length = {cycle} with varying noise or batch sizes is not supported")
    events: list[Release] = []
    for start, end in zip(starts, [*starts[1:], steps], strict=True):
        noise = multiplier(_at(noises, start))
        size = whole("batch_size", _at(sizes, start), maximum=records // cycle)
        part = size / (records // cycle)
        if method == "FIXED_BATCH_SIZE":
            sampling = Sampling("without-replacement", dataset_size=records, batch_size=size)
            events.append(GaussianEvent(noise, sampling, end - start))
        elif cap is not None:
            fixed = {"noise_multiplier": noise, "sampling_prob": part, "truncated_batch_size": cap}
            events.append(truncated_event(fixed, records, end - start))
        else:
            events.append(band_mf_event(noise, part, end - start, cycle))
    because = "JAX-Privacy's accountants take it"
    claimed = claim_of(fields)
    reading = Reading(tuple(events), ADD_REMOVE, because, [], claimed, {"dataset_size": records}, users)
    if method == "FIXED_BATCH_SIZE":
        reading.neighboring, reading.because = REPLACE_ONE, FIXED
        reading.notes.append(
            "FIXED_BATCH_SIZE: JAX-Privacy accounts it as Poisson steps of twice the sensitivity; here it is sampling "
            "without replacement under replace-one, at the same noise"
        )
    if private is False:
        reading.notes.append("is_finite_guarantee is False: taken as no noise, epsilon is infinite")
    if len(sizes) == 1:
        reading.actual["batch_size"] = int(sizes[0])
    return reading


def _over_time(name: str, value: Any) -> dict[int, float]:
    """A number, or [step, value] pairs of which the first is at step 0."""
    rule = "must be a number, or pairs [step, value] of which the first is at step 0"
    if not isinstance(value, list | tuple):
        return {0: _exact(name, value, rule)}
    found: dict[int, float] = {}
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise RefDPError(f"{name} = {short(value)}: {rule}")
        step = whole(f"{name} step", plain(pair[0]))
        if step in found:
            raise RefDPError(f"{name}: step {step} is given twice")
        found[step] = _exact(name, plain(pair[1]), rule)
    if 0 not in found:
        raise RefDPError(f"{name} = {short(value)}: {rule}")
    return found


def _exact(name: str, value: Any, rule: str) -> Any:
    """The number itself; a whole one stays whole (batch sizes of a schedule are printed as 64.0)."""
    number = real(name, value, rule)
    return int(number) if name == "batch_sizes" and number.is_integer() else value


def _at(values: dict[int, Any], step: int) -> Any:
    return values[max(start for start in values if start <= step)]
