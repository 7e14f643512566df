"""Dynamic DP-SGD: Du et al. 2021 (arXiv 2111.00173). In the course of a run the clip norm decays, and the budget grows.

C_t = C rho_c^(-t / T)        mu_t = mu_0 rho_mu^(t / T), noise multiplier 1 / mu_t

The first costs no privacy, since the noise follows C_t. The second is a noise schedule, ``exponential:start=1,
end=1/rho_mu``, which the rule brings along: --schedule must be left at constant. The paper takes mu_0 from a central
limit theorem, which is below the truth; here the noise is solved for on the real accountant, as for any schedule
(p = (t + 1/2) / T there, a constant factor that the scale takes up). The defaults are refdp's choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from refdp.accounting import Schedule
from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import ClipContext, Clipper
from refdp.errors import RefDPError


@clippers.register("dynamic")
@dataclass(frozen=True)
class Dynamic(Clipper):
    """Flat clipping to C_t. K = C_t; rho_c and rho_mu above 1 for a clip norm that falls and a mu that grows."""

    clip_norm: float
    rho_c: float = 2.0
    rho_mu: float = 1.5
    name: ClassVar[str] = "dynamic"
    equation: ClassVar[str] = (
        "w = min(1, C_t / n), C_t = C rho_c^(-t / T); noise multiplier ~ rho_mu^(-t / T)"
    )
    bound_equation: ClassVar[str] = "C_t"
    guarantee: ClassVar[str] = "n min(1, C_t / n) <= C_t, and the noise follows C_t, which is public"
    citation: ClassVar[str] = "Du et al. 2021, arXiv 2111.00173 (Dynamic DP-SGD)"
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"rho_c": (1e-3, 1e3), "rho_mu": (1e-3, 1e3)}
    idempotent: ClassVar[bool] = True
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    direction_kept: ClassVar[bool] = True

    def threshold(self, context: ClipContext) -> float:
        """C_t."""
        return self.clip_norm * self.rho_c ** (-context.step / context.steps)

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """min(1, C_t (1 - margin) / n), with 1 at n = 0."""
        target = self.target(context)
        return target / xp.maximum(norms, target)

    def noise_schedule(self, schedule: Schedule) -> Schedule:
        """Exponential from 1 to 1 / rho_mu, at the scale asked for."""
        own = {"start": 1.0, "end": 1.0 / self.rho_mu}
        if schedule.kind == "exponential" and dict(schedule.parameters) == own:
            return schedule
        if schedule.kind != "constant":
            raise RefDPError(
                f"schedule = {schedule.kind!r}: the rule dynamic brings its own noise schedule; leave --schedule out"
            )
        return replace(schedule, kind="exponential", parameters=own, normalise=None)

    def bound_text(self) -> str:
        """Where C_t begins and ends."""
        return f"a norm that goes from {self.clip_norm:g} to {self.clip_norm / self.rho_c:g}"
