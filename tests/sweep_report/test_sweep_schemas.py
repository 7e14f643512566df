"""The shipped JSON Schemas: valid themselves, and each rule refuses what it should."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sweep_synthetic import make_config, make_run, make_runs

from refdp.errors import RefDPError
from refdp.schema import check_schema, validators
from refdp.sweep.summary import summarise


@pytest.mark.parametrize("name", sorted(validators()))
def test_is_draft_2020_12(name: str) -> None:
    schema = json.loads((files("refdp") / "schemas" / f"{name}.json").read_text("utf-8"))
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)


RUN = make_run(1.0, 1.0, 42, 0.9, target_epsilon=None)


def test_the_least_run_of_the_interface_is_enough() -> None:
    optional = ("target_epsilon", "neighboring", "dataset", "model", "steps")
    check_schema("sweep-run", {key: RUN[key] for key in RUN if key not in optional}, "here")


@pytest.mark.parametrize("bound", [0, 1.5, "inf", None])
def test_bounds(bound: Any) -> None:
    check_schema("sweep-run", {**RUN, "epsilon": {"lower": bound, "upper": bound}}, "here")


@pytest.mark.parametrize(
    "key", sorted(set(RUN) - {"target_epsilon", "neighboring", "dataset", "model", "steps"})
)
def test_every_required_key_of_a_run(key: str) -> None:
    with pytest.raises(RefDPError, match=f"here: .*'{key}' is a required"):
        check_schema("sweep-run", {name: RUN[name] for name in RUN if name != key}, "here")


@pytest.mark.parametrize(
    "change",
    [
        {"noise_multiplier": -1}, {"noise_multiplier": "1"}, {"clip_norm": -1}, {"clip_norm": None},
        {"clipping": ""}, {"seed": 1.5}, {"seed": -1}, {"seed": True}, {"test_accuracy": -0.1},
        {"test_accuracy": None}, {"epsilon": 3}, {"epsilon": {"lower": 1}}, {"delta": 1}, {"sampling": ""},
        {"epsilon": {"lower": "-inf", "upper": 1}}, {"epsilon": {"lower": -1, "upper": 1}}, {"seconds": -1},
        {"target_epsilon": 0}, {"steps": 1.5},
    ],
)  # fmt: skip
def test_what_a_run_must_not_be(change: dict[str, Any]) -> None:
    with pytest.raises(RefDPError) as caught:
        check_schema("sweep-run", {**RUN, **change}, "here")
    assert "\n" not in str(caught.value)


def test_a_baseline_has_neither_noise_nor_clipping() -> None:
    baseline = make_run(0, None, 42, 0.9)
    check_schema("sweep-run", baseline, "here")
    for change in ({"noise_multiplier": 1}, {"clipping": "flat"}):
        with pytest.raises(RefDPError):
            check_schema("sweep-run", {**baseline, **change}, "here")


def test_results() -> None:
    good = {"schema": "refdp-sweep/1", "config": make_config(), "runs": make_runs()}
    check_schema("sweep-results", good, "here")
    targets = make_config(noise_multipliers=None, target_epsilons=[1, 2])
    check_schema("sweep-results", {**good, "config": targets}, "here")
    for bad in ({"schema": "refdp-sweep/2"}, {"config": make_config(noise_multipliers=None)}, {"runs": [{}]}):
        with pytest.raises(RefDPError):
            check_schema("sweep-results", {**good, **bad}, "here")


def test_summary() -> None:
    good = summarise(make_config(), make_runs())
    check_schema("sweep-summary", good, "here")
    for place in [("schema",), ("baseline", "n"), ("cells", 0, "std"), ("safe_region", "reason")]:
        bad: Any = copy.deepcopy(good)
        target = bad
        for key in place[:-1]:
            target = target[key]
        del target[place[-1]]
        with pytest.raises(RefDPError, match="required"):
            check_schema("sweep-summary", bad, "here")
