"""Certificates of a ledger's epsilon: the accountant's answer, repeated in ball arithmetic.

Parts, each with its own proof, and each moved outward where the accountant's own number is not proved:
    rdp.upper             Renyi DP at the order and by the conversion that the accountant names
    pld.lower, pld.upper  the tight bound (contour_sum.py), both directions
    gaussian.lower, gaussian.upper   the exact Gaussian, where nothing was sampled
    unsampled.upper       the exact Gaussian as if nothing had been sampled (post-processing)

G1. What ``certified`` lists is proved, with every error of quadrature, truncation, aliasing and rounding in a ball.
G2. What the accountant answers and is not proved here is in ``not_certified`` with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from refdp.accounting import _checks
from refdp.accounting.accountant import CONVERSION, Bounds
from refdp.accounting.accountant import epsilon as account
from refdp.accounting.certificate import planning
from refdp.accounting.certificate.balls import PRECISION, ends, exact, precision, versions
from refdp.accounting.certificate.closed_forms import CONVERSIONS, gaussian_delta
from refdp.accounting.certificate.one_step import SCHEMA, worst_renyi
from refdp.accounting.certificate.statement import Statement, mu_squared, read
from refdp.accounting.certificate.tight_part import Tight, TooMuch, outward
from refdp.accounting.errors import AccountingError
from refdp.accounting.ledger import Ledger

LINES = 1200  # distinct multipliers of a kind above which neighbours are grouped outward
_PARTS = ("rdp.upper", "pld.lower", "pld.upper", "gaussian.lower", "gaussian.upper", "unsampled.upper")


def certify(
    ledger: Ledger, delta: float, *, conversion: str = CONVERSION, lines: int = LINES
) -> dict[str, Any]:
    """Certificate (a JSON document) of a ledger's epsilon at delta.

    Args:
        ledger: what was released.
        delta: in (0, 1).
        conversion: of Renyi DP; "balle2020" and "mironov2017" can be certified.
        lines: distinct noise multipliers of a kind above which neighbours are grouped outward: faster and wider
            (fewer are taken where the work asks for it).

    Returns:
        {"schema": "refdp-certificate/1", "kind": "epsilon", "ledger", "delta", "claimed": the accountant's answer,
        "epsilon": {"lower", "upper"} (proved; null where nothing is), "certified": [parts], "not_certified":
        [{"part", "reason"}], "parts": {...}, "contours": [...], "precision", "versions"}.

    Raises:
        AccountingError: delta outside (0, 1), a refused ledger, or python-flint missing.
    """
    _checks.open_unit("delta", delta)
    answer = account(ledger, delta, conversion=conversion)
    whole = read(ledger)
    repeats = 1 + sum(count for *_, count in whole.plain)
    with precision(PRECISION + 16 + 2 * math.ceil(math.log2(repeats))) as flint:
        found = _Certificate(whole, answer, delta, lines)
        found.run()
        return found.document(ledger, flint.ctx.prec)


class _Certificate:
    """The parts of one certificate as they are proved."""

    def __init__(self, whole: Statement, answer: Bounds, delta: float, lines: int) -> None:
        self.whole, self.answer, self.delta, self.lines = whole, answer, delta, lines
        self.tight = Tight(whole, lines)
        self.parts: dict[str, dict[str, Any]] = {}
        self.refused: list[dict[str, str]] = []

    def run(self) -> None:
        """Every part that applies."""
        sampled = self.whole.sampled
        self._part("rdp.upper", self._rdp)
        if sampled:
            pld = self.answer.pld or {"lower": None, "upper": None}
            self._part("pld.upper", lambda: self._pld(pld["upper"], 1))
            self._part("pld.lower", lambda: self._pld(pld["lower"], -1))
            self._part("unsampled.upper", lambda: self._gaussian(self.whole.plain, 1))
        else:
            self._part("gaussian.upper", lambda: self._gaussian(self.whole.unsampled, 1))
            self._part("gaussian.lower", lambda: self._gaussian(self.whole.unsampled_attained, -1))

    def _part(self, name: str, prove: Callable[[], dict[str, Any]]) -> None:
        try:
            self.parts[name] = prove()
        except AccountingError as error:
            self.refused.append({"part": name, "reason": str(error)})
        except (ArithmeticError, ValueError, MemoryError) as error:
            self.refused.append({"part": name, "reason": f"not resolved ({type(error).__name__}: {error})"})

    def _rdp(self) -> dict[str, Any]:
        claim = self.answer.rdp or {}
        if self.whole.missing:
            raise AccountingError("; ".join(self.whole.missing))
        convert = CONVERSIONS.get(claim["conversion"])
        if convert is None:
            raise AccountingError(
                f"conversion {claim['conversion']}: not certified; {', '.join(CONVERSIONS)} are"
            )
        if not math.isfinite(claim["upper"]):
            raise AccountingError("infinite at every order")
        order = float(claim["order"])
        total = mu_squared(self.whole.unsampled) * exact(order) / 2
        nats = (
            42 + max(0.0, -math.log(order - 1)) + math.log(1 + sum(count for *_, count in self.whole.plain))
        )
        for steps in self.whole.dominating:
            for value, count in planning.grouped(steps.multipliers, steps.counts, self.lines, upward=False):
                total += count * worst_renyi({steps.remove, steps.add}, value, order, nats)
        value = convert(exact(order), total, exact(self.delta))
        upper = claim["upper"]
        if not value <= exact(upper):
            upper = max(ends(value)[1], 0.0) * (1 + 1e-13)
        return {
            "epsilon": upper,
            "order": order,
            "conversion": claim["conversion"],
            "rdp": ends(total),
            "groups": self.lines,
        }

    def _pld(self, claim: float | None, side: int) -> dict[str, Any]:
        if side > 0 and self.whole.missing:
            raise AccountingError("; ".join(self.whole.missing))
        if claim is None:
            raise AccountingError("the accountant has no such bound")
        if side < 0 and claim == 0:  # a lower bound of everything
            return {"epsilon": 0.0, "delta": self.delta, "proofs": []}
        while True:
            try:
                if side > 0:
                    found = outward(lambda s: self.tight.upper(s, self.delta), claim, 1)
                else:
                    found = self.tight.best_lower(claim, self.delta)
                break
            except TooMuch as error:
                self.tight.regroup(error.most)
        if found is None:
            raise AccountingError("no inequality was proved within half of the accountant's number")
        return found

    def _gaussian(self, steps: list[tuple[float, float, int]], side: int) -> dict[str, Any]:
        if any(value == 0 for _, value, _ in steps):
            raise AccountingError("a step without noise")
        squared = mu_squared(steps)
        fields = {"mu_squared": ends(squared)}
        if not steps:
            if side < 0 and self.answer.lower is None:
                raise AccountingError("the accountant has no such bound")
            return {"epsilon": 0.0, **fields}
        return {"epsilon": gaussian_epsilon(squared, self.delta, side), **fields}

    def document(self, ledger: Ledger, bits: int) -> dict[str, Any]:
        """The certificate."""
        contours = _used(self.parts, self.tight.contours)
        uppers = [part["epsilon"] for name, part in self.parts.items() if name.endswith("upper")]
        lowers = [part["epsilon"] for name, part in self.parts.items() if name.endswith("lower")]
        return {
            "schema": SCHEMA,
            "kind": "epsilon",
            "ledger": ledger.to_json(),
            "delta": self.delta,
            "epsilon": {"lower": max(lowers, default=None), "upper": min(uppers, default=None)},
            "claimed": {"lower": _number(self.answer.lower), "upper": _number(self.answer.upper)},
            "certified": [name for name in _PARTS if name in self.parts],
            "not_certified": self.refused,
            "parts": self.parts,
            "contours": contours,
            "precision": bits,
            "versions": versions(),
        }


def _used(parts: dict[str, dict[str, Any]], contours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The contours that some proof names, numbered anew."""
    proofs = [proof for part in parts.values() for proof in part.get("proofs", ()) if "contour" in proof]
    kept = sorted({proof["contour"] for proof in proofs})
    for proof in {id(proof): proof for proof in proofs}.values():
        proof["contour"] = kept.index(proof["contour"])
    return [contours[index] for index in kept]


def gaussian_epsilon(squared: Any, delta: float, side: int) -> float:
    """The exact Gaussian's epsilon at delta, a few ulp outward, proved on its side."""
    goal = exact(delta)

    def proved(s: float) -> bool:
        value = gaussian_delta(squared, s)
        return bool(value <= goal) if side > 0 else bool(value >= goal)

    if side > 0 and proved(0.0):
        return 0.0
    if side < 0 and not proved(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while bool(gaussian_delta(squared, high) > goal):
        low, high = high, 2 * high
    while high - low > 4 * math.ulp(high):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if bool(gaussian_delta(squared, middle) <= goal) else (middle, high)
    for _ in range(64):
        at = high if side > 0 else low
        if proved(at):
            return at
        low, high = max(low * (1 - 1e-15) - 5e-324, 0.0), high * (1 + 1e-15)
    raise AccountingError("the exact Gaussian was not resolved")


def _number(value: float | None) -> float | str | None:
    return "inf" if value == math.inf else value
