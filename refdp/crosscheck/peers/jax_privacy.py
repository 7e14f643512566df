"""JAX-Privacy: DpsgdTrainingAccountant, over dp-accounting with an order grid of its own."""

from __future__ import annotations

import logging
import warnings
from fractions import Fraction
from importlib import import_module
from importlib.metadata import version
from typing import Any

PACKAGE = "jax-privacy"
ACCOUNTANTS = {
    "jax-privacy-rdp": {
        "side": "upper",
        "method": "rdp",
        "conversion": "balle2020",
        "schemes": ["poisson", "full-batch", "without-replacement"],
        "relations": ["add-remove", "zero-out"],
    },
    "jax-privacy-pld": {
        "side": "upper",
        "method": "pld",
        "schemes": ["poisson", "full-batch", "without-replacement", "truncated-poisson"],
        "relations": ["add-remove", "zero-out"],
    },
}
MAX_CELLS = 4


def load() -> str:
    """Import; the version."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    import_module("jax_privacy.accounting")
    return version("jax-privacy")


def answer(accountant: str, case: dict) -> dict:
    """Epsilon; for RDP the grid and the order that gives it."""
    acc = import_module("jax_privacy.accounting")
    if len(case["events"]) > 1:
        raise NotImplementedError("it takes one sample rate for the whole run")
    event = case["events"][0]
    sampling = {"sampling_method": acc.SamplingMethod.POISSON}
    if event["scheme"] == "without-replacement":
        sampling = {"sampling_method": acc.SamplingMethod.FIXED_BATCH_SIZE}
        batch, records = event["batch_size"], event["dataset_size"]
    elif case["neighboring"] == "replace-one":
        raise NotImplementedError("replace-one with its FIXED_BATCH_SIZE sampling only")
    elif event["scheme"] == "truncated-poisson":
        batch, records = _sizes(event["rate"], event["dataset_size"])
        sampling["truncated_batch_size"] = event["max_batch_size"]
    else:
        batch, records = _sizes(event["rate"], None)
    multipliers, step = [], 0
    for noise, count in event["steps"]:
        multipliers.append((step, noise))
        step += count
    params = acc.DpParams(
        noise_multipliers=multipliers, num_samples=records, batch_size=batch, delta=case["delta"], **sampling
    )
    rdp = accountant.endswith("rdp")
    config = acc.RdpAccountantConfig() if rdp else acc.PldAccountantConfig()
    found = {"epsilon": float(acc.DpsgdTrainingAccountant(config).compute_epsilon(step, params))}
    if rdp:
        found |= _grid(config, event)
    else:
        found["interval"] = config.value_discretization_interval
    return found


def _grid(config: Any, event: dict) -> dict:
    """Its orders, and one step's RDP at each by the accountant that it makes; dp-accounting converts none <= 1.01."""
    cells: list[dict] = []
    used = [i for i, order in enumerate(config.orders) if order > 1.01]
    dp = import_module("dp_accounting")
    if event["scheme"] != "without-replacement":
        steps = event["steps"]
        for noise, _ in steps[:: max(1, len(steps) // MAX_CELLS)][:MAX_CELLS]:
            tool = config.create_accountant()
            tool.compose(dp.PoissonSampledDpEvent(event["rate"], dp.GaussianDpEvent(noise)))
            values = [float(tool._rdp[i]) for i in used]
            cells.append({"rate": event["rate"], "noise_multiplier": noise, "rdp": values})
    return {"orders": [float(config.orders[i]) for i in used], "order": None, "cells": cells}


def _sizes(rate: float, records: int | None) -> tuple[int, int]:
    """Whole batch and data set sizes of exactly this rate: what it takes instead of a rate."""
    if records is None:
        ratio = Fraction(rate).limit_denominator(10**7)
        batch, records = ratio.numerator, ratio.denominator
    else:
        batch = round(rate * records)
    if batch / records != rate:
        raise NotImplementedError(f"rate {rate!r} is no ratio of whole batch and data set sizes")
    return batch, records
