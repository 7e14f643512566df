"""Certificates of one step's Renyi DP, and the Renyi DP of a composition, in balls.

RDP at order alpha = 1 + c is log M(c) / c, M(c) = E_P[e^{c loss}] (rule.py), for each direction of the pair.

G1. ``certify_rdp`` proves that ``rdp_poisson_gaussian``'s float64 value is at least the exact RDP of both
    directions, and exceeds it by at most ``exceeds`` (relative); its enclosures are rounded outward.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from refdp.accounting import _checks
from refdp.accounting.certificate.balls import ends, exact, load, precision, versions
from refdp.accounting.certificate.closed_forms import binomial_moment
from refdp.accounting.certificate.planning import moment_grid
from refdp.accounting.certificate.rule import Moments, Step
from refdp.accounting.certificate.statement import Sides
from refdp.accounting.errors import AccountingError
from refdp.accounting.rdp_poisson import rdp_poisson_gaussian

SCHEMA = "refdp-certificate/1"
_CLOSED = 2048  # integer orders up to this by the binomial sum
_FINE = 45.0  # nats of relative accuracy


def renyi(sides: Sides, multiplier: float, order: float, nats: float) -> Any:
    """RDP of one direction, a ball; M(c) within about e^-nats of itself."""
    tilt = Fraction(order) - 1
    grid = moment_grid(sides, multiplier, float(tilt), nats)
    moments = Moments.of(Step(sides, multiplier, tilt), grid)
    return moments.real.log() / exact(tilt)


def worst_renyi(pairs: Iterable[Sides], multiplier: float, order: float, nats: float) -> Any:
    """An upper ball of the larger direction's RDP."""
    found = [renyi(sides, multiplier, order, nats) for sides in pairs]
    worst = found[0]
    for other in found[1:]:
        worst = worst.max(other)
    return worst


def certify_rdp(sample_rate: float, noise_multiplier: float, order: float) -> dict[str, Any]:
    """Certificate (a JSON document) of one Poisson-sampled Gaussian step's RDP, add-remove or zero-out.

    Args:
        sample_rate: q in [0, 1].
        noise_multiplier: > 0.
        order: > 1.

    Returns:
        {"schema": "refdp-certificate/1", "kind": "rdp", ..., "value": rdp_poisson_gaussian's float64,
        "exceeds": x, "remove": {"rdp": [lower, upper], ...}, "add": {...}, "certified": ["rdp.value"]}.

    Raises:
        AccountingError: an argument outside these ranges, python-flint missing, or a value not proved.
    """
    q = _checks.probability("sample_rate", sample_rate)
    sigma = _checks.positive("noise_multiplier", noise_multiplier)
    value = float(rdp_poisson_gaussian(q, sigma, order)[0])
    alpha = float(order)
    excess = min(1.0, math.expm1(min(value * (alpha - 1), 1.0))) or 1e-300
    nats = _FINE - math.log(excess)
    with precision(64 + math.ceil(2 * nats)):
        remove, add = _directions(q, sigma, alpha, nats)
        low, high = remove[0], remove[0].max(add[0])
        if not (exact(value) >= high):
            raise AccountingError(
                f"rdp_poisson_gaussian({q!r}, {sigma!r}, {order!r}) = {value!r} is not proved to be an upper bound; "
                "please report it"
            )
        exceeds = ends((exact(value) - low) / low)[1] if q > 0 else 0.0
        document = {
            "schema": SCHEMA,
            "kind": "rdp",
            "sample_rate": q,
            "noise_multiplier": sigma,
            "order": alpha,
            "value": value,
            "exceeds": exceeds,
            "certified": ["rdp.value"],
            "precision": load().ctx.prec,
            "versions": versions(),
        }
        for name, (ball, how) in (("remove", remove), ("add", add)):
            document[name] = {"rdp": ends(ball), **how}
    return document


def _directions(q: float, sigma: float, order: float, nats: float) -> list[tuple[Any, dict[str, Any]]]:
    """(RDP, how it was had) of both directions."""
    if q in (0.0, 1.0):
        ball = exact(q) * exact(order) / (2 * exact(sigma) ** 2)
        return [(ball, {"by": "closed-form"})] * 2
    mixed: dict[str, Sides] = {
        "remove": Sides(((Fraction(1), Fraction(q)),), ()),
        "add": Sides((), ((Fraction(-1), Fraction(q)),)),
    }
    found = []
    for name, sides in mixed.items():
        if name == "remove" and order == int(order) and order <= _CLOSED:
            ball = binomial_moment(q, sigma, int(order)).log1p() / exact(Fraction(order) - 1)
            found.append((ball, {"by": "binomial"}))
        else:
            ball = renyi(sides, sigma, order, nats)
            found.append((ball, {"by": "trapezoid"}))
    return found
