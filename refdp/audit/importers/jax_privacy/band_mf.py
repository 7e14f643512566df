"""BandMFExecutionPlanConfig: banded noise; one band is DP-SGD."""

from __future__ import annotations

import math
from typing import Any

from refdp.accounting import ADD_REMOVE, ZERO_OUT, Release
from refdp.audit.importers.jax_privacy.reading import (
    Fields,
    Reading,
    band_mf_event,
    chance_of,
    choice,
    claim_of,
    noise_of,
    plain,
    steps_of,
    truncated_event,
)
from refdp.audit.importers.pytext import Call, Opaque
from refdp.audit.importers.words import real, short, whole
from refdp.errors import RefDPError


def band_mf_config(fields: Fields) -> Reading:
    """BandMFExecutionPlanConfig: ceil(iterations / bands) Poisson steps of one group; 1 band is DP-SGD."""
    if fields.get("noise_multiplier") is None:
        raise RefDPError(
            "BandMFExecutionPlanConfig holds no noise_multiplier (the plan calibrates it to its epsilon): give "
            "repr(config.plan.dp_event)"
        )
    coefficients = _coefficients(fields["strategy"])
    bands = len(coefficients)
    partition = choice(
        "partition_type", fields.get("partition_type", "EQUAL_SPLIT"), ("EQUAL_SPLIT", "INDEPENDENT")
    )
    neighboring = ZERO_OUT if partition == "EQUAL_SPLIT" else ADD_REMOVE
    because = (
        f"its partition_type is {partition}; the text of a configuration hides its accountant's relation"
    )
    notes = _off_norm(coefficients) if fields.get("column_normalize") is True else []
    event: Release
    if fields.get("truncated_batch_size"):
        if bands > 1:
            raise RefDPError(
                "BandMFExecutionPlanConfig with truncated_batch_size and several bands is not supported: no bound for "
                "truncated batches within groups is proven here; use 1 band, or no truncation"
            )
        event = truncated_event(fields, fields.get("num_examples"), steps_of(fields))
    else:
        event = band_mf_event(noise_of(fields), chance_of(fields), steps_of(fields), bands)
    actual: dict[str, Any] = {
        "iterations": steps_of(fields),
        "bands": bands,
        "sampler": "cyclic Poisson, CyclicPoissonSampling",
    }
    for name in ("num_examples", "truncated_batch_size", "l2_clip_norm", "normalize_by"):
        value = plain(fields.get(name))
        if isinstance(value, int | float) and not isinstance(value, bool):
            actual[name] = value
    return Reading((event,), neighboring, because, notes, claim_of(fields), actual)


def _coefficients(value: Any) -> list[Any]:
    """A number a band; of an abbreviated array (its shape is printed) the ones left out are None."""
    strategy = plain(value)
    if not isinstance(strategy, list | tuple) or not strategy:
        raise RefDPError(f"strategy = {short(strategy)}: must be the list of its coefficients, a band each")
    if not any(isinstance(part, Opaque) for part in strategy):
        return [real("strategy", plain(part), "must be numbers") for part in strategy]
    shape = value.fields.get("shape") if isinstance(value, Call) else None
    if not isinstance(shape, tuple) or len(shape) != 1:
        raise RefDPError(
            "strategy is abbreviated ('...'), so its bands cannot be counted: give it as a JSON list, "
            "strategy.tolist()"
        )
    return [None] * whole("strategy shape", shape[0], minimum=1, maximum=10**6)


def _off_norm(coefficients: list[Any]) -> list[str]:
    """Normalised columns are of norm 1, but the noise is scaled by the norm of the coefficients."""
    if None in coefficients:
        return []
    norm = math.hypot(*coefficients)
    if abs(norm - 1) < 1e-3:
        return []
    return [
        f"column_normalize with coefficients of norm {norm:.6g}: the noise that is added is {norm:.6g} times what the "
        "plan accounts"
    ]
