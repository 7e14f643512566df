"""Two functions that vanish quadratically at 0, without cancellation there."""

from __future__ import annotations

import numpy as np


def expm1_minus(v: np.ndarray) -> np.ndarray:
    """exp(v) - 1 - v >= 0, to a few ulp for v <= 700 (inf beyond)."""
    v = np.asarray(v, dtype=np.float64)
    small = np.abs(v) < 0.5
    w = np.where(small, v, 0.0)
    series = np.ones_like(w)
    for k in range(16, 2, -1):  # v^2/2 (1 + v/3 (1 + v/4 (...)))
        series = 1.0 + series * w / k
    with np.errstate(over="ignore"):
        return np.where(small, 0.5 * w * w * series, np.expm1(v) - v)


def entropy_gap(u: np.ndarray) -> np.ndarray:
    """(1 + u) log(1 + u) - u >= 0 for u >= -1, to a few ulp.

    Near 0 with r = u / (2 + u): log(1 + u) = 2 (r + r^3/3 + r^5/5 + ...) and 1 + u = (1 + r) / (1 - r), so
    the difference is 2 (r^2 + (1 + r)(r^3/3 + r^5/5 + ...)) / (1 - r).
    """
    u = np.asarray(u, dtype=np.float64)
    small = np.abs(u) < 0.25
    r, tail = _atanh_tail(np.where(small, u, 0.0))
    near = 2.0 * (r * r + (1.0 + r) * tail) / (1.0 - r)
    w = np.where(small | (u <= -1.0), 0.0, u)
    far = (1.0 + w) * np.log1p(w) - w
    return np.where(small, near, np.where(u <= -1.0, 1.0, far))


def log_gap(u: np.ndarray) -> np.ndarray:
    """u - log(1 + u) >= 0 for u > -1, to a few ulp. (Same substitution: 2 (r^2/(1-r) - tail).)"""
    u = np.asarray(u, dtype=np.float64)
    small = np.abs(u) < 0.25
    r, tail = _atanh_tail(np.where(small, u, 0.0))
    near = 2.0 * (r * r / (1.0 - r) - tail)
    w = np.where(small, 0.0, u)
    return np.where(small, near, w - np.log1p(w))


def _atanh_tail(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """r = u / (2 + u) and atanh(r) - r = r^3/3 + r^5/5 + ..., for |u| < 0.25 (|r| < 1/7)."""
    r = u / (2.0 + u)
    square = r * r
    total = np.zeros_like(r)
    for k in range(23, 1, -2):
        total = 1.0 / k + square * total
    return r, total * square * r
