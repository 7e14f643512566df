"""Exact Renyi DP of the Poisson-sampled Gaussian with the conversion of 2017, on the lists of orders in use.

epsilon = min over a of T R_a + log(1/d) / (a - 1) (Mironov, arXiv 1702.07476, Proposition 3). Lists:
rdp-mironov-opacus          1.1 .. 10.9, 12 .. 63: Opacus before 0.14.0 (its changelog), and many ports
rdp-mironov-tf-privacy      1.25 .. 4.5, 5 .. 63, 128, 256, 512: TensorFlow Privacy's tutorials and its
                            compute_dp_sgd_privacy until the middle of 2021
rdp-mironov-integers        2 .. 64: most short re-implementations
moments-accountant          2 .. 33, that is moments lambda = 1 .. 32: the code of Abadi et al. 2016 (arXiv
                            1607.00133, section 3.2), whose numerical moments are exactly these
Valid bounds, loose by the conversion and the list.
"""

from refdp.audit.formulas._base import BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import OPACUS, TF_PRIVACY, best, mironov, poisson


def _on(name: str, orders: tuple[float, ...], source: str, rank: int) -> Formula:
    def evaluate(setting: Setting) -> Value:
        return best(poisson(setting), orders, mironov, setting.delta)

    return Formula(
        name,
        cause="classic-conversion",
        kind=BOUND,
        symbols="min over a of T R_a + log(1/d)/(a-1)",
        source=source,
        worth=f"valid; the loose conversion, orders end at {orders[-1]:g}",
        evaluate=evaluate,
        rank=rank,
    )


FORMULAS = (
    _on("rdp-mironov-opacus", OPACUS, "Opacus before 0.14, get_privacy_spent", 20),
    _on("rdp-mironov-tf-privacy", TF_PRIVACY, "TensorFlow Privacy until 2021, compute_dp_sgd_privacy", 21),
    _on(
        "rdp-mironov-integers",
        tuple(map(float, range(2, 65))),
        "re-implementations; arXiv 1702.07476, Proposition 3",
        23,
    ),
    _on("moments-accountant", tuple(map(float, range(2, 34))), "arXiv 1607.00133, section 3.2", 22),
)
