"""docs/s0.md is what benchmarks/s0.py makes, and its example runs."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import refdp
from benchmarks import s0
from refdp.accounting import epsilon_upper
from refdp.audit.examples import example_claim
from refdp.cli import run
from refdp.dpmechanism import NoiseMultiplierWarning, NoisePlan

TEXT = s0.PAGE.read_text(encoding="utf-8")
REMEDY = "run python benchmarks/s0.py"


def rows(name: str) -> list[list[str]]:
    """The cells of a table's body."""
    found = re.search(rf"<!-- table {name} -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    assert found
    return [[cell.strip(" *") for cell in line.split("|")[1:-1]] for line in found[1].splitlines()[2:]]


def test_the_table_of_shuffled_runs_is_made_by_the_script() -> None:
    assert s0.rewritten(TEXT, ("shuffle",)) == TEXT, REMEDY


@pytest.mark.slow
def test_all_tables_are_made_by_the_script() -> None:
    assert s0.rewritten(TEXT) == TEXT, REMEDY


def test_the_true_epsilons_are_those_of_the_published_claims() -> None:
    published = (s0.PAGE.parent / "published-claims.md").read_text(encoding="utf-8")
    assert len(rows("claimed")) == len(s0.RUNS)
    for row, (data, _, amplitude, name) in zip(rows("claimed"), s0.RUNS, strict=True):
        assert all(f"| {cell} |" in published for cell in row[5:]), row
        (event,) = example_claim(name).ledger.events
        plan = NoisePlan(*s0.SIZES[data], amplitude, "poisson")
        assert event.noise == plan.schedule(s0.PRINTED[data])
        assert event.sampling == plan.ledger(1.0).events[0].sampling
        assert (float(row[2]), float(row[3])) == (amplitude, s0.PRINTED[data])


def test_what_s0_ran_costs_what_the_page_says() -> None:
    for row, (_, _, _, name) in zip(rows("claimed"), s0.RUNS, strict=True):
        assert s0.run(name) == row[7], REMEDY


def test_a_poisson_multiplier_of_the_page_keeps_the_target_and_a_lesser_does_not() -> None:
    row, (data, _, amplitude, _) = rows("poisson")[0], s0.RUNS[0]
    plan = NoisePlan(*s0.SIZES[data], amplitude, "poisson")
    for factor, kept in ((1.0, True), (0.99, False)):
        upper = epsilon_upper(plan.ledger(factor * float(row[2])), s0.DELTA)
        assert (upper <= s0.EPSILON) is kept


class Tensor:
    """As much of torch's as the page uses."""

    device = "cpu"

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def cpu(self) -> Tensor:
        return self

    def to(self, device: str) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return self.array


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {"torch": SimpleNamespace(from_numpy=Tensor)}
    with pytest.warns(NoiseMultiplierWarning):
        exec(compile(first, "s0.md", "exec"), names)
    assert "refdp-ledger/1" in capsys.readouterr().out
    exec(compile(second, "s0.md", "exec"), names)
    mechanism = names["DPMechanism"](1.0, 4.0, 6, 60000, 256, 5, 3.0, 1e-5)
    (out,) = mechanism.clip_and_noise([Tensor(np.ones((2, 6), np.float32))], 0, 0)
    assert (out.numpy().shape, out.numpy().dtype) == ((6,), np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["water_filling", "radial_mix_0b", "radial_mix_0c"])
def test_an_audit_finds_nothing(module: str) -> None:
    file = Path(refdp.__file__).parent / "dpmechanism" / f"{module}.py"
    assert run(["audit", "mechanism", f"{file}:DPMechanism", "--seconds", "20", "--quiet"]) == 0
