"""Scores as a reader meets them: checked one by one, in flat arrays, never more than a limit."""

from __future__ import annotations

import hashlib
import math
import re
from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdp.audit.scores.base import Scores
from refdp.errors import RefDPError

MOST = 4_000_000
CLASSES = ("planted", "left_out", "references")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)


@dataclass
class Collected:
    """What a file holds, while it is read.

    Attributes:
        scores: by class, float64.
        fair_coins, runs, delta, claimed_epsilon: what the file says of itself; None where it says nothing.
    """

    scores: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in CLASSES})
    fair_coins: bool | None = None
    runs: int | None = None
    delta: float | None = None
    claimed_epsilon: float | None = None

    def add(self, name: str, value: float) -> None:
        """One score of a class; refuses the one past the limit."""
        self.scores[name].append(value)
        if len(self) > MOST:
            raise too_many()

    def extend(self, name: str, values: np.ndarray) -> None:
        """Many at once [n]."""
        if len(self) + len(values) > MOST:
            raise too_many()
        self.scores[name].frombytes(np.ascontiguousarray(values, dtype=np.float64).tobytes())

    def __len__(self) -> int:
        return sum(len(values) for values in self.scores.values())

    def finished(self, fair_coins: bool, lower_is_member: bool) -> Scores:
        """The scores, higher where a canary looks more like a member; a missing class is refused."""
        sign = -1.0 if lower_is_member else 1.0
        parts = {name: sign * np.array(values, dtype=np.float64) for name, values in self.scores.items()}
        if not len(self):
            raise RefDPError("holds no scores; give one score a canary, of members and of non-members")
        for names, what in ((("planted",), "members"), (("left_out", "references"), "non-members")):
            if not any(len(parts[name]) for name in names):
                raise RefDPError(
                    f"holds no scores of {what} ({' or '.join(names)}), {len(self)} of others; an audit compares the "
                    "two: add some"
                )
        return Scores(**parts, fair_coins=fair_coins, runs=self.runs or 1)


def too_many() -> RefDPError:
    """What is said of a file past the limit."""
    return RefDPError(
        f"holds more than {MOST:,} scores; audit fewer canaries, chosen before they were scored"
    )


def score_from_text(text: str) -> float:
    """A score as written: a decimal number, or inf with its sign.

    Raises:
        RefDPError: anything else; NaN; a number that only overflows to infinity.
    """
    stripped = text.strip()
    if stripped.lower().lstrip("+-") == "nan":
        raise RefDPError(
            "is NaN; a canary without a score has no place in an audit: find out why, and leaving it out must not "
            "depend on whether it was planted"
        )
    if not stripped:
        raise RefDPError("is empty; give a number")
    if not _NUMBER.fullmatch(stripped):
        raise RefDPError(f"is {stripped[:40]!r}; give a number, such as 0.5, -1e-3 or inf")
    value = float(stripped)
    if math.isinf(value) and "inf" not in stripped.lower():
        raise RefDPError(f"is {stripped[:40]}, beyond float64; scale the scores, or write inf")
    return value


def score_from_json(value: Any) -> float:
    """A score from a JSON value: a number, or one of the strings "inf" and "-inf"."""
    if isinstance(value, str) and value in ("inf", "-inf", "nan", "NaN"):
        return score_from_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefDPError(f"is {str(value)[:40]!r}; give a number, or the string inf or -inf")
    try:
        number = float(value)
    except OverflowError:
        raise RefDPError("is beyond float64; scale the scores, or write inf") from None
    return score_from_text("nan") if math.isnan(number) else number


class Seen:
    """Names met, 16 bytes each: how many are distinct, and whether one came twice."""

    def __init__(self) -> None:
        self._digests = bytearray()

    def add(self, *parts: str) -> None:
        """One name, of several parts."""
        text = "\x1f".join(f"{len(part)}:{part}" for part in parts)
        self._digests += hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def distinct(self) -> int:
        """How many there are."""
        return int(np.count_nonzero(self._new()[1])) if self._digests else 0

    def twice(self) -> int | None:
        """Place (from 0) of a name that stood before it already; None where all are distinct."""
        if not self._digests:
            return None
        order, new = self._new()
        again = order[~new]
        return int(again.min()) if len(again) else None

    def _new(self) -> tuple[np.ndarray, np.ndarray]:
        """Places sorted by name, then place; and which of them are the first of their name."""
        words = np.frombuffer(bytes(self._digests), dtype="<u8").reshape(-1, 2)
        order = np.lexsort((np.arange(len(words)), words[:, 1], words[:, 0]))
        ordered = words[order]
        new = np.ones(len(words), dtype=bool)
        new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        return order, new
