"""autodp: RDP of Poisson-sampled Gaussians by its transformers, order by continuous search."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.metadata import version

PACKAGE = "autodp"
ACCOUNTANTS = {
    "autodp-rdp": {
        "side": "upper",
        "method": "rdp",
        "conversion": "balle2020",
        "schemes": ["poisson", "full-batch"],
        "relations": ["add-remove", "zero-out"],
    }
}
ORDERS = [
    1.1,
    1.5,
    2.0,
    2.5,
    3.0,
    4.0,
    6.5,
    8.0,
    16.0,
    32.5,
    64.0,
    128.0,
]  # looked at; it searches all orders
MAX_CELLS = 4


def load() -> str:
    """Import; the version."""
    warnings.simplefilter("ignore")
    for module in ("mechanism_zoo", "transformer_zoo"):
        import_module(f"autodp.{module}")
    return version("autodp")


def answer(accountant: str, case: dict) -> dict:
    """Epsilon, and one step's RDP at a few orders."""
    zoo, transform = import_module("autodp.mechanism_zoo"), import_module("autodp.transformer_zoo")
    sample = transform.AmplificationBySampling()
    cells: list[dict] = []
    parts, counts = [], []
    steps = [(e["rate"], s, n) for e in case["events"] for s, n in e["steps"]]
    for i, (rate, noise, count) in enumerate(steps):
        one = zoo.GaussianMechanism(sigma=noise, name=f"gaussian {i}")
        if rate < 1:
            one = sample(one, rate, improved_bound_flag=True)
        parts.append(one)
        counts.append(count)
        if i % max(1, len(steps) // MAX_CELLS) == 0 and len(cells) < MAX_CELLS:
            values = [float(one.get_RDP(a)) for a in ORDERS]
            cells.append({"rate": rate, "noise_multiplier": noise, "rdp": values})
    whole = transform.Composition()(parts, counts)
    epsilon = float(whole.get_approxDP(case["delta"]))
    search = (
        "integers" if any(rate < 1 for rate, _, _ in steps) else "all"
    )  # sampled, it interpolates between these
    return {"epsilon": epsilon, "orders": ORDERS, "order": None, "search": search, "cells": cells}
