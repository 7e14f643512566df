"""s0, first solution: water-filling across parameter tensors, cosine noise of amplitude 0.25.

Source: MLS-Bench DP-SGD task (s0). Its threshold came of 14 bisections and could exceed C; here it is solved exactly
(``refdp/clippers/water_filling.py``).
"""

from __future__ import annotations

from refdp.clippers import Clipper, clippers
from refdp.dpmechanism.base import Mechanism


class DPMechanism(Mechanism):
    """One cap for the norms of all tensors of a record, as high as C allows; see ``Mechanism``."""

    def clipping(self, max_grad_norm: float, epochs: int) -> Clipper:
        """w_l = min(1, tau / n_l), K = max_grad_norm."""
        return clippers.create("water-filling", clip_norm=max_grad_norm)

    def amplitude(self, epochs: int) -> float:
        """0.25."""
        return 0.25
