"""prv-accountant (Microsoft): lower end, estimate and upper end of its PRVAccountant."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.metadata import version

PACKAGE = "prv-accountant"
ACCOUNTANTS = {
    "prv-accountant": {
        "side": "interval",
        "method": "pld",
        "schemes": ["poisson", "full-batch"],
        "relations": ["add-remove", "zero-out"],
    }
}
EPS_ERROR = 0.01  # it has no default; Opacus' is the same


def load() -> str:
    """Import; the version."""
    warnings.simplefilter("ignore")
    import_module("prv_accountant")
    return version("prv-accountant")


def answer(accountant: str, case: dict) -> dict:
    """Its three figures, with delta_error = delta / 1000 as its documentation advises."""
    prv = import_module("prv_accountant")
    parts, counts = [], []
    for event in case["events"]:
        for noise, count in event["steps"]:
            one = (
                prv.GaussianMechanism(noise)
                if event["rate"] == 1
                else prv.PoissonSubsampledGaussianMechanism(event["rate"], noise)
            )
            parts.append(one)
            counts.append(count)
    delta = case["delta"]
    errors = {"eps_error": EPS_ERROR, "delta_error": delta / 1000}
    tool = prv.PRVAccountant(prvs=parts, max_self_compositions=counts, **errors)
    lower, estimate, upper = (float(x) for x in tool.compute_epsilon(delta, counts))
    return {"lower": lower, "epsilon": estimate, "upper": upper, **errors}
