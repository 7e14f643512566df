"""The best conversion from one Renyi divergence: Asoodeh, Liao, Calmon, Kosut, Sankar.

arXiv 2001.05990 and 2008.06529: for the event that delta is paid on, merging it and its complement leaves a
binary pair (p, q) with delta = p - gamma q, gamma = e^epsilon, and with M = e^{(alpha - 1) rho}, beta = alpha - 1,
    p^alpha q^-beta + (1 - p)^alpha (1 - q)^-beta <= M.
The largest such delta is found here through its dual. r^alpha lies above its tangents, so for all r_1, r_2 >= 0
    alpha r_1^beta p - beta r_1^alpha q + alpha r_2^beta (1 - p) - beta r_2^alpha (1 - q) <= M,
that is, for r_1 > r_2, with N = alpha r_2^beta - beta r_2^alpha,
    p - gamma q <= (M - N) / (alpha (r_1^beta - r_2^beta))  where  beta (r_1^alpha - r_2^alpha)
                                                                   = gamma alpha (r_1^beta - r_2^beta).
Each r_2 in [0, 1] proves a bound; r_2 = 0 is ``balle2020``. Where p <= 1 binds instead, r_2 = 0 and r_1 = e^rho give
    p - gamma q <= 1 - gamma e^-rho,   for gamma <= e^rho beta / alpha, that is where this is at least 1 / alpha.
By convexity (strong duality) the best of them is the optimum.

G1. Every value is an upper bound whatever r_2 the search ends at, rounded outward.
G2. Never above ``balle2020`` by more than rounding; the two differ where delta is large or epsilon small.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import minimize_scalar

from refdp.accounting.conversions import balle2020

NAME = "asoodeh2020"

_EPS = 2.0**-52


def _log_room(beta: float, rdp: float, v: float) -> tuple[float, float]:
    """log(M - N) at r_2 = e^-v, and a bound on its error."""
    # 1 - N = beta E(-alpha v) - alpha E(-beta v), E(z) = e^z - 1 - z
    alpha = beta + 1
    first, second = beta * _beyond(alpha * v), alpha * _beyond(beta * v)
    log_m = beta * rdp
    size = first + second
    if log_m > 40:
        return log_m, 1e-17 + 4 * _EPS * log_m
    room = math.expm1(log_m) + (first - second)
    if not room > 64 * _EPS * size:
        return math.inf, 0.0
    return math.log(room), 16 * _EPS * (size + math.expm1(log_m)) / room + 4 * _EPS * abs(math.log(room))


def _beyond(z: float) -> float:
    """e^-z - 1 + z for z >= 0, to a few ulp."""
    if z > 0.5:
        return math.expm1(-z) + z
    total = 1.0
    for k in range(16, 2, -1):
        total = 1.0 - total * z / k
    return 0.5 * z * z * total


def _least(bound: Callable[[float], float]) -> float:
    """The least bound found over v = -log r_2 in (0, inf)."""
    seen: list[float] = []

    def at(log_v: float) -> float:
        seen.append(bound(math.exp(log_v)))
        return min(seen[-1], 1e300)

    grid = [x * 2.0 for x in range(-18, 6)]
    best = min(grid, key=at)
    minimize_scalar(at, bounds=(best - 2, best + 2), method="bounded", options={"xatol": 1e-6, "maxiter": 60})
    return min(seen)


def epsilon_from_rdp(order: float, rdp: float, delta: float) -> float:
    """Upper value of epsilon at delta; inf where the RDP is."""
    plain = balle2020.epsilon_from_rdp(order, rdp, delta)
    if delta * order >= 1 + 4 * _EPS and rdp < math.inf:
        certain = rdp + math.log1p(-delta)
        plain = min(plain, certain + 8 * _EPS * (rdp - math.log1p(-delta)))
    beta = order - 1
    if rdp == math.inf or beta < 1e-9 or order > 1e9:
        return plain

    def bound(v: float) -> float:
        log_room, error = _log_room(beta, rdp, v)
        if log_room == math.inf:
            return math.inf
        room = log_room - math.log(order) - math.log(delta)
        top = max(room, -beta * v)
        log_r1 = (top + math.log(math.exp(room - top) + math.exp(-beta * v - top))) / beta
        slack = (error + 8 * _EPS * (1 + abs(room) + beta * v)) / beta
        gap = log_r1 + v  # log(r_1 / r_2) > 0, to within slack
        if not gap > 1e3 * slack:
            return math.inf
        shape = math.log(-math.expm1(-order * gap)) - math.log(-math.expm1(-beta * gap))
        value = math.log1p(-1 / order) + log_r1 + shape
        return (
            value + slack * (2 + 2 / (beta * gap)) + 8 * _EPS * (2 + abs(log_r1) + abs(math.log(beta * gap)))
        )

    return min(plain, _least(bound))


def log_delta_from_rdp(order: float, rdp: float, epsilon: float) -> float:
    """Upper value of log delta at epsilon; +inf where the RDP is infinite."""
    plain = balle2020.log_delta_from_rdp(order, rdp, epsilon)
    if rdp < math.inf and rdp - epsilon >= -math.log1p(-1 / order) + 8 * _EPS * (rdp + epsilon + 1):
        certain = -math.expm1(epsilon - rdp)
        plain = min(plain, math.log(certain) + 16 * _EPS * (1 + (rdp + epsilon) / certain))
    beta = order - 1
    if rdp == math.inf or beta < 1e-9 or order > 1e9 or plain < -1e299 or epsilon > 1e9:
        return plain

    def steepness(log_r1: float, v: float) -> float:
        gap = log_r1 + v
        shape = math.log(-math.expm1(-order * gap)) - math.log(-math.expm1(-beta * gap))
        return math.log1p(-1 / order) + log_r1 + shape

    def bound(v: float) -> float:
        log_room, error = _log_room(beta, rdp, v)
        if log_room == math.inf or v < 1e-9:
            return math.inf
        low, high = epsilon, epsilon - math.log1p(-1 / order)  # a smaller r_1 proves it for a smaller gamma
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if steepness(middle, v) <= epsilon else (low, middle)
        low -= 64 * _EPS * (1 + epsilon + 1 / beta + abs(math.log(v)) + 1 / (beta * (epsilon + v)))
        gap = low + v
        if not gap > 0:
            return math.inf
        spread = beta * low + math.log(-math.expm1(-beta * gap))
        size = abs(log_room) + math.log(order) + beta * abs(low) + abs(spread) + 1 / gap
        return log_room - math.log(order) - spread + error + 8 * _EPS * (size + 1)

    return min(plain, _least(bound))
