"""JAX-Privacy's configurations."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from importers_files import fixture, ledger, poisson, read, refusal, write

from refdp.accounting import BandMFEvent, GaussianEvent, Ledger, Sampling, epsilon
from refdp.audit.importers import from_object

REAL = fixture("jax-privacy.json")


def band(multiplier: float, rate: float, steps: int, bands: int) -> BandMFEvent:
    return BandMFEvent(multiplier, Sampling("poisson", rate=rate), steps, bands=bands)


def truncated(multiplier: float, rate: float, records: int, cap: int, steps: int) -> GaussianEvent:
    sampling = Sampling("truncated-poisson", rate=rate, dataset_size=records, max_batch_size=cap)
    return GaussianEvent(multiplier, sampling, steps)


CONFIGS = {
    "bandmf-1": Ledger("zero-out", (poisson(1.1, 0.4, 16),)),
    "bandmf-4": Ledger("zero-out", (band(1.1, 0.4, 16, 4),)),
    "truncated": Ledger("zero-out", (truncated(1.1, 0.4, 200, 90, 50),)),
    "abbreviated": Ledger("zero-out", (band(1.1, 0.4, 4000, 2000),)),
    "off-norm": Ledger("zero-out", (band(1.1, 0.4, 50, 2),)),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_real_configurations(name: str, tmp_path: Path) -> None:
    found = read(tmp_path, REAL[name]["repr"])
    assert found.format == "jax-privacy"
    assert found.ledger == CONFIGS[name]
    assert "zero-out taken" in found.notes[0]
    assert found.actual["iterations"] == CONFIGS[name].events[0].count


@pytest.mark.parametrize("name", CONFIGS)
def test_a_plan_costs_what_its_own_event_says(name: str, tmp_path: Path) -> None:
    config = epsilon(read(tmp_path, REAL[name]["repr"]).ledger, 1e-5, "rdp").upper
    event = epsilon(read(tmp_path, REAL[name]["event"], neighboring="zero-out").ledger, 1e-5, "rdp").upper
    assert config == pytest.approx(event, rel=1e-9)


def test_columns_that_are_normalised_twice_are_noted(tmp_path: Path) -> None:
    notes = read(tmp_path, REAL["off-norm"]["repr"]).notes
    assert any("norm 0.5: the noise that is added is 0.5 times" in note for note in notes)


PARAMS = {
    "params": ledger((1.0, 0.01, 100)),
    "varying": ledger((1.0, 0.01, 20), (1.0, 0.02, 30), (2.0, 0.02, 10), (2.0, 0.04, 40)),
    "fixed": Ledger(
        "replace-one",
        (GaussianEvent(1.0, Sampling("without-replacement", dataset_size=1000, batch_size=10), 100),),
    ),
    "users": Ledger("add-remove", (poisson(1.0, 0.01, 100),), 3),
    "cycle": Ledger("add-remove", (band(1.0, 10 / 250, 100, 4),)),
}


@pytest.mark.parametrize("name", PARAMS)
def test_real_parameters(name: str, tmp_path: Path) -> None:
    found = read(tmp_path, REAL[name]["json"])
    assert found.ledger == PARAMS[name]
    assert found.claimed == {"delta": 1e-5}
    assert found.actual["dataset_size"] == 1000
    text = REAL[name]["repr"][:-1] + ", num_updates=100)"
    assert read(tmp_path, text).ledger == PARAMS[name]
    assert "num_updates" in refusal(write(tmp_path, REAL[name]["repr"]))


def test_an_uncalibrated_plan_says_where_its_noise_is(tmp_path: Path) -> None:
    assert "repr(config.plan.dp_event)" in refusal(write(tmp_path, REAL["uncalibrated"]["repr"]))


KERAS = {
    "epsilon": 8.0,
    "delta": 1e-5,
    "clipping_norm": 1.0,
    "batch_size": 10,
    "gradient_accumulation_steps": 4,
    "train_steps": 100,
    "train_size": 1000,
    "noise_multiplier": 1.5,
}


def test_keras(tmp_path: Path) -> None:
    found = read(tmp_path, KERAS)
    assert found.ledger == ledger((1.5, 0.04, 100))
    assert found.claimed == {"epsilon": 8.0, "delta": 1e-5}
    assert found.actual["batch_size"] == 40
    assert any("poisson_sampling_in_fit is off" in note for note in found.notes)
    assert "no noise_multiplier" in refusal(write(tmp_path, {**KERAS, "noise_multiplier": None}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dpsgd_event(1.5, 100, sampling_prob=0.25)", ledger((1.5, 0.25, 100))),
        (
            '{"noise_multiplier": 1.5, "iterations": 100, "num_bands": 4, "sampling_prob": 0.25}',
            Ledger("add-remove", (band(1.5, 0.25, 100, 4),)),
        ),
        (
            '{"noise_multiplier": 1.5, "iterations": 100, "sampling_prob": 0.25, "num_examples": 50, '
            '"truncated_batch_size": 20}',
            Ledger("add-remove", (truncated(1.5, 0.25, 50, 20, 100),)),
        ),
        (
            '{"class": "fixed_dpsgd_event", "noise_multiplier": 1, "iterations": 100, "dataset_size": 50, '
            '"batch_size": 5}',
            Ledger(
                "replace-one",
                (GaussianEvent(1, Sampling("without-replacement", dataset_size=50, batch_size=5), 100),),
            ),
        ),
    ],
)
def test_arguments_of_event_functions(text: str, expected: Ledger, tmp_path: Path) -> None:
    assert read(tmp_path, text).ledger == expected


BAND = "BandMFExecutionPlanConfig(iterations=5, noise_multiplier=1, strategy="


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("CyclicPoissonSampling(sampling_prob=0.1, iterations=100)", "holds no noise"),
        ("BandMFExecutionPlanConfig(strategy=[1.0])", "iterations is required"),
        (BAND + "3)", "strategy = 3"),
        (BAND + "[])", "strategy"),
        (BAND + "array([1., ..., 1.]))", "abbreviated"),
        (BAND + "[1, 1], truncated_batch_size=3)", "1 band"),
        (BAND + "[1], partition_type=3)", "partition_type"),
        (BAND + "[1], sampler='x')", "unknown field"),
        (BAND + "[1], sampling_prob=2)", "sampling_prob = 2"),
        ("BandMFExecutionPlanConfig(iterations=5.0, strategy=[1], noise_multiplier=1)", "iterations = 5.0"),
        ("DpParams(noise_multipliers=1, num_samples=10, batch_size=20, num_updates=3)", "batch_size = 20"),
        ("DpParams(noise_multipliers=[(5, 1.0)], num_samples=10, batch_size=2, num_updates=9)", "step 0"),
        ("DpParams(noise_multipliers=None, num_samples=10, batch_size=2, num_updates=9)", "noise_multipliers = None"),
        ("DpParams(noise_multipliers=1, num_samples=10, batch_size=2, num_updates=9, cycle_length=50)", "cycle_length"),
        ("DpParams(1, 10, 2, num_updates=9, batch_size_scale_schedule={3: 2})", "add batch_sizes"),
        ("DpParams(1, 10, 2, num_updates=9, cycle_length=2, truncated_batch_size=3)", "no bound"),
        ("DpParams(1, 10, 2, num_updates=9, sampling_method='SHUFFLE')", "sampling_method"),
        ("fixed_dpsgd_event(1, 5, 50, 5, True)", "with replacement"),
        ("truncated_amplified_bandmf_event(1, 5, 2, 0.1, 50, 5)", "no bound"),
        ("dpsgd_event(1, 2, 0.1, 4)", "4 arguments"),
    ],
    ids=lambda value: value[:90],
)  # fmt: skip
def test_refusals(text: str, says: str, tmp_path: Path) -> None:
    assert says in refusal(write(tmp_path, text))


class BandMFExecutionPlanConfig:
    """As JAX-Privacy's looks from outside."""

    def __init__(self, relation: str, **fields: Any) -> None:
        self.iterations = np.int64(16)
        self.strategy = np.array([0.8, 0.6])
        self.noise_multiplier = np.float64(1.1)
        self.sampling_prob = 0.4
        self.accountant = SimpleNamespace(neighboring_relation=SimpleNamespace(name=relation))
        self.partition_type = SimpleNamespace(name="INDEPENDENT")
        self.__dict__ |= fields


class DPExecutionPlan:
    dp_event: Any = ("dp_accounting.dp_event", "GaussianDpEvent", 2.0)
    batch_selection_strategy = SimpleNamespace(partition_type=SimpleNamespace(name="EQUAL_SPLIT"))


def test_objects() -> None:
    found = from_object(BandMFExecutionPlanConfig("ADD_OR_REMOVE_ONE"))
    assert found.ledger == Ledger("add-remove", (band(1.1, 0.4, 16, 2),))
    assert found.notes == ()
    assert from_object(DPExecutionPlan()).ledger.neighboring == "zero-out"
    fields = {**KERAS, "noise_multiplier": np.float32(1.5)}
    assert from_object(fields).ledger == ledger((1.5, 0.04, 100))
    with pytest.raises(ValueError, match="add-remove or zero-out only"):
        from_object(BandMFExecutionPlanConfig("REPLACE_ONE"))


def test_no_guarantee_is_no_noise() -> None:
    found = from_object({**REAL["params"]["json"], "is_finite_guarantee": False, "noise_multipliers": None})
    assert epsilon(found.ledger, 1e-5).upper == float("inf")
