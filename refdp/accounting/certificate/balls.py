"""Ball arithmetic: python-flint, loaded only when something is certified, and the roundings at its edges.

G1. ``exact`` loses nothing of a float, an int or a fraction beyond the working precision, which its ball covers.
G2. ``ends`` and ``upper`` round outward.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from refdp.accounting.errors import AccountingError

PRECISION = 128


def load() -> Any:
    """The ``flint`` module; refused with the remedy where it is not installed."""
    try:
        import flint
    except ImportError:
        raise AccountingError(
            "certificates need ball arithmetic (python-flint): pip install 'refdp[certify]'"
        ) from None
    return flint


@contextmanager
def precision(bits: int) -> Iterator[Any]:
    """The flint module with this working precision while the block runs."""
    flint = load()
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield flint
    finally:
        flint.ctx.prec = before


def exact(value: float | int | Fraction) -> Any:
    """A ball around exactly this number."""
    flint = load()
    ratio = Fraction(value)
    return flint.arb(flint.fmpq(ratio.numerator, ratio.denominator))


def within(radius: Any) -> Any:
    """The real ball of this radius (an arb >= 0) around 0."""
    return load().arb(0, radius.abs_upper())


def around(value: Any, radius: Any) -> Any:
    """A complex ball widened by a bound on its absolute error."""
    error = within(radius)
    return value + load().acb(error, error)


def ends(ball: Any) -> list[float]:
    """[lower, upper], floats rounded outward; refused where the ball is unbounded."""
    low, high = _float(ball.lower(), -1), _float(ball.upper(), 1)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise AccountingError("certificate: the evaluation was not resolved; please report this ledger")
    return [low, high]


def upper(ball: Any) -> float:
    """A float that is not below the ball."""
    return ends(ball)[1]


def _float(value: Any, side: int) -> float:
    """The float beside an exact arb, on this side of it."""
    near = float(value)
    if not math.isfinite(near):
        return near
    while (exact(near) < value) if side > 0 else (exact(near) > value):
        near = math.nextafter(near, side * math.inf)
    return near


def digits(bits: int) -> float:
    """Nats in so many bits."""
    return bits * math.log(2)


def versions() -> dict[str, str]:
    """What computed a certificate."""
    from importlib import metadata

    try:
        own = metadata.version("refdp")
    except metadata.PackageNotFoundError:  # a copied folder
        own = "unknown"
    return {"refdp": own, "python-flint": str(load().__version__)}
