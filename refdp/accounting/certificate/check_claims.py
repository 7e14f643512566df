"""The checker's own proofs, claim by claim.

G1. Returns only where the claim is proved; raises Refused with the reason otherwise.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from refdp.accounting.certificate.balls import exact, precision
from refdp.accounting.certificate.check_closed import gaussian_delta, single
from refdp.accounting.certificate.check_integrals import Density, Refused, real
from refdp.accounting.certificate.check_sum import Entry, Sum, covers, cumulant, lowered, near, overlap, show
from refdp.accounting.certificate.statement import Sides, mu_squared, read
from refdp.accounting.ledger import Ledger

_COARSE = 32
_BITS = 128


class Claims:
    """A certificate's claims about a ledger."""

    def __init__(self, document: dict[str, Any], ledger: Ledger) -> None:
        self.document, self.statement = document, read(ledger)
        self.delta = exact(document["delta"])
        self.contours = document["contours"]
        self.sums: dict[tuple[int, bool], Sum] = {}  # contour, above
        whole = self.statement
        self.one_serves_both = (
            whole.dominating == whole.attained and whole.unsampled == whole.unsampled_attained
        )

    def check(self, name: str) -> None:
        """Prove one part."""
        part = self.document["parts"][name]
        epsilon, side = part["epsilon"], name.split(".")[1]
        if epsilon < 0:
            raise Refused(f"{name}: epsilon = {epsilon!r}: must be >= 0")
        if name == "rdp.upper":
            self._rdp(part)
        elif name.startswith("pld"):
            self._tight(name, part, side)
        else:
            self._gaussian(name, part, side)

    def finish(self) -> None:
        """Refuse what no claim rests on."""
        for index in range(len(self.contours)):
            if not {(index, True), (index, False)} & self.sums.keys():
                raise Refused(f"contours[{index}]: no claim uses it")

    def _rdp(self, part: dict[str, Any]) -> None:
        order = part["order"]
        if not order > 1:
            raise Refused(f"rdp.upper: order = {order!r}: must be > 1")
        self._all_dominated("rdp.upper")
        if part["groups"] < 1:
            raise Refused(f"rdp.upper: groups = {part['groups']!r}: must be >= 1")
        total = mu_squared(self.statement.unsampled) * exact(order) / 2
        repeats = 1 + sum(sum(steps.counts) for steps in self.statement.dominating)
        nats = 42 + math.log(repeats) - math.log(min(1.0, order - 1))
        for steps in self.statement.dominating:
            for value, count in lowered(steps, part["groups"]):
                directions = [steps.remove] if steps.remove == steps.add else [steps.remove, steps.add]
                found = [_renyi(sides, value, order, nats) for sides in directions]
                total += count * (found[0].max(found[-1]))
        overlap("rdp.upper: rdp", part["rdp"], total)
        a, d = exact(order), self.delta
        if part["conversion"] == "balle2020":
            value = total + (1 - 1 / a).log() - (d.log() + a.log()) / (a - 1)
        elif part["conversion"] == "mironov2017":
            value = total + (1 / d).log() / (a - 1)
        else:
            raise Refused(f"rdp.upper: conversion = {part['conversion']!r} is not known")
        if not value <= exact(part["epsilon"]):
            raise Refused(
                f"rdp.upper: epsilon = {part['epsilon']!r}: {part['conversion']} gives {show(value)}"
            )

    def _all_dominated(self, name: str) -> None:
        if self.statement.missing:
            raise Refused(f"{name}: cannot be certified ({'; '.join(self.statement.missing)})")

    def _gaussian(self, name: str, part: dict[str, Any], side: str) -> None:
        whole = self.statement
        if name.startswith("unsampled") != whole.sampled:
            raise Refused(
                f"{name}: does not apply to a ledger {'with' if whole.sampled else 'without'} sampled steps"
            )
        steps = (
            whole.plain if whole.sampled else whole.unsampled if side == "upper" else whole.unsampled_attained
        )
        if any(value == 0 for _, value, _ in steps):
            raise Refused(f"{name}: a step without noise")
        squared = mu_squared(steps)
        overlap(f"{name}: mu_squared", part["mu_squared"], squared)
        if not steps:
            if part["epsilon"] != 0:
                raise Refused(f"{name}: epsilon = {part['epsilon']!r}: nothing was released")
            return
        if side == "lower" and part["epsilon"] == 0:
            return
        self._inequality(name, side, part["epsilon"], gaussian_delta(squared, part["epsilon"]))

    def _inequality(self, name: str, side: str, epsilon: float, value: Any) -> None:
        """The claim itself: delta(epsilon) on its side of delta."""
        if not (value <= self.delta if side == "upper" else value >= self.delta):
            raise Refused(
                f"{name}: epsilon = {epsilon!r}: delta there is {show(value)}, not proved to be "
                f"{'at most' if side == 'upper' else 'at least'} {self.document['delta']!r}"
            )

    def _tight(self, name: str, part: dict[str, Any], side: str) -> None:
        if part["delta"] != self.document["delta"]:
            raise Refused(f"{name}: delta = {part['delta']!r}: must be the certificate's")
        directions = [proof["direction"] for proof in part["proofs"]]
        if side == "upper":
            self._all_dominated(name)
            need = ["remove"] if self.statement.symmetric else ["remove", "add"]
            if directions != need:
                raise Refused(f"{name}: proofs of {directions!r}: must be of {need!r}")
        elif part["epsilon"] == 0 and not directions:
            return  # 0 is a lower bound of everything
        elif len(directions) != 1:
            raise Refused(f"{name}: must have one proof")
        for proof in part["proofs"]:
            where = f"{name} ({proof['direction']})"
            if proof["by"] == "contour":
                self._by_contour(where, part["epsilon"], side, proof)
            elif proof["by"] == "single":
                self._single(where, part["epsilon"], side, proof)
            elif side == "lower":
                raise Refused(f"{where}: {proof['by']} proves no lower bound")
            elif proof["by"] == "chernoff":
                self._chernoff(where, part["epsilon"], proof)
            else:
                self._greatest_loss(where, part["epsilon"])

    def _single(self, where: str, epsilon: float, side: str, proof: dict[str, Any]) -> None:
        whole = self.statement
        steps, rest = (
            (whole.dominating, whole.unsampled)
            if side == "upper"
            else (whole.attained, whole.unsampled_attained)
        )
        if rest or len(steps) != 1 or sum(steps[0].counts) != 1:
            raise Refused(f"{where}: the ledger is not one sampled step")
        value = single(steps[0].direction(proof["direction"]), steps[0].multipliers[0], epsilon)
        self._inequality(where, side, epsilon, value)
        overlap(f"{where}: over_delta", proof["over_delta"], value / self.delta)

    def _entries(self, direction: str, most: int) -> list[Entry]:
        """The dominating steps of a direction, multipliers lowered in groups."""
        return [
            (steps.direction(direction), value, count)
            for steps in self.statement.dominating
            for value, count in lowered(steps, most)
        ]

    def _greatest_loss(self, where: str, epsilon: float) -> None:
        if self.statement.unsampled:
            raise Refused(f"{where}: unsampled steps have no greatest loss")
        most = exact(0)
        for sides, _, count in self._entries("add", 1):
            if sides.p:
                raise Refused(f"{where}: the loss is unbounded")
            most += count * -(exact(1 - sum(weight for _, weight in sides.q)).log())
        if not most <= exact(epsilon):
            raise Refused(f"{where}: the greatest loss {show(most)} exceeds epsilon")

    def _chernoff(self, where: str, epsilon: float, proof: dict[str, Any]) -> None:
        if not proof["tilt"] > 0:
            raise Refused(f"{where}: tilt = {proof['tilt']!r}: must be > 0")
        c = exact(proof["tilt"])
        entries = self._entries(proof["direction"], _COARSE)
        value = cumulant(entries, mu_squared(self.statement.unsampled), proof["tilt"], 30.0)
        value += c * (c / (1 + c)).log() - (1 + c).log() - c * exact(epsilon)
        if not value <= self.delta.log():
            raise Refused(f"{where}: Chernoff's bound gives log delta {show(value)}, not enough")
        near(f"{where}: log_delta", proof["log_delta"], value, 1e-3)

    def _by_contour(self, where: str, epsilon: float, side: str, proof: dict[str, Any]) -> None:
        index = proof["contour"]
        if not 0 <= index < len(self.contours):
            raise Refused(f"{where}: contour {index} is not there")
        contour = self.contours[index]
        if contour["direction"] != proof["direction"]:
            raise Refused(f"{where}: contours[{index}] is of the direction {contour['direction']}")
        above = side == "upper"
        steps = self.statement.dominating if above else self.statement.attained
        covers(f"contours[{index}]", contour["lines"], steps, above=above)
        squared = mu_squared(self.statement.unsampled if above else self.statement.unsampled_attained)
        key = index, above or self.one_serves_both
        if key not in self.sums:
            amplified = contour["log_top"][1] - contour["tilt"] * epsilon - math.log(self.document["delta"])
            repeats = 1 + sum(line["count"] for line in contour["lines"])
            with precision(_BITS + 2 * repeats.bit_length()):
                self.sums[key] = Sum(f"contours[{index}]", contour, steps, squared, max(0.0, amplified))
        own = self.sums[key]
        value = own.upper(epsilon) if above else own.lower(epsilon)
        self._inequality(where, side, epsilon, value)
        overlap(f"{where}: sum_over_delta", proof["sum_over_delta"], own.ball(epsilon) / self.delta)


def _renyi(sides: Sides, multiplier: float, order: float, nats: float) -> Any:
    tilt = Fraction(order) - 1
    return real(Density(sides, multiplier, tilt), nats).log() / exact(tilt)


def check_step(document: dict[str, Any]) -> None:
    """Prove a certificate of one step's RDP."""
    q, sigma, order, value = (
        document[name] for name in ("sample_rate", "noise_multiplier", "order", "value")
    )
    if not (0 <= q <= 1 and sigma > 0 and order > 1):
        raise Refused("needs sample_rate in [0, 1], noise_multiplier > 0 and order > 1")
    excess = min(1.0, math.expm1(min(max(value, 0.0) * (order - 1), 1.0))) or 1e-300
    nats = 42 - math.log(excess)
    with precision(96 + math.ceil(2 * nats)):
        weights = ((Fraction(1), Fraction(q)),)
        for name, sides in (
            ("remove", Sides(weights, ())),
            ("add", Sides((), ((Fraction(-1), Fraction(q)),))),
        ):
            if q in (0, 1):
                own = exact(q) * exact(order) / (2 * exact(sigma) ** 2)
            else:
                own = _renyi(sides, sigma, order, nats)
            overlap(f"{name}: rdp", document[name]["rdp"], own)
            if not own <= exact(value) and not (q == 0 and value == 0):
                raise Refused(f"value = {value!r}: below the {name} direction's RDP {show(own)}")
            if (
                name == "remove"
                and q > 0
                and not (exact(value) - own) / own <= exact(document["exceeds"]) + exact(1e-15)
            ):
                raise Refused(f"exceeds = {document['exceeds']!r}: the value exceeds {show(own)} by more")
