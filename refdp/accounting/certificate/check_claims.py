"""The checker's own proofs, claim by claim.

A contour's multipliers may be fewer than the ledger's: for a claim from above they must dominate the ledger's (sorted,
each at most its counterpart: less noise is post-processed into more), for one from below be dominated by them.

G1. Returns only where the claim is proved; raises Refused with the reason otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from refdp.accounting.certificate.balls import exact, load, precision
from refdp.accounting.certificate.check_integrals import Density, Panels, Refused, beyond, panels, real, single
from refdp.accounting.certificate.statement import Sides, Steps, mu_squared, read
from refdp.accounting.ledger import Ledger

_MAX_TERMS = 200_000
_COARSE = 32
_BITS = 128
Entry = tuple[Sides, float, int]  # pair, multiplier, count


class Claims:
    """A certificate's claims about a ledger."""

    def __init__(self, document: dict[str, Any], ledger: Ledger) -> None:
        self.document, self.statement = document, read(ledger)
        self.delta = exact(document["delta"])
        self.contours = document["contours"]
        self.sums: dict[tuple[int, bool], _Sum] = {}  # contour, above
        whole = self.statement
        self.one_serves_both = whole.dominating == whole.attained and whole.unsampled == whole.unsampled_attained

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
            for value, count in _lowered(steps, part["groups"]):
                directions = [steps.remove] if steps.remove == steps.add else [steps.remove, steps.add]
                worst = None
                for sides in directions:
                    own = _renyi(sides, value, order, nats)
                    worst = own if worst is None else worst.max(own)
                total += count * worst
        _overlap("rdp.upper: rdp", part["rdp"], total)
        a, d = exact(order), self.delta
        if part["conversion"] == "balle2020":
            value = total + (1 - 1 / a).log() - (d.log() + a.log()) / (a - 1)
        elif part["conversion"] == "mironov2017":
            value = total + (1 / d).log() / (a - 1)
        else:
            raise Refused(f"rdp.upper: conversion = {part['conversion']!r} is not known")
        if not value <= exact(part["epsilon"]):
            raise Refused(f"rdp.upper: epsilon = {part['epsilon']!r}: {part['conversion']} gives {_show(value)}")

    def _all_dominated(self, name: str) -> None:
        if self.statement.missing:
            raise Refused(f"{name}: cannot be certified ({'; '.join(self.statement.missing)})")

    def _gaussian(self, name: str, part: dict[str, Any], side: str) -> None:
        whole = self.statement
        if name.startswith("unsampled") != whole.sampled:
            raise Refused(f"{name}: does not apply to a ledger {'with' if whole.sampled else 'without'} sampled steps")
        steps = whole.plain if whole.sampled else whole.unsampled if side == "upper" else whole.unsampled_attained
        if any(value == 0 for _, value, _ in steps):
            raise Refused(f"{name}: a step without noise")
        squared = mu_squared(steps)
        _overlap(f"{name}: mu_squared", part["mu_squared"], squared)
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
            raise Refused(f"{name}: epsilon = {epsilon!r}: delta there is {_show(value)}, not proved to be "
                          f"{'at most' if side == 'upper' else 'at least'} {self.document['delta']!r}")

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
            (whole.dominating, whole.unsampled) if side == "upper" else (whole.attained, whole.unsampled_attained)
        )
        if rest or len(steps) != 1 or sum(steps[0].counts) != 1:
            raise Refused(f"{where}: the ledger is not one sampled step")
        value = single(steps[0].direction(proof["direction"]), steps[0].multipliers[0], epsilon)
        self._inequality(where, side, epsilon, value)
        _overlap(f"{where}: over_delta", proof["over_delta"], value / self.delta)

    def _entries(self, direction: str, most: int) -> list[Entry]:
        """The dominating steps of a direction, multipliers lowered in groups."""
        return [
            (steps.direction(direction), value, count)
            for steps in self.statement.dominating
            for value, count in _lowered(steps, most)
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
            raise Refused(f"{where}: the greatest loss {_show(most)} exceeds epsilon")

    def _chernoff(self, where: str, epsilon: float, proof: dict[str, Any]) -> None:
        if not proof["tilt"] > 0:
            raise Refused(f"{where}: tilt = {proof['tilt']!r}: must be > 0")
        c = exact(proof["tilt"])
        entries = self._entries(proof["direction"], _COARSE)
        value = _cumulant(entries, mu_squared(self.statement.unsampled), proof["tilt"], 30.0)
        value += c * (c / (1 + c)).log() - (1 + c).log() - c * exact(epsilon)
        if not value <= self.delta.log():
            raise Refused(f"{where}: Chernoff's bound gives log delta {_show(value)}, not enough")
        _near(f"{where}: log_delta", proof["log_delta"], value, 1e-3)

    def _by_contour(self, where: str, epsilon: float, side: str, proof: dict[str, Any]) -> None:
        index = proof["contour"]
        if not 0 <= index < len(self.contours):
            raise Refused(f"{where}: contour {index} is not there")
        contour = self.contours[index]
        if contour["direction"] != proof["direction"]:
            raise Refused(f"{where}: contours[{index}] is of the direction {contour['direction']}")
        above = side == "upper"
        steps = self.statement.dominating if above else self.statement.attained
        _covers(f"contours[{index}]", contour["lines"], steps, above=above)
        squared = mu_squared(self.statement.unsampled if above else self.statement.unsampled_attained)
        key = index, above or self.one_serves_both
        if key not in self.sums:
            amplified = contour["log_top"][1] - contour["tilt"] * epsilon - math.log(self.document["delta"])
            repeats = 1 + sum(line["count"] for line in contour["lines"])
            with precision(_BITS + 2 * repeats.bit_length()):
                self.sums[key] = _Sum(f"contours[{index}]", contour, steps, squared, max(0.0, amplified))
        own = self.sums[key]
        value = own.upper(epsilon) if above else own.lower(epsilon)
        self._inequality(where, side, epsilon, value)
        _overlap(f"{where}: sum_over_delta", proof["sum_over_delta"], own.ball(epsilon) / self.delta)


class _Sum:
    """The contour sum at the certificate's tilt, step and terms, from the checker's own moments."""

    def __init__(
        self, where: str, contour: dict[str, Any], steps: Sequence[Steps], squared: Any, amplified: float
    ) -> None:
        flint = load()
        count, tilt, step, guard = (contour[name] for name in ("terms", "tilt", "step", "guard"))
        if not 1 <= count <= _MAX_TERMS:
            raise Refused(f"{where}: terms = {count!r}: must be from 1 to {_MAX_TERMS}")
        if not (tilt > 0 and step > 0 and guard > tilt):
            raise Refused(f"{where}: needs tilt > 0, step > 0 and guard > tilt")
        self.c, self.d, self.g = exact(tilt), exact(step), exact(guard)
        repeats = math.log(1 + sum(line["count"] for line in contour["lines"]))
        nats = 24 + repeats + min(amplified, 60.0)
        points = [self.c + flint.acb(0, k) * self.d for k in range(count)]
        self.terms = [(squared * (z * z + z) / 2).exp() / (z * z + z) for z in points]
        frequency = count * self.d
        log_top = squared * (self.c**2 + self.c) / 2
        log_rest = log_top - squared * frequency**2 / 2
        entries: list[Entry] = []
        for line in contour["lines"]:
            sides = steps[line["kind"]].direction(contour["direction"])
            entries.append((sides, line["noise_multiplier"], line["count"]))
            density = Density(sides, line["noise_multiplier"], tilt)
            found: Panels = panels(density, nats)
            for k, value in enumerate(found.moments(self.d, count)):
                self.terms[k] *= value ** line["count"]
            top = found.real.log()
            log_top += line["count"] * top
            log_rest += line["count"] * beyond(density, line["decay_height"], frequency).log().min(top)
        # sum over k >= N of d / y_k^2 <= d / Y^2 + 1 / Y
        self.log_rest = log_rest + ((self.d / frequency + 1) / (flint.arb.pi() * frequency)).log()
        self.log_guard = _cumulant(entries, squared, guard, 24 + repeats)
        _overlap(f"{where}: log_top", contour["log_top"], log_top)
        _overlap(f"{where}: log_guard", contour["log_guard"], self.log_guard)
        if not self.log_rest <= exact(contour["log_beyond"][1]) + exact(1e-3):
            raise Refused(f"{where}: terms = {count!r}: the rest may be e^{_show(self.log_rest)}, more than stated")

    def ball(self, s: float) -> Any:
        """(d / pi) e^{-c s} (half the first term and the real parts of the others, turned by e^{-i s y})."""
        at, total = exact(s), self.terms[0].real / 2
        for k, term in enumerate(self.terms[1:], 1):
            sine, cosine = (at * k * self.d).sin_cos()
            total += term.real * cosine + term.imag * sine
        return total * self.d / load().arb.pi() * (-self.c * at).exp()

    def _rest(self, s: float) -> Any:
        return (self.log_rest - self.c * exact(s)).exp()

    def upper(self, s: float) -> Any:
        return self.ball(s) + self._rest(s)

    def lower(self, s: float) -> Any:
        window = 2 * load().arb.pi() / self.d
        ratio = (-self.c * window).exp()
        left = ratio / (1 - ratio)
        ratio = (-(self.g - self.c) * window).exp()
        right = (self.log_guard - self.g * exact(s)).exp() * ratio / (1 - ratio)
        return self.ball(s) - self._rest(s) - left - right


def _cumulant(entries: Sequence[Entry], squared: Any, tilt: float, nats: float) -> Any:
    """K(tilt), by adaptive quadrature on the real line."""
    c = exact(tilt)
    total = squared * (c * c + c) / 2
    for sides, multiplier, count in entries:
        total += count * real(Density(sides, multiplier, tilt), nats + math.log(1 + count)).log()
    return total


def _renyi(sides: Sides, multiplier: float, order: float, nats: float) -> Any:
    tilt = Fraction(order) - 1
    return real(Density(sides, multiplier, tilt), nats).log() / exact(tilt)


def check_step(document: dict[str, Any]) -> None:
    """Prove a certificate of one step's RDP."""
    q, sigma, order, value = (document[name] for name in ("sample_rate", "noise_multiplier", "order", "value"))
    if not (0 <= q <= 1 and sigma > 0 and order > 1):
        raise Refused("needs sample_rate in [0, 1], noise_multiplier > 0 and order > 1")
    excess = min(1.0, math.expm1(min(max(value, 0.0) * (order - 1), 1.0))) or 1e-300
    nats = 42 - math.log(excess)
    with precision(96 + math.ceil(2 * nats)):
        weights = ((Fraction(1), Fraction(q)),)
        for name, sides in (("remove", Sides(weights, ())), ("add", Sides((), ((Fraction(-1), Fraction(q)),)))):
            if q in (0, 1):
                own = exact(q) * exact(order) / (2 * exact(sigma) ** 2)
            else:
                own = _renyi(sides, sigma, order, nats)
            _overlap(f"{name}: rdp", document[name]["rdp"], own)
            if not own <= exact(value) and not (q == 0 and value == 0):
                raise Refused(f"value = {value!r}: below the {name} direction's RDP {_show(own)}")
            if name == "remove" and q > 0 and not (exact(value) - own) / own <= exact(document["exceeds"]) + exact(1e-12):
                raise Refused(f"exceeds = {document['exceeds']!r}: the value exceeds {_show(own)} by more")


def gaussian_delta(squared: Any, epsilon: float) -> Any:
    """delta(epsilon) of the Gaussian: integral over x >= 0 of phi(x + a) (1 - e^{-mu x}), a = epsilon/mu - mu/2."""
    flint = load()
    mu = squared.sqrt()
    a = exact(epsilon) / mu - mu / 2
    start = max(0.0, -float(a.mid()))
    scale = (-(a.max(exact(0)) ** 2) / 2).exp()  # about the greatest value of phi(x + a), times sqrt(2 pi)

    def integrand(x: Any, analytic: bool) -> Any:
        return (-((x + a) ** 2) / 2).exp() / scale * (1 - (-mu * x).exp())

    total, cuts = flint.acb(0), sorted({0.0, max(start - 16, 0.0), start, start + 20})
    for low, high in zip(cuts, cuts[1:], strict=False):
        total += flint.acb.integral(
            integrand, flint.acb(exact(low)), flint.acb(exact(high)), rel_tol=exact(2.0**-120), abs_tol=exact(2.0**-160)
        )
    tail = ((exact(cuts[-1]) + a) / exact(2).sqrt()).erfc() / 2
    return total.real * scale / (2 * flint.arb.pi()).sqrt() + tail.union(exact(0))


def _covers(where: str, lines: Sequence[dict[str, Any]], steps: Sequence[Steps], *, above: bool) -> None:
    """Whether the lines dominate the steps (or are dominated by them), kind by kind."""
    for line in lines:
        if not (0 <= line["kind"] < len(steps) and line["count"] >= 1 and line["noise_multiplier"] > 0):
            raise Refused(f"{where}: a line of no kind, count or noise multiplier")
    for kind, own in enumerate(steps):
        mine = sorted((line["noise_multiplier"], line["count"]) for line in lines if line["kind"] == kind)
        if sum(count for _, count in mine) != sum(own.counts):
            raise Refused(f"{where}: {sum(c for _, c in mine)} steps of {own.name}, the ledger has {sum(own.counts)}")
        theirs = list(zip(own.multipliers, own.counts, strict=True))
        i = j = done_mine = done_theirs = 0
        while i < len(mine) and j < len(theirs):  # walk both in step order
            ahead = mine[i][0] > theirs[j][0] if above else mine[i][0] < theirs[j][0]
            if ahead:
                raise Refused(f"{where}: noise multiplier {mine[i][0]!r} stands for the ledger's {theirs[j][0]!r}")
            end_mine, end_theirs = done_mine + mine[i][1], done_theirs + theirs[j][1]
            if end_mine <= end_theirs:
                i, done_mine = i + 1, end_mine
            if end_theirs <= end_mine:
                j, done_theirs = j + 1, end_theirs


def _lowered(steps: Steps, most: int) -> list[tuple[float, int]]:
    """Multipliers in at most so many equal steps of the logarithm, each lowered to the least of its step."""
    values, counts = steps.multipliers, steps.counts
    if len(values) <= most:
        return list(zip(values, counts, strict=True))
    scale = most / math.log(values[-1] / values[0])
    found: dict[int, tuple[float, int]] = {}
    for value, count in zip(values, counts, strict=True):
        place = min(int(math.log(value / values[0]) * scale), most - 1)
        least, total = found.get(place, (value, 0))
        found[place] = (least, total + count)
    return list(found.values())


def _overlap(where: str, stated: list[float], own: Any) -> None:
    low, high = exact(stated[0]), exact(stated[1])
    if not (low <= high and low.union(high).overlaps(own)):
        raise Refused(f"{where} = {stated!r}: the checker finds {_show(own)}")


def _near(where: str, stated: float, own: Any, tolerance: float) -> None:
    if not abs(exact(stated) - own) <= exact(tolerance) * (1 + abs(own)):
        raise Refused(f"{where} = {stated!r}: the checker finds {_show(own)}")


def _show(ball: Any) -> str:
    return str(ball.str(10, radius=False))
