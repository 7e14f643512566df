"""What the subject is told, and what it is held to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from refdp.errors import RefDPError

RELEASES = ("sum", "mean")
DIVISORS = ("expected", "realised")
RELATIONS = ("add-remove", "zero-out", "replace-one")


@dataclass(frozen=True)
class Settings:
    """The constructor's arguments and the declared contract.

    Attributes:
        release: what ``clip_and_noise`` returns: the noised sum, or that sum over the divisor.
        divisor: of a mean: ``batch_size`` (expected), or the number of records it was given (realised).
        relation: which batches are neighbours.
    """

    clip_norm: float = 1.0
    noise_multiplier: float = 1.0
    dataset_size: int = 1000
    batch_size: int = 8
    epochs: int = 3
    target_epsilon: float = 3.0
    target_delta: float = 1e-5
    release: str = "mean"
    divisor: str = "expected"
    relation: str = "add-remove"

    def __post_init__(self) -> None:
        if self.release == "mean" and self.divisor == "realised" and self.relation == "add-remove":
            raise RefDPError(
                "--divisor realised: has no bound under add-remove (removing a record changes the divisor); "
                "give --neighboring zero-out"
            )

    def arguments(self) -> dict[str, Any]:
        """The constructor's keyword arguments (``n_params`` comes with each batch)."""
        return {
            "max_grad_norm": self.clip_norm,
            "noise_multiplier": self.noise_multiplier,
            "dataset_size": self.dataset_size,
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "target_epsilon": self.target_epsilon,
            "target_delta": self.target_delta,
        }

    def scale(self, records: int) -> float:
        """Released value x this = the sum, for a batch of so many records."""
        if self.release == "sum":
            return 1.0
        return float(self.batch_size if self.divisor == "expected" else max(records, 1))

    @property
    def moves(self) -> float:
        """The bound in units of the sensitivity: 2 where a record is replaced."""
        return 2.0 if self.relation == "replace-one" else 1.0

    def to_json(self) -> dict[str, Any]:
        """All of them, by name."""
        return asdict(self)
