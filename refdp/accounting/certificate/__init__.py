"""Certificates: the accountant's numbers proved in ball arithmetic, and checked by another path.

certify_rdp(sample_rate, noise_multiplier, order)   one step's Renyi DP -> JSON document
certify(ledger, delta)                              a ledger's epsilon -> JSON document
check(document) -> Verdict                          accepts or refuses either, with the reason

python-flint is imported only when one of these is called.
"""

from refdp.accounting.certificate.certify import certify
from refdp.accounting.certificate.check import Verdict, check
from refdp.accounting.certificate.one_step import certify_rdp

__all__ = ["Verdict", "certify", "certify_rdp", "check"]
