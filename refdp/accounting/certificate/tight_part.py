"""The tight bound's part of a certificate: contour sums in balls at the float plan's parameters.

A claim "delta(epsilon) <= delta" needs a proof for each direction; "delta(epsilon) >= delta" needs one.
Claims start at the accountant's own numbers and are moved outward until their inequality is proved in balls.

G1. Every claim returned is proved; None, with the reason, where none was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdp.accounting import tilt as engine
from refdp.accounting.certificate import planning
from refdp.accounting.certificate.balls import ends, exact
from refdp.accounting.certificate.closed_forms import single_delta
from refdp.accounting.certificate.contour_sum import ContourSum, log_chernoff
from refdp.accounting.certificate.planning import Line
from refdp.accounting.certificate.statement import Sides, Statement, alone, mu_squared

_TRUNCATION = -30.0  # log of the terms left out, relative to delta
_FINE = 26.0
_MAX_WORK = 800_000_000  # nodes x terms
_MAX_GROUPED, _MAX_NODES, _FEW = 150_000_000, 1_000_000, 32  # with more distinct multipliers than so few
_COARSE = 32  # distinct multipliers of a Chernoff bound


class TooMuch(Exception):
    """The work would be too much with so many multipliers; ``most`` would do."""

    def __init__(self, most: int) -> None:
        super().__init__(f"at most {most} distinct multipliers can be had")
        self.most = max(most, _FEW)


@dataclass
class Tight:
    """Proves claims about one ledger, and collects what they rest on.

    Attributes:
        most: distinct multipliers of a kind above which neighbours are grouped outward.
        contours: the sums used, as the certificate holds them.
    """

    statement: Statement
    most: int
    contours: list[dict[str, Any]] = field(default_factory=list)
    _sums: dict[tuple[str, bool], tuple[ContourSum, int] | None] = field(default_factory=dict)

    def regroup(self, most: int) -> None:
        """Group the multipliers outward, from now on; what is proved stays proved."""
        self.most = min(most, self.most - 1)
        self._sums.clear()

    def upper(self, epsilon: float, delta: float) -> dict[str, Any] | None:
        """A proof of delta(epsilon) <= delta, or None."""
        proofs = []
        for direction in ("remove",) if self.statement.symmetric else ("remove", "add"):
            proof = self._shortcut(direction, epsilon, delta) if direction == "add" else None
            proof = proof or self._by_contour(direction, True, epsilon, delta)
            if proof is None:
                return None
            proofs.append(proof)
        return {"epsilon": epsilon, "delta": delta, "proofs": proofs}

    def lower(self, direction: str, epsilon: float, delta: float) -> dict[str, Any] | None:
        """A proof of delta(epsilon) >= delta by one direction, or None."""
        proof = self._by_contour(direction, False, epsilon, delta)
        return None if proof is None else {"epsilon": epsilon, "delta": delta, "proofs": [proof]}

    def best_lower(self, claim: float, delta: float) -> dict[str, Any] | None:
        """The claim, or the greatest below it that some direction proves."""
        found = outward(lambda s: self.lower("remove", s, delta), claim, -1)
        near = claim * (1 - 1e-9) if self._one_serves_both() else 0.0
        if self.statement.symmetric or (found is not None and found["epsilon"] >= near):
            return found
        other = outward(lambda s: self.lower("add", s, delta), claim, -1)
        return max((x for x in (found, other) if x), key=lambda x: float(x["epsilon"]), default=None)

    def _by_contour(self, direction: str, above: bool, epsilon: float, delta: float) -> dict[str, Any] | None:
        whole = self.statement
        one = (
            alone(whole.dominating, whole.unsampled)
            if above
            else alone(whole.attained, whole.unsampled_attained)
        )
        if one is not None:
            value = single_delta(one.direction(direction), one.multipliers[0], epsilon)
            if not (value <= exact(delta) if above else value >= exact(delta)):
                return None
            return {"direction": direction, "by": "single", "over_delta": ends(value / exact(delta))}
        found = self._sum(direction, above, epsilon, delta)
        if found is None:
            return None
        own, index = found
        ball = own.upper(epsilon) if above else own.lower(epsilon)
        if not (ball <= exact(delta) if above else ball >= exact(delta)):
            return None
        terms = ends(own.ball(epsilon) / exact(delta))
        return {"direction": direction, "by": "contour", "contour": index, "sum_over_delta": terms}

    def _sum(
        self, direction: str, above: bool, epsilon: float, delta: float
    ) -> tuple[ContourSum, int] | None:
        key = (direction, above or self._one_serves_both())
        if key not in self._sums:
            self._sums[key] = self._build(direction, above, epsilon, delta)
        return self._sums[key]

    def _one_serves_both(self) -> bool:
        """Whether the steps bounded from above and from below are the same, none of them grouped."""
        whole = self.statement
        same = whole.dominating == whole.attained and whole.unsampled == whole.unsampled_attained
        return same and all(len(steps.multipliers) <= self.most for steps in whole.dominating)

    def _kinds(
        self, direction: str, above: bool, most: int | None = None
    ) -> list[tuple[int, Sides, float, int]]:
        """(kind, pair, multiplier, count), grouped outward."""
        most = most or self.most
        steps = self.statement.dominating if above else self.statement.attained
        return [
            (index, own.direction(direction), value, count)
            for index, own in enumerate(steps)
            for value, count in planning.grouped(own.multipliers, own.counts, most, upward=not above)
        ]

    def _shortcut(self, direction: str, epsilon: float, delta: float) -> dict[str, Any] | None:
        """delta(epsilon) <= delta by the greatest loss, or by Chernoff's bound."""
        kinds = self._kinds(direction, True)
        if not self.statement.unsampled and all(not sides.p for _, sides, _, _ in kinds):
            most = exact(0)
            for _, sides, _, count in kinds:  # B keeps the weight of its component at 0
                most -= count * (1 - exact(sum(weight for _, weight in sides.q))).log()
            if most <= exact(epsilon):
                return {"direction": direction, "by": "greatest-loss", "greatest_loss": ends(most)[1]}
        kinds = self._kinds(direction, True, _COARSE)
        squared = mu_squared(self.statement.unsampled)
        tilt = _chernoff_tilt(_parts(kinds), float(squared.mid()), epsilon, math.log(delta))
        if tilt is None:
            return None
        nats = 30 + math.log(1 + sum(count for *_, count in kinds))
        lines = [Line(s, v, n, planning.moment_grid(s, v, tilt, nats)) for _, s, v, n in kinds]
        bound = log_chernoff(lines, squared, tilt, epsilon)
        if not bound <= exact(delta).log():
            return None
        return {"direction": direction, "by": "chernoff", "tilt": tilt, "log_delta": ends(bound)[1]}

    def _build(
        self, direction: str, above: bool, epsilon: float, delta: float
    ) -> tuple[ContourSum, int] | None:
        """The sum of one direction, planned for this claim."""
        whole = self.statement
        kinds = self._kinds(direction, above)
        unsampled = whole.unsampled if above else whole.unsampled_attained
        squared = mu_squared(unsampled)
        about = float(squared.mid())
        goal = {"log_delta": math.log(delta)} if direction == "remove" else {"epsilon": epsilon}
        chosen = engine.plan(_parts(kinds), about, **goal)
        if chosen is None:
            return None
        c, step = chosen.tilt, 2 * math.pi / chosen.window
        repeats = math.log(1 + sum(count for *_, count in kinds))
        log_top = about * c * (c + 1) / 2 + sum(n * planning.log_moment(s, v, c) for _, s, v, n in kinds)
        amplified = max(0.0, log_top - c * epsilon - math.log(delta))  # the terms, over delta
        nats = _FINE + repeats + amplified
        room = math.log(delta) + _TRUNCATION - log_top + c * epsilon
        decays = planning.Decays([(s, v, n) for _, s, v, n in kinds], c)
        grids = [planning.moment_grid(s, v, c, nats) for _, s, v, _ in kinds]
        nodes = sum(grid.last - grid.first for grid in grids) + 1
        count, heights = planning.terms(decays, about, step, room, _MAX_WORK // nodes)
        heavier = max(nodes / _MAX_NODES, nodes * count / _MAX_GROUPED)
        if heavier > 1 and len(kinds) > _FEW:
            raise TooMuch(int(min(self.most, len(kinds)) / heavier))
        lines = [
            Line(s, v, n, grid, planning.decay_grid(s, v, c, height, 12 + repeats))
            for (_, s, v, n), grid, height in zip(kinds, grids, heights, strict=True)
        ]
        guards = [Line(s, v, n, planning.moment_grid(s, v, chosen.guard, nats)) for _, s, v, n in kinds]
        found = ContourSum.of(lines, guards, squared, c, step, chosen.guard, count)
        self.contours.append(
            {
                "direction": direction,
                "side": "upper" if above else "lower",
                "tilt": c,
                "step": step,
                "terms": count,
                "guard": chosen.guard,
                "log_top": ends(found.log_top),
                "log_guard": ends(found.log_guard),
                "log_beyond": ends(found.beyond.log()),
                "lines": [
                    {
                        "kind": kind,
                        "noise_multiplier": line.multiplier,
                        "count": line.count,
                        "decay_height": height,
                    }
                    for (kind, *_), line, height in zip(kinds, lines, heights, strict=True)
                ],
            }
        )
        return found, len(self.contours) - 1


def _parts(kinds: Sequence[tuple[int, Sides, float, int]]) -> list[engine.Part]:
    """The engine's view of the steps, for its plan of tilt and window."""
    groups: dict[int, list[tuple[int, Sides, float, int]]] = {}
    for entry in kinds:
        groups.setdefault(entry[0], []).append(entry)
    return [
        engine.Part(
            own[0][1].floats(),
            np.array([value for _, _, value, _ in own], dtype=np.float64),
            np.array([count for *_, count in own], dtype=np.float64),
        )
        for own in groups.values()
    ]


def _chernoff_tilt(
    parts: list[engine.Part], squared: float, epsilon: float, log_delta: float
) -> float | None:
    """The least tilt seen to prove it, about; None where none is."""
    chosen = engine.plan(parts, squared, epsilon=epsilon)
    for share in (0.01, 0.03, 0.1, 0.3, 0.6, 1.0) if chosen else ():
        tilt = share * chosen.centre if chosen else 0.0
        shape = tilt * math.log(tilt) - (1 + tilt) * math.log1p(tilt)
        if engine.cumulants(parts, squared, tilt).value - tilt * epsilon + shape <= log_delta - 1e-6:
            return tilt
    return None


def outward(
    prove: Callable[[float], dict[str, Any] | None], start: float, side: int
) -> dict[str, Any] | None:
    """The proof nearest to ``start``, going up (side 1) or down (side -1) by up to half of it."""
    found = prove(start)
    near = 0.0
    if found is not None:
        return found
    for power in range(-14, 0):
        far = 5 * 10.0**power
        found = prove(max(start * (1 + side * far), 0.0))
        if found is None:
            near = far
            continue
        for _ in range(5):  # closer, by halves
            middle = 0.5 * (near + far)
            closer = prove(max(start * (1 + side * middle), 0.0))
            if closer is None:
                near = middle
            else:
                found, far = closer, middle
        return found
    return None
