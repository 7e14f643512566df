"""Every registered clipping rule at its default parameters: no contribution above K, and the same sum everywhere."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from refdp.backend import Backend, numpy_backend
from refdp.clippers import AdaptiveClipper, ClipContext, Clipper, clipped_sum, clippers, rounding_margin
from refdp.selftest.case import Case

_ENDS = (0, 1, 3, 8, 16, 30)
_CLIP_NORMS = (1e-3, 1.0, 1e3)
_STEPS = 9


def cases(backend: Backend, seed: int) -> Iterator[Case]:
    """For each rule: the bound, records that hold NaN, and the sum of a batch against the host's in float64."""
    for name in clippers.names():
        for dtype in (np.float32, np.float64):
            yield Case(
                "clipping",
                f"{name}, {backend.name} {dtype.__name__}",
                "largest contribution / K",
                1.0,
                partial(_largest, name, seed, backend, dtype),
            )
        yield Case(
            "clipping",
            f"{name}, records with NaN or inf",
            "norm of their contribution",
            0.0,
            partial(_of_nan, name, backend),
        )
        yield Case(
            "clipping",
            f"{name}, sum of a batch in float32",
            "largest error / K",
            5e-5,
            partial(_sum_error, name, seed, backend),
        )


def _groups(clipper: Clipper) -> list[slice]:
    if not clipper.per_group:
        return [slice(0, _ENDS[-1])]
    return [slice(start, end) for start, end in itertools.pairwise(_ENDS)]


def _context(clipper: Clipper, step: int, dtype: Any) -> ClipContext:
    sizes = tuple(group.stop - group.start for group in _groups(clipper))
    released = clipper.initial(sizes) if isinstance(clipper, AdaptiveClipper) else {}
    return ClipContext(step, _STEPS, rounding_margin(dtype), sizes, released)


def _sum(clipper: Clipper, backend: Backend, rows: np.ndarray, step: int) -> np.ndarray:
    context = _context(clipper, step, rows.dtype)
    total = clipped_sum(backend, clipper, backend.asarray(rows.copy()), _groups(clipper), context)
    return backend.to_host(total).astype(np.float64)


def _rows(seed: int, dtype: Any, count: int = 24) -> np.ndarray:
    """Entries and rows of all sizes from 1e-30 to 1e30, and zeros."""
    rng = np.random.default_rng([seed, 5])
    shape = (count, _ENDS[-1])
    mixed = rng.standard_normal(shape) * 10.0 ** rng.uniform(-30, 30, shape)
    even = rng.standard_normal(shape) * np.geomspace(1e-30, 1e30, count)[:, None]
    usual = rng.standard_normal(shape) * np.geomspace(1e-2, 1e2, count)[:, None]
    rows = np.concatenate([mixed, even, usual])
    rows[rng.random(rows.shape) < 0.1] = 0
    return np.concatenate([rows, np.zeros((1, shape[1]))]).astype(dtype)


def _largest(name: str, seed: int, backend: Backend, dtype: Any) -> float:
    """Of all rows, one a batch; NaN where a contribution is not finite."""
    largest = 0.0
    for turn, row in enumerate(_rows(seed, dtype)):
        clipper = clippers.create(name, clip_norm=_CLIP_NORMS[turn % len(_CLIP_NORMS)])
        step = turn % _STEPS
        context = _context(clipper, step, dtype)
        got = _sum(clipper, backend, row[None], step)
        parts = zip(_groups(clipper), clipper.noise_scales(context), strict=True)
        units = math.hypot(*(math.hypot(*got[group]) / std for group, std in parts))
        share = math.hypot(*got) / clipper.bound(context)
        if not math.isfinite(share + units):
            return math.nan
        largest = max(largest, share, units)
    return largest


def _of_nan(name: str, backend: Backend) -> float:
    rows = np.ones((4, _ENDS[-1]), dtype=np.float32)
    rows[0, 3], rows[1, 0], rows[2, -1], rows[3] = np.nan, np.inf, -np.inf, np.nan
    return math.hypot(*_sum(clippers.create(name, clip_norm=1.0), backend, rows, 0))


def _sum_error(name: str, seed: int, backend: Backend) -> float:
    """Of the host's float64 sum of the rows' contributions, one at a time."""
    rows, clipper = _rows(seed, np.float32), clippers.create(name, clip_norm=1.0)
    wanted = sum(_sum(clipper, numpy_backend(), row[None].astype(np.float64), 2) for row in rows)
    bound = clipper.bound(_context(clipper, 2, np.float64))
    found = _sum(clipper, backend, rows, 2)
    return float(np.abs(found - wanted).max()) / bound
