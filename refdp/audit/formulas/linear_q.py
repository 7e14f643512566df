"""q a / (2 s^2) for the Renyi DP of a sampled step: sampling taken to multiply the divergence by q.

Orders 1.1 .. 10.9, 12 .. 63, conversion mironov2017; seen in federated-learning code. No theorem says so, and past
some order the true divergence of a step approaches the unsampled a / (2 s^2).
"""

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import OPACUS, best, gaussian, mironov


def evaluate(setting: Setting) -> Value:
    return best(gaussian(setting.steps * setting.sample_rate * setting.snr), OPACUS, mironov, setting.delta)


FORMULAS = (
    Formula(
        "linear-q-rdp",
        cause="linear-q-rdp",
        kind=NOT_A_BOUND,
        symbols="min over a of T q a/(2 s^2) + log(1/d)/(a-1)",
        source="re-implementations; no theorem",
        worth="mostly too large, below the truth at small multipliers and rates",
        evaluate=evaluate,
        rank=45,
    ),
)
