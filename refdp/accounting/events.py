"""What was released, step by step. Events describe; the accountant interprets.

An event of a kind, a sampling scheme or a field that is not known here is refused by its name: no accountant
may guess what a mechanism it has never met costs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from refdp.accounting import _checks
from refdp.accounting.errors import AccountingError, UnsupportedEventError
from refdp.accounting.neighboring import ADD_REMOVE, REPLACE_ONE
from refdp.accounting.schedules import Schedule

SCHEMES = ("poisson", "full-batch", "shuffle", "fixed-order")
_FIELDS = {"poisson": {"rate"}, "full-batch": set(), "shuffle": {"epochs"}, "fixed-order": {"epochs"}}


@dataclass(frozen=True)
class Sampling:
    """How the records of a step are chosen.

    Attributes:
        scheme: ``poisson`` (each record independently with probability ``rate``), ``full-batch`` (all, every
            step), ``shuffle`` and ``fixed-order`` (each record once an epoch, ``epochs`` times in all).
    """

    scheme: str
    rate: float | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise UnsupportedEventError(
                f"sampling scheme {self.scheme!r} is not supported: it must be one of {', '.join(SCHEMES)}"
            )
        given = {name for name in ("rate", "epochs") if getattr(self, name) is not None}
        if given != _FIELDS[self.scheme]:
            need = ", ".join(sorted(_FIELDS[self.scheme])) or "nothing else"
            raise AccountingError(f"sampling scheme {self.scheme}: takes {need}; got {sorted(given)}")
        if self.scheme == "poisson":
            object.__setattr__(self, "rate", _checks.probability("sampling rate", self.rate))
        elif self.epochs is not None:
            object.__setattr__(self, "epochs", _checks.whole("sampling epochs", self.epochs))

    def check_neighboring(self, neighboring: str) -> None:
        """Refuse the relations under which this scheme has no proven pair."""
        if self.scheme in ("shuffle", "fixed-order") and neighboring == ADD_REMOVE:
            raise UnsupportedEventError(
                f"sampling {self.scheme} with neighboring add-remove is ill-posed (removing a record shifts the "
                "batches after it); use zero-out or replace-one"
            )
        if self.scheme == "poisson" and neighboring == REPLACE_ONE and self.rate not in (0, 1):
            raise UnsupportedEventError(
                "sampling poisson with neighboring replace-one needs a pair of its own, not supported yet; "
                "use add-remove or zero-out"
            )

    def to_json(self) -> dict[str, Any]:
        """The ``sampling`` object of a ledger."""
        fields = {"scheme": self.scheme, "rate": self.rate, "epochs": self.epochs}
        return {key: value for key, value in fields.items() if value is not None}

    @classmethod
    def from_json(cls, document: Any) -> Sampling:
        """Read a ledger's ``sampling`` object."""
        if not isinstance(document, dict) or "scheme" not in document:
            raise AccountingError(f"sampling = {document!r}: must be an object with a 'scheme'")
        scheme = document["scheme"]
        if scheme not in SCHEMES:
            raise UnsupportedEventError(
                f"sampling scheme {scheme!r} is not supported: it must be one of {', '.join(SCHEMES)}"
            )
        unknown = sorted(set(document) - {"scheme", "rate", "epochs"})
        if unknown:
            raise UnsupportedEventError(f"sampling {scheme}: unknown field {unknown[0]!r}")
        return cls(scheme, document.get("rate"), document.get("epochs"))


@dataclass(frozen=True)
class GaussianEvent:
    """Gaussian noise on clipped sums, ``count`` times (or along a schedule).

    Attributes:
        noise: the noise multiplier (standard deviation on the sum / C), >= 0, or a Schedule of them.
        sampling: how the records were chosen.
        count: number of steps; with a schedule, how many of its first steps were released (all of them
            by default). For shuffle and fixed-order, whose ``epochs`` counts already, it is a multiple of that.
    """

    noise: float | Schedule
    sampling: Sampling
    count: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", _checks.whole("event count", self.count))
        if not isinstance(self.sampling, Sampling):
            raise AccountingError(f"event sampling = {self.sampling!r}: must be a Sampling")
        if isinstance(self.noise, Schedule):
            if self.count > self.noise.steps:
                raise AccountingError(
                    f"event count = {self.count}: must not exceed the schedule's {self.noise.steps} steps"
                )
            if self.sampling.epochs is not None:
                raise UnsupportedEventError(
                    f"a schedule under sampling {self.sampling.scheme} must be given as one event an epoch"
                )
        else:
            object.__setattr__(self, "noise", _checks.non_negative("noise_multiplier", self.noise))

    def multipliers(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct noise multipliers (ascending, float64) and how often each was used (float64)."""
        if isinstance(self.noise, Schedule):
            values, counts = np.unique(self.noise.noise_multipliers()[: self.count], return_counts=True)
            return values, counts.astype(np.float64)
        times = self.count if self.sampling.epochs is None else self.count * self.sampling.epochs
        return np.array([float(self.noise)]), np.array([float(times)])

    def is_no_op(self) -> bool:
        """Whether nothing was released that depends on any record."""
        return self.count == 0 or self.sampling.rate == 0 or self.sampling.epochs == 0

    def to_json(self) -> dict[str, Any]:
        """One entry of a ledger's ``events``."""
        document: dict[str, Any] = {"mechanism": "gaussian"}
        if isinstance(self.noise, Schedule):
            document["schedule"] = self.noise.to_json()
        else:
            document["noise_multiplier"] = self.noise
        document["sampling"] = self.sampling.to_json()
        if not isinstance(self.noise, Schedule) or self.count != self.noise.steps:
            document["count"] = self.count
        return document

    @classmethod
    def from_json(cls, document: Any) -> GaussianEvent:
        """Read one entry of a ledger's ``events``."""
        if not isinstance(document, dict) or "mechanism" not in document:
            raise AccountingError(f"event {document!r}: must be an object with a 'mechanism'")
        mechanism = document["mechanism"]
        if mechanism != "gaussian":
            raise UnsupportedEventError(f"mechanism {mechanism!r} is not supported: it must be gaussian")
        unknown = sorted(set(document) - {"mechanism", "noise_multiplier", "schedule", "sampling", "count"})
        if unknown:
            raise UnsupportedEventError(f"gaussian event: unknown field {unknown[0]!r}")
        if ("noise_multiplier" in document) == ("schedule" in document):
            raise AccountingError("gaussian event: give either 'noise_multiplier' or 'schedule'")
        sampling = Sampling.from_json(document.get("sampling"))
        if "schedule" in document:
            schedule = Schedule.from_json(document["schedule"])
            return cls(schedule, sampling, document.get("count", schedule.steps))
        noise = _checks.number("noise_multiplier", document["noise_multiplier"], "must be finite and >= 0")
        return cls(
            noise if math.isfinite(noise) else document["noise_multiplier"],
            sampling,
            document.get("count", 1),
        )
