"""Published accounting formulas, and which of them made a claimed epsilon.

Setting      noise multiplier, sample rate, steps and delta of a run of equal Poisson-sampled Gaussian steps
Formula      one published way from a setting to an epsilon, and what it is worth (``KINDS``)
FORMULAS     all of them, by name; each is a file here, found by itself
CAUSES       the ids that formulas give as ``cause``, each with a sentence
recognise    the formulas that give a claimed epsilon, best first; empty: unknown

To add one, write one file that ends in ``FORMULAS = (Formula(...),)``; nothing else is touched.
"""

from refdp.audit.formulas._base import BOUND, ESTIMATE, KINDS, NOT_A_BOUND, Formula, Setting, Value
from refdp.audit.formulas._causes import CAUSES
from refdp.audit.formulas._recognise import Match, recognise, tolerance_of
from refdp.audit.formulas._registry import FORMULAS, formula

__all__ = [
    "BOUND",
    "CAUSES",
    "ESTIMATE",
    "FORMULAS",
    "KINDS",
    "NOT_A_BOUND",
    "Formula",
    "Match",
    "Setting",
    "Value",
    "formula",
    "recognise",
    "tolerance_of",
]
