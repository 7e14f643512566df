"""Exact Renyi DP of the Poisson-sampled Gaussian on TensorFlow Privacy's list of orders, improved conversion.

Orders 1.25 .. 4.5, 5 .. 63, 128, 256, 512 (``compute_dp_sgd_privacy_lib``), conversion arXiv 2004.00010,
Proposition 12 (the same formula as 1905.09982, Theorem 21): TensorFlow Privacy from the middle of 2021, before it
handed its accounting to dp-accounting. A valid bound.
"""

from refdp.audit.formulas._base import BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import TF_PRIVACY, balle, best, poisson


def evaluate(setting: Setting) -> Value:
    return best(poisson(setting), TF_PRIVACY, balle, setting.delta)


FORMULAS = (
    Formula(
        "rdp-tf-privacy",
        cause="order-grid",
        kind=BOUND,
        symbols="min over a of T R_a + log((a-1)/a) - log(a d)/(a-1)",
        source="TensorFlow Privacy from 2021, compute_dp_sgd_privacy",
        worth="valid; orders end at 512",
        evaluate=evaluate,
        rank=12,
    ),
)
