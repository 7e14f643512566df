"""dp-accounting (Google): its RDP accountant, and its PLD accountant rounded either way."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.metadata import version
from typing import Any

PACKAGE = "dp-accounting"
ACCOUNTANTS = {
    "dp-accounting-rdp": {
        "side": "upper",
        "method": "rdp",
        "conversion": "balle2020",
        "schemes": ["poisson", "full-batch", "without-replacement"],
        "relations": ["add-remove", "zero-out", "replace-one"],
    },
    "dp-accounting-pld": {
        "side": "upper",
        "method": "pld",
        "schemes": ["poisson", "full-batch", "truncated-poisson"],
        "relations": ["add-remove", "zero-out", "replace-one"],
    },
    "dp-accounting-pld-optimistic": {
        "side": "lower",
        "method": "pld",
        "schemes": ["poisson", "full-batch"],
        "relations": ["add-remove", "zero-out", "replace-one"],
    },
}
INTERVAL = 1e-4  # its default grid of privacy losses
MAX_CELLS = 4


def load() -> str:
    """Import; the version."""
    logging.disable(logging.WARNING)
    for module in ("dp_accounting", "dp_accounting.pld", "dp_accounting.rdp"):
        import_module(module)
    return version("dp-accounting")


def answer(accountant: str, case: dict) -> dict:
    """Epsilon; for RDP with the orders and the values at them."""
    dp = import_module("dp_accounting")
    names = {"add-remove": "ADD_OR_REMOVE_ONE", "zero-out": "REPLACE_SPECIAL", "replace-one": "REPLACE_ONE"}
    relation = dp.NeighboringRelation[names[case["neighboring"]]]
    if accountant.endswith("optimistic"):
        return _optimistic(relation, case)
    if accountant.endswith("pld"):
        tool = import_module("dp_accounting.pld").PLDAccountant(relation, INTERVAL)
        _compose(dp, tool, case)
        return {"epsilon": float(tool.get_epsilon(case["delta"])), "interval": INTERVAL}
    make = import_module("dp_accounting.rdp").RdpAccountant
    tool = make(neighboring_relation=relation)
    _compose(dp, tool, case)
    epsilon, order = tool.get_epsilon_and_optimal_order(case["delta"])
    found: dict[str, Any] = {"epsilon": float(epsilon), "order": float(order), "cells": []}
    found["orders"], found["rdp"] = [float(a) for a in tool._orders], [float(r) for r in tool._rdp]
    steps = [
        (e, s) for e in case["events"] if e["scheme"] in ("poisson", "full-batch") for s, _ in e["steps"]
    ]
    for event, noise in steps[:: max(1, len(steps) // MAX_CELLS)][:MAX_CELLS]:
        one = make(neighboring_relation=relation).compose(_event(dp, event, noise))
        cell = {"rate": event["rate"], "noise_multiplier": noise, "rdp": [float(r) for r in one._rdp]}
        found["cells"].append(cell)
    return found


def _event(dp: Any, event: dict, noise: float) -> Any:
    gaussian = dp.GaussianDpEvent(noise)
    if event["scheme"] == "without-replacement":
        return dp.SampledWithoutReplacementDpEvent(event["dataset_size"], event["batch_size"], gaussian)
    if event["scheme"] == "truncated-poisson":
        sizes = event["dataset_size"], event["rate"], event["max_batch_size"]
        return dp.TruncatedSubsampledGaussianDpEvent(*sizes, noise)
    return gaussian if event["rate"] == 1 else dp.PoissonSampledDpEvent(event["rate"], gaussian)


def _compose(dp: Any, tool: Any, case: dict) -> None:
    for event in case["events"]:
        for noise, count in event["steps"]:
            try:
                tool.compose(_event(dp, event, noise), count)
            except dp.UnsupportedEventError as error:
                raise NotImplementedError(str(error)) from None


def _optimistic(relation: Any, case: dict) -> dict:
    pld = import_module("dp_accounting.pld.privacy_loss_distribution")
    whole: Any = None
    for event in case["events"]:
        for noise, count in event["steps"]:
            options = {"value_discretization_interval": INTERVAL, "neighboring_relation": relation}
            options |= {
                "sampling_prob": event["rate"],
                "pessimistic_estimate": False,
                "use_connect_dots": False,
            }
            part = pld.from_gaussian_mechanism(noise, **options).self_compose(count)
            whole = part if whole is None else whole.compose(part)
    return {"lower": float(whole.get_epsilon_for_delta(case["delta"])), "interval": INTERVAL}
