"""The arguments of jax_privacy.accounting's event functions."""

from __future__ import annotations

from refdp.accounting import ADD_REMOVE, REPLACE_ONE, GaussianEvent, Sampling
from refdp.audit.importers.jax_privacy.reading import (
    FIXED,
    Fields,
    Reading,
    band_mf_event,
    chance_of,
    noise_of,
    plain,
    steps_of,
    truncated_event,
)
from refdp.audit.importers.words import whole
from refdp.errors import RefDPError


def dpsgd_event(fields: Fields) -> Reading:
    """The arguments of dpsgd_event and its kin: amplified_bandmf, truncated, of fixed size."""
    steps = steps_of(fields)
    bands = whole("num_bands", plain(fields.get("num_bands", 1)), minimum=1)
    because = "it is the usual one"
    if "batch_size" in fields:
        if fields.get("replace") is True:
            raise RefDPError(
                "replace = True: batches drawn with replacement are not supported; no bound is proven here"
            )
        sampling = Sampling(
            "without-replacement",
            dataset_size=whole("dataset_size", plain(fields["dataset_size"]), minimum=1),
            batch_size=whole("batch_size", plain(fields["batch_size"])),
        )
        return Reading((GaussianEvent(noise_of(fields), sampling, steps),), REPLACE_ONE, FIXED)
    if "truncated_batch_size" in fields:
        if bands > 1:
            raise RefDPError(
                "truncated batches with num_bands > 1 are not supported: no bound is proven here"
            )
        records = fields.get("num_examples", fields.get("largest_group_size"))
        return Reading((truncated_event(fields, records, steps),), ADD_REMOVE, because)
    return Reading((band_mf_event(noise_of(fields), chance_of(fields), steps, bands),), ADD_REMOVE, because)
