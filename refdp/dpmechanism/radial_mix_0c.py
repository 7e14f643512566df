"""s0, third solution (0c): radial mix, cosine noise of amplitude 0.1 + 0.15 min(1, epochs / 30).

Source: MLS-Bench DP-SGD task (s0); the rule is ``refdp/clippers/radial_mix.py``.
"""

from __future__ import annotations

from refdp.clippers import Clipper, clippers
from refdp.dpmechanism.base import Mechanism


class DPMechanism(Mechanism):
    """From flat clipping towards AUTO-S in the course of the run; see ``Mechanism``."""

    def clipping(self, max_grad_norm: float, epochs: int) -> Clipper:
        """Variant 0c, K = max_grad_norm."""
        return clippers.create("radial-mix", clip_norm=max_grad_norm, variant="0c", epochs=epochs)

    def amplitude(self, epochs: int) -> float:
        """0.1 + 0.15 min(1, epochs / 30)."""
        return 0.1 + 0.15 * min(1.0, epochs / 30)
