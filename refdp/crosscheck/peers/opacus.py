"""Opacus: its three accountants, by ``create_accountant`` and ``history``, as PrivacyEngine uses them."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

PACKAGE = "opacus"
ACCOUNTANTS = {
    "opacus-rdp": {
        "side": "upper",
        "method": "rdp",
        "conversion": "balle2020",
        "schemes": ["poisson", "full-batch"],
        "relations": ["add-remove", "zero-out"],
    },
    "opacus-prv": {
        "side": "upper",
        "method": "pld",
        "schemes": ["poisson", "full-batch"],
        "relations": ["add-remove", "zero-out"],
    },
    "opacus-gdp": {
        "side": "estimate",
        "method": "clt",
        "schemes": ["poisson", "full-batch"],
        "relations": ["add-remove", "zero-out"],
    },
}
MAX_CELLS = 4


def load() -> str:
    """Import; the version."""
    warnings.simplefilter("ignore")
    import_module("opacus.accountants")
    return str(import_module("opacus").__version__)


def answer(accountant: str, case: dict) -> dict:
    """Epsilon; for RDP with the orders and the values at them."""
    mechanism = accountant.removeprefix("opacus-")
    tool = import_module("opacus.accountants").create_accountant(mechanism)
    tool.history = [(s, e["rate"], n) for e in case["events"] for s, n in e["steps"]]
    if mechanism == "gdp" and len(tool.history) > 1:
        raise NotImplementedError(
            "noise multiplier and sample rate must stay constant in its GaussianAccountant"
        )
    if mechanism == "rdp":
        return _rdp(tool, case["delta"])
    found = {"epsilon": float(tool.get_epsilon(case["delta"]))}
    if mechanism == "prv":  # the defaults of its get_epsilon
        found["eps_error"], found["delta_error"] = 0.01, case["delta"] / 1000
    return found


def _rdp(tool: Any, delta: float) -> dict:
    analysis = import_module("opacus.accountants.analysis.rdp")
    epsilon, order = tool.get_privacy_spent(delta=delta)
    orders = [float(a) for a in tool.DEFAULT_ALPHAS]
    found: dict[str, Any] = {"epsilon": float(epsilon), "order": float(order), "orders": orders, "cells": []}
    stride = max(1, len(tool.history) // MAX_CELLS)
    for noise, rate, _ in tool.history[::stride][:MAX_CELLS]:
        one = analysis.compute_rdp(q=rate, noise_multiplier=noise, steps=1, orders=tool.DEFAULT_ALPHAS)
        found["cells"].append({"rate": rate, "noise_multiplier": noise, "rdp": [float(x) for x in one]})
    return found
