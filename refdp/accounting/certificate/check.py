"""The checker: from the ledger alone, by other integrals than the certificate's, is every claim in it true?

It reads the ledger anew and uses the certificate's free parameters (tilt, step, terms, guard, multipliers' groups,
decay heights) only as places to evaluate its own bounds (check_integrals.py, check_claims.py). A parameter that
proves the same claims is as good as another; one that does not is refused.

G1. Accepted: every part that the certificate lists is proved by this module in ball arithmetic, and the stated
    intermediate values agree with its own.
G2. Refused: the first reason found, with its place. No document makes it raise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.accounting.certificate.balls import precision
from refdp.accounting.certificate.check_claims import Claims, check_step
from refdp.accounting.certificate.check_integrals import Refused
from refdp.accounting.certificate.fields import PARTS, validated
from refdp.accounting.errors import AccountingError
from refdp.accounting.ledger import Ledger

SCHEMA = "refdp-certificate/1"
_BITS = 192


@dataclass(frozen=True)
class Verdict:
    """What the checker says.

    Attributes:
        accepted: whether everything that the certificate lists is proved.
        reasons: why not, the first reason found; empty where accepted.
        certified: the parts proved.
        epsilon: {"lower", "upper"} proved (kind epsilon), or None.
    """

    accepted: bool
    reasons: tuple[str, ...] = ()
    certified: tuple[str, ...] = ()
    epsilon: dict[str, float | None] | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON document."""
        return {
            "schema": "refdp-certificate-check/1",
            "accepted": self.accepted,
            "reasons": list(self.reasons),
            "certified": list(self.certified),
            "epsilon": self.epsilon,
        }


def check(document: Any) -> Verdict:
    """Accept or refuse a certificate (a document that ``certify`` or ``certify_rdp`` made, read from JSON).

    Raises:
        AccountingError: only where python-flint is not installed.
    """
    with precision(_BITS):
        try:
            own = validated(document, SCHEMA)
            if own["kind"] == "rdp":
                if own["certified"] != ["rdp.value"]:
                    raise Refused(f"certified = {own['certified']!r}: must be ['rdp.value']")
                check_step(own)
                return Verdict(True, certified=("rdp.value",))
            return _epsilon(own)
        except AccountingError as error:
            return Verdict(False, (str(error).replace("\n", " "),))
        except (ArithmeticError, ValueError, TypeError, RecursionError, MemoryError) as error:
            return Verdict(False, (f"the certificate cannot be evaluated ({type(error).__name__}: {error})",))


def _epsilon(document: dict[str, Any]) -> Verdict:
    delta, parts = document["delta"], document["parts"]
    if not 0 < delta < 1:
        raise Refused(f"delta = {delta!r}: must be > 0 and < 1")
    listed, given = document["certified"], [name for name in PARTS if name in parts]
    if listed != given:
        raise Refused(f"certified = {listed!r}: the parts given are {given!r}")
    for entry in document["not_certified"]:
        if entry["part"] in parts:
            raise Refused(f"part {entry['part']} is both certified and not")
    ledger = Ledger.from_json(document["ledger"])
    claims = Claims(document, ledger)
    for name in given:
        claims.check(name)
    claims.finish()
    uppers = [parts[name]["epsilon"] for name in given if name.endswith("upper")]
    lowers = [parts[name]["epsilon"] for name in given if name.endswith("lower")]
    bounds = {"lower": max(lowers, default=None), "upper": min(uppers, default=None)}
    if document["epsilon"] != bounds:
        raise Refused(f"epsilon = {document['epsilon']!r}: the parts give {bounds!r}")
    _consistent(document["claimed"], bounds)
    return Verdict(True, (), tuple(given), bounds)


def _consistent(claimed: dict[str, Any], proved: dict[str, float | None]) -> None:
    """What the accountant answered must not contradict what is proved."""
    lower, upper = (float(x) if x is not None else None for x in (claimed["lower"], claimed["upper"]))
    if upper is not None and proved["lower"] is not None and upper < proved["lower"]:
        raise Refused(f"claimed upper = {upper!r}: below the lower bound {proved['lower']!r} proved")
    if lower is not None and proved["upper"] is not None and lower > proved["upper"]:
        raise Refused(f"claimed lower = {lower!r}: above the upper bound {proved['upper']!r} proved")
