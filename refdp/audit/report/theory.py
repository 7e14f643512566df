"""What is proved of the epsilon of a run, to stand beside what its canaries show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.errors import RefDPError
from refdp.validate import whole


@dataclass(frozen=True)
class Theory:
    """Bounds that were proved, and what they are about; None: not known.

    Attributes:
        lower, upper: of the run's epsilon at the design's delta; infinity is a value.
        sampling: how batches were drawn, in words ("poisson at rate 0.01").
        steps: number of noisy steps.
        noise_multiplier: of a run whose steps all have the same.
        full_participation: every record in every batch: only then is the run mu-GDP as a whole.
    """

    lower: float | None = None
    upper: float | None = None
    sampling: str | None = None
    steps: int | None = None
    noise_multiplier: float | None = None
    full_participation: bool | None = None

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise RefDPError(
                    f"theory's {name} epsilon = {value!r}: must be >= 0, or None where none is known"
                )
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise RefDPError(
                f"theory's lower epsilon = {self.lower:g}: must not exceed the upper, {self.upper:g}"
            )
        if self.steps is not None:
            whole(0, steps=self.steps)

    def is_known(self) -> bool:
        """Whether there is anything to show."""
        return self != Theory()

    def to_json(self) -> dict[str, Any]:
        """As it stands in ``refdp-audit-scores/1``."""
        return {
            "epsilon": {"lower": self.lower, "upper": self.upper},
            "sampling": self.sampling,
            "steps": self.steps,
            "noise_multiplier": self.noise_multiplier,
            "full_participation": self.full_participation,
        }
