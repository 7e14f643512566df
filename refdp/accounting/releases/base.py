"""What was released at each step of a run. Releases describe; the accountant interprets.

A release of a kind, a sampling scheme or a field that is not known is refused by its name: no accountant may guess
what a mechanism it has never met costs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refdp.accounting import _checks
from refdp.accounting.charges import Charge
from refdp.accounting.errors import AccountingError, UnsupportedEventError
from refdp.accounting.kernels import Kernel
from refdp.accounting.neighboring import ADD_REMOVE
from refdp.accounting.sampling import Sampling
from refdp.accounting.schedules import Schedule
from refdp.accounting.schemes import Neighbours


@dataclass(frozen=True)
class Release:
    """Gaussian noise on sums over a step's records, ``count`` times (or along a schedule).

    Attributes:
        noise: the gradient's noise multiplier (standard deviation on the sum / C), >= 0, or a Schedule of them;
            None where no gradient is released.
        sampling: how the records were chosen.
        count: number of steps; with a schedule, how many of its first steps were released (all of them by
            default). For schemes whose ``epochs`` counts already, it is a multiple of that.
    """

    noise: float | Schedule | None
    sampling: Sampling
    count: int = 1

    mechanism: ClassVar[str] = ""
    fields: ClassVar[tuple[str, ...]] = ()  # of the ledger's object, besides those of every release
    required: ClassVar[tuple[str, ...]] = ("noise_multiplier",)  # of fields; a schedule serves for the first

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", _checks.whole("event count", self.count))
        if not isinstance(self.sampling, Sampling):
            raise AccountingError(f"event sampling = {self.sampling!r}: must be a Sampling")
        if isinstance(self.noise, Schedule):
            if self.count > self.noise.steps:
                raise AccountingError(
                    f"event count = {self.count}: must not exceed the schedule's {self.noise.steps} steps"
                )
            if self.sampling.passes is not None:
                raise UnsupportedEventError(
                    f"a schedule under sampling {self.sampling.scheme} must be given as one event an epoch"
                )
        elif self.noise is not None or "noise_multiplier" in self.required:
            object.__setattr__(self, "noise", _checks.non_negative("noise_multiplier", self.noise))

    def multipliers(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct noise multipliers of the gradient (ascending, float64) and how often each was used (float64)."""
        if isinstance(self.noise, Schedule):
            values, counts = np.unique(self.noise.noise_multipliers()[: self.count], return_counts=True)
            return values, counts.astype(np.float64)
        passes = self.sampling.passes
        times = self.count if passes is None else self.count * passes
        return np.array([math.inf if self.noise is None else self.noise]), np.array([float(times)])

    def is_no_op(self) -> bool:
        """Whether nothing was released that depends on any record."""
        return self.count == 0 or self.sampling.is_no_op()

    def kernel(self, neighboring: str, group_size: int = 1) -> Kernel:
        """One of its steps; refused, with the reason, where no bound is proven."""
        return self.sampling.kernel(Neighbours(neighboring, group_size))

    def charges(self, neighboring: str = ADD_REMOVE, group_size: int = 1) -> list[Charge]:
        """What it costs, for neighbours that differ by one person of up to ``group_size`` records."""
        if self.is_no_op():
            return []
        return [Charge(self.kernel(neighboring, group_size), *self.multipliers())]

    def check(self, neighboring: str, group_size: int = 1) -> None:
        """Refuse what ``charges`` would refuse."""
        if not self.is_no_op():
            self.kernel(neighboring, group_size)

    def own_fields(self) -> dict[str, Any]:
        """The mechanism's own fields of the ledger's object."""
        return {name: getattr(self, name) for name in self.fields if getattr(self, name) is not None}

    def to_json(self) -> dict[str, Any]:
        """One entry of a ledger's ``events``."""
        document: dict[str, Any] = {"mechanism": self.mechanism}
        if isinstance(self.noise, Schedule):
            document["schedule"] = self.noise.to_json()
        elif self.noise is not None:
            document["noise_multiplier"] = self.noise
        document |= self.own_fields()
        document["sampling"] = self.sampling.to_json()
        if not isinstance(self.noise, Schedule) or self.count != self.noise.steps:
            document["count"] = self.count
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Release:
        """Read one entry of a ledger's ``events``, of this mechanism."""
        known = {"mechanism", "noise_multiplier", "schedule", "sampling", "count", *cls.fields}
        unknown = sorted(set(document) - known)
        if unknown:
            raise UnsupportedEventError(f"{cls.mechanism} event: unknown field {unknown[0]!r}")
        given = [name for name in ("noise_multiplier", "schedule") if name in document]
        if len(given) == 2 or (not given and "noise_multiplier" in cls.required):
            raise AccountingError(f"{cls.mechanism} event: give either 'noise_multiplier' or 'schedule'")
        missing = [name for name in cls.required if name not in (*document, "noise_multiplier")]
        if missing:
            raise AccountingError(f"{cls.mechanism} event: {missing[0]!r} is required")
        sampling = Sampling.from_json(document.get("sampling"))
        own = {name: document[name] for name in cls.fields if name in document}
        noise: Any = None
        if "schedule" in given:
            noise = Schedule.from_json(document["schedule"])
            return cls(noise, sampling, document.get("count", noise.steps), **own)
        if given:
            number = _checks.number(
                "noise_multiplier", document["noise_multiplier"], "must be finite and >= 0"
            )
            noise = number if math.isfinite(number) else document["noise_multiplier"]
        return cls(noise, sampling, document.get("count", 1), **own)


def joined(charge: Charge, sensitivity: float, noise: float) -> Charge:
    """The charge of a step that releases a second sum over the same records too: one Gaussian release of both.

    Noise multipliers z become (z^-2 + (sensitivity / noise)^2)^(-1/2), rounded down; z = inf is no first sum.

    Args:
        sensitivity: L2 norm of one record's contribution to the second sum, > 0.
        noise: standard deviation of its noise, >= 0.
    """
    with np.errstate(divide="ignore", over="ignore"):
        total = np.hypot(1 / charge.multipliers, sensitivity / noise if noise else math.inf)
        return charge._replace(multipliers=(1 / total) * (1 - 16 * 2.0**-52))
