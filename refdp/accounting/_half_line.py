"""Renyi moments of symmetric sampled steps, by a rule on the half line that converges exponentially.

Where the profile of hockey-sticks is the same in both directions, delta(gamma) <= H(gamma) for gamma >= 1, and H
is that of a pair with densities phi A and phi B, the Renyi moment of every step below the profile is at most
    M = 1 + alpha beta int_1^inf (gamma^(alpha - 2) + gamma^(-alpha - 1)) H(gamma) dgamma,    beta = alpha - 1
(Sason & Verdu 2016, arXiv 1508.00335, the f-divergence as an integral of hockey-sticks), and Fubini gives
    M - 1 = int_{A > B} phi A (e^{beta l} - 1) (1 - e^{-alpha l}),    l = log(A / B):
all factors >= 0, nothing cancels. Two pairs, with x = w / s and w = t - t_0 >= 0 where l >= 0:
    one-sided   A = 1 - q + q e^x,                    B = 1,          t_0 = 1 / (2 s)
    mirrored    A = 1 - q + q e^{x - c},   B(t) = A(-t),   c = 1 / (2 s^2),   t_0 = 0.

Rule: the trapezoidal rule in z, w = k log(1 + e^{z / k}). Let |Im z| <= a = pi k / 4, k <= s, and x = X + i y;
softplus has argument and height at most those of its argument's exponential, so y <= min(X, pi / 4). Then, with p
the weight of e^x in A at x = 0 and p_b that of e^{-x} in B (0 or p),
    1 <= |A| / A(0) <= A(X) / A(0),   |B| <= A(0),   |B| >= B(X) e^{-zeta},   zeta = -log(1 - p_b (1 - cos(a / s))),
    |l| <= 5.1 l(X)   (slopes: the real parts above; |arg A| <= 2.1 log(A(X) / A(0)), |arg B| <= 1.5 p X),
so each of the two small factors grows by at most 8.1, e^{beta l} by e^{beta zeta}, phi by e^{a^2 / 2}, dw by
sqrt(2) dX: the integrals on the strip's lines are below K = 100 e^{a^2 / 2 + beta zeta} times the one wanted, and
(Trefethen & Weideman, SIAM Review 2014, Theorem 5.1) the relative discretisation error is at most
2 K / (e^{2 pi a / h} - 1) < 1e-18 by the choice of h. Cut off: below w = 1e-10 r, where g(e w) <= 2 e g(w) for
the integrand without phi leaves less than 1e-18; above t = T + 14, where T is past the zero of the bound
beta (1 + p_b e^{-x}) / s + 1 / s + 2 l' / l - t on the logarithmic slope: less than e^{-90}. There
l' / l <= 1 / w + 1 / s, <= 1.25 / s where x >= 4, and <= 2.05 / w where x >= 4 and log q + x (- c) >= x / 2.
"""

from __future__ import annotations

import math

import numpy as np

from refdp.accounting._quadrature import Moment, _log_ratio

_EPS = float(np.finfo(np.float64).eps)
_CELLS = 1 << 18
_MAX_POINTS = 1 << 20


def symmetric_moment(q: float, s: np.ndarray, alpha: float, *, mirrored: bool) -> Moment | None:
    """log(M - 1) for each noise multiplier in ``s`` [M] (standard deviation / one unit of x); 0 < q < 1, alpha > 1.

    None where the rule would need too many points.
    """
    grid = _Grid(q, s, alpha, mirrored)
    if grid.points > _MAX_POINTS:
        return None
    rows = max(1, _CELLS // grid.points)
    parts = [grid.evaluate(slice(i, i + rows)) for i in range(0, len(s), rows)]
    return Moment(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


class _Grid:
    """The rule's nodes, a row for each multiplier: z = low + h k for k in one window or two."""

    def __init__(self, q: float, s: np.ndarray, alpha: float, mirrored: bool) -> None:
        self.q, self.s, self.alpha, self.mirrored = q, s, alpha, mirrored
        self.c = 1 / (2 * s * s)
        beta = alpha - 1
        self.start = np.zeros_like(s) if mirrored else 1 / (2 * s)
        p = np.zeros_like(s)
        height = np.minimum(math.pi / 4 * s, 8.0)
        if mirrored:
            carried = q * np.exp(-self.c)
            p = carried / (1 - q + carried)
            height = np.minimum(height, s * np.sqrt(42 / (0.71 * beta * p + 1e-300)))
        zeta = -np.log1p(-p * (1 - np.cos(height / s)))
        self.width = 4 / math.pi * height
        self.h = 2 * math.pi * height / (height**2 / 2 + beta * zeta + math.log(200) + 42)
        reach = 0.5 / (self.start + 0.5)
        self.low = -self.width * (np.log(self.width / reach) + 23.1)
        early = np.maximum(self.start + 2, (beta * (1 + p) + 3) / s + 1)
        late = np.maximum(self.start + 4 * s, (beta * (1 + 0.02 * p) + 3.5) / s)
        clear = np.maximum(4 * s - 2 * s * math.log(q) + (1 / s if mirrored else 0.0), 1.0)  # l >= x / 2
        latest = np.maximum(self.start + clear, (beta * (1 + 0.02 * p) + 1) / s + 4.1)
        self.high = np.minimum(np.minimum(early, late), latest) + 14 - self.start
        self.windows = self._windows(beta)

    @property
    def points(self) -> int:
        return sum(count for _, count in self.windows)

    def _windows(self, beta: float) -> list[tuple[np.ndarray, int]]:
        """(first k of each row, number of nodes): all, or without the gap between the bumps t = 0 and t = alpha / s."""
        q, s, alpha = self.q, self.s, self.alpha
        whole = [(np.zeros_like(s), _steps(self.high - self.low, self.h))]
        # where t > 1 / s, l >= kl: the moment is at least .15 min(1, beta kl) max(q, the second bump); in the gap
        # the integrand is at most phi min(1, beta l) 2^alpha (1 + the second bump's) / (1 - q)^beta
        kl = math.log(q) + self.c
        if not np.all(kl >= math.log(2)):
            return whole
        extra = -math.log1p(-q) if self.mirrored else 0.0
        log_gap = np.log(14 / q * np.maximum(1.0, (alpha / s**2 + extra) / kl))
        spread = np.sqrt(2 * (45 + alpha * math.log(2) + beta * extra + log_gap))
        near = np.maximum(spread - self.start, 1.0)
        far = alpha / s - spread - self.start - self.width
        if not np.all(far > near + 1):
            return whole
        first = np.floor((far - self.low) / self.h)
        count = _steps(self.high - self.low - first * self.h, self.h)
        return [(np.zeros_like(s), _steps(near - self.low, self.h)), (first, count)]

    def evaluate(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """log(M - 1) and its error for some of the rows."""
        k = np.concatenate([first[rows, None] + np.arange(n) for first, n in self.windows], axis=1)
        s, h, width, c = (v[rows, None] for v in (self.s, self.h, self.width, self.c))
        z = (self.low[rows, None] + h * k) / width
        w = width * np.logaddexp(0.0, z)
        t = self.start[rows, None] + w
        log_a, loss, size = self._loss(w / s, c)
        beta = self.alpha - 1
        log_f = -0.5 * t * t + log_a + beta * loss - np.logaddexp(0.0, -z)
        with np.errstate(divide="ignore"):
            log_f += np.log(-np.expm1(-beta * loss)) + np.log(-np.expm1(-self.alpha * loss))
        top = log_f.max(axis=1, keepdims=True)
        terms = np.exp(log_f - top)
        total = terms.sum(axis=1)
        mean_size = (terms * (t * t + np.abs(z) + size)).sum(axis=1) / total
        log_total = np.log(total) + top[:, 0]
        value = log_total + np.log(h[:, 0] / math.sqrt(2 * math.pi))
        error = _EPS * (
            256 + 6 * mean_size + 4 * np.abs(top[:, 0]) + 4 * np.abs(log_total) + 4 * np.abs(value)
        )
        return value, error

    def _loss(self, x: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """log A, l, and how many ulp the summand's logarithm may be off by."""
        q = self.q
        if not self.mirrored:
            _, log_a = _log_ratio(q, x)
            share = np.exp(np.minimum(math.log(q) + x - log_a, 0.0))
            return log_a, log_a, self.alpha * (np.abs(log_a) + share * x)
        log_a, log_b = _log_ratio(q, x - c)[1], _log_ratio(q, -x - c)[1]
        with np.errstate(divide="ignore"):  # A / B - 1 = 2 q e^-c sinh(x) / B
            log_excess = math.log(q) - c + x + np.log(-np.expm1(-2 * x)) - log_b
        near = log_excess < math.log(0.25)
        loss = np.where(near, np.log1p(np.exp(np.where(near, log_excess, -1.0))), log_a - log_b)
        share = np.exp(np.minimum(math.log(q) + x - c - log_a, 0.0))
        share_b = np.exp(np.minimum(math.log(q) - x - c - log_b, 0.0))
        argument = x + c + abs(math.log(q))
        rounding = np.abs(log_a) + np.abs(log_b) + (share + share_b) * argument
        relative = np.minimum(loss, 1.0) * self.alpha + 2  # of l, where it is small, on each factor
        return log_a, loss, np.where(near, relative * (argument + 1), self.alpha * rounding) + rounding


def _steps(length: np.ndarray, h: np.ndarray) -> int:
    return int(min(np.max(np.ceil(length / h)), 1e15)) + 1
