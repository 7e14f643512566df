"""Is this stated epsilon true?

Claim          what is claimed, what was accounted, what was really run (``refdp-claim/1``)
audit          every reading with both bounds, the verdict, and why
examples       published claims that ship with refdp, and their expected verdicts
formulas       the published accounting formulas, and which of them made a number
importers      run records of other tools, read without running anything in them
"""

from refdp.audit.claim import Actual, Claim, Rounding, Run
from refdp.audit.verdict import Audit, audit

__all__ = ["Actual", "Audit", "Claim", "Rounding", "Run", "audit"]
