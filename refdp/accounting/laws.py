"""What the engine needs to know of a law, whichever kind: its line, its decay, its plotting-accuracy cumulants."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from refdp.accounting import contour
from refdp.accounting.contour import Line
from refdp.accounting.decay import Decay, decay
from refdp.accounting.edges import edges
from refdp.accounting.kinked import atom, half_line, kinked_line
from refdp.accounting.pairs import Kinked, Mixture, Pair

Law = Pair | Kinked


def line(law: Law, sigmas: np.ndarray, tilt: float, repeats: float) -> Line | None:
    """contour.py's Line of either kind."""
    if isinstance(law, Kinked):
        return kinked_line(law, sigmas, tilt, repeats)
    return contour.line(law, sigmas, tilt, repeats)


def decay_of(law: Law, sigmas: np.ndarray, tilt: float, log_scale: np.ndarray) -> Decay:
    """Decay of either kind; of a kinked law, by its part of positive loss."""
    if isinstance(law, Kinked):
        return decay(
            Pair(law.mixture, Mixture()), sigmas, tilt, log_scale, half_line(law, float(sigmas[0]), tilt)[0]
        )
    return decay(law, sigmas, tilt, log_scale)


def blocks(law: Law, sigmas: np.ndarray, tilt: float) -> Iterator[slice]:
    """Slices of multipliers that share nodes; a kinked law's multipliers share none."""
    if isinstance(law, Kinked):
        return (slice(i, i + 1) for i in range(len(sigmas)))
    return contour.blocks(law, sigmas, tilt)


def tilted(law: Law, sigmas: np.ndarray, tilt: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(log weights, losses [M, J], log of the atom at loss 0 [M]), by a coarse real rule: for plans, not for bounds."""
    sigma = sigmas[:, None]
    if isinstance(law, Kinked):
        low, high = half_line(law, float(sigmas[0]), tilt)
        t = np.linspace(
            low, high, int(min(max((high - low) / min(0.1, 0.3 * float(sigmas[0])), 128), 20_000))
        )
        log_l = law.mixture.log(t, sigma)
        logs = np.concatenate([-0.5 * t * t + (1 + tilt) * log_l, -0.5 * t * t - tilt * log_l], axis=1)
        losses = np.concatenate([log_l, -log_l], axis=1)
        masses = [math.log(max(atom(law, float(s)), 1e-300)) for s in sigmas]
        return logs + math.log((t[1] - t[0]) / math.sqrt(2 * math.pi)), losses, np.array(masses)
    low, high = edges(law, sigmas, tilt)
    h = min(0.25, 0.6 * float(sigmas[0]))
    t = np.linspace(low, high, int(min(max((high - low) / h, 64), 20_000)))
    log_a, log_b = law.p.log(t, sigma), law.q.log(t, sigma)
    logs = -0.5 * t * t + (1 + tilt) * log_a - tilt * log_b
    return (
        logs + math.log((t[1] - t[0]) / math.sqrt(2 * math.pi)),
        log_a - log_b,
        np.full(len(sigmas), -np.inf),
    )
