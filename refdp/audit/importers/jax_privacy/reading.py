"""What every configuration of JAX-Privacy shares: its numbers as printed, its steps, its claim."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from refdp.accounting import BandMFEvent, GaussianEvent, Release, Sampling
from refdp.audit.importers.pytext import Call
from refdp.audit.importers.words import multiplier, rate, real, short, whole
from refdp.errors import RefDPError

Fields = dict[str, Any]
FIXED = "it is the only one that is sound for batches of fixed size"
USUAL = "JAX-Privacy's accountants take it"
_ARRAYS = ("array", "float", "int", "bfloat", "uint", "asarray")


@dataclass
class Reading:
    """Events and what goes with them; ``neighboring`` is taken where nothing names a relation, ``because``."""

    events: tuple[Release, ...]
    neighboring: str
    because: str
    notes: list[str] = field(default_factory=list)
    claimed: dict[str, float] = field(default_factory=dict)
    actual: dict[str, Any] = field(default_factory=dict)
    group_size: int = 1


def plain(value: Any) -> Any:
    """A number or list out of what numpy and JAX print it as: ``np.float64(0.1)``, ``Array([...], dtype=...)``."""
    if isinstance(value, Call) and value.args and value.last_name.lower().startswith(_ARRAYS):
        return plain(value.args[0])
    tolist = getattr(value, "tolist", None)
    return tolist() if callable(tolist) else value


def choice(name: str, value: Any, options: tuple[str, ...]) -> str:
    """A member of an enumeration, however it was printed."""
    text = value if isinstance(value, str) else getattr(value, "name", None) or short(value, 200)
    found = [option for option in options if re.search(rf"\b{option}\b", str(text)[:200])]
    if len(found) != 1:
        raise RefDPError(f"{name} = {short(value)}: must be one of {', '.join(options)}")
    return found[0]


def steps_of(fields: Fields, name: str = "iterations") -> int:
    return whole(name, plain(fields[name]))


def noise_of(fields: Fields) -> float:
    return multiplier(plain(fields["noise_multiplier"]))


def chance_of(fields: Fields) -> float:
    return rate(plain(fields.get("sampling_prob", 1.0)), name="sampling_prob")


def band_mf_event(noise: float, chance: float, steps: int, bands: int) -> Release:
    sampling = Sampling("poisson", rate=chance)
    return (
        GaussianEvent(noise, sampling, steps)
        if bands == 1
        else BandMFEvent(noise, sampling, steps, bands=bands)
    )


def truncated_event(fields: Fields, records: Any, steps: int) -> GaussianEvent:
    sampling = Sampling(
        "truncated-poisson",
        rate=chance_of(fields),
        dataset_size=whole("num_examples", plain(records), minimum=1),
        max_batch_size=whole("truncated_batch_size", plain(fields["truncated_batch_size"])),
    )
    return GaussianEvent(noise_of(fields), sampling, steps)


def claim_of(fields: Fields) -> dict[str, float]:
    """The target that the configuration names."""
    rule = "must be a number >= 0"
    found = {
        name: real(name, plain(fields[name]), rule)
        for name in ("epsilon", "delta")
        if fields.get(name) is not None
    }
    for name, value in found.items():
        if value < 0:
            raise RefDPError(f"{name} = {value!r}: {rule}")
    return found
