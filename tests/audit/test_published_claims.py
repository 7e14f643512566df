"""The published claims that ship: each gets the verdict and the figures it must, and a cause."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from benchmarks import published_claims
from refdp.audit import Audit, audit
from refdp.audit.examples import example_claim, example_names, example_text
from refdp.errors import RefDPError
from refdp.schema import check_schema

TRUTH = json.loads(
    (Path(__file__).parents[1] / "accounting" / "golden" / "accounting.json").read_text(encoding="utf-8")
)
ROWS = {row["id"]: row for row in TRUTH["rows"]}


@cache
def audited(name: str) -> Audit:
    return audit(example_claim(name))


@pytest.mark.parametrize("name", example_names())
def test_each_gets_its_verdict_and_a_refutation_its_cause(name: str) -> None:
    found = audited(name)
    assert found.verdict == found.claim.expected
    check_schema("claim", json.loads(example_text(name)), name)
    check_schema("audit", json.loads(json.dumps(found.to_json()).replace("Infinity", '"inf"')), name)
    if found.verdict == "refuted":
        named = {cause.id for cause in found.causes} - {"too-little-noise", "neighboring-relation"}
        assert named, "no cause but the lack of noise"


def reading(name: str, which: str) -> tuple[float | None, float | None, float | None]:
    (found,) = [r for r in audited(name).readings if r.name == which]
    return found.lower, found.upper, found.needed


FIGURES = [  # name, reading, lower and upper end of where both bounds must lie, needed multiplier
    ("s0-mnist-constant", "as accounted", 86.20, 86.23, 0.6507),
    ("s0-mnist-constant", "as run", 83.05, 83.15, 3.109),
    ("s0-cifar10-constant", "as accounted", 6.79, 6.81, 0.8547),
    ("s0-mnist-cosine", "as accounted", 102.2, 102.4, None),
    ("s0-cifar10-cosine", "as accounted", 9.10, 9.33, None),
    ("s0-mnist-noise-decay", "as accounted", 124.8, 125.0, None),
    ("s0-cifar10-noise-decay", "as accounted", 13.5, 13.7, None),
    ("s4-2048-loader-rate", "as accounted", 2.9946, 2.9947, 1.608),
    ("s4-2048-stated-rate", "as accounted", 3.0354, 3.0355, 1.623),
    ("s4-4096-loader-rate", "as accounted", 2.9873, 2.9874, 2.871),
    ("s4-4096-stated-rate", "as accounted", 3.0963, 3.0964, 2.956),
]


@pytest.mark.parametrize(("name", "which", "low", "high", "multiplier"), FIGURES)
def test_figures(name: str, which: str, low: float, high: float, multiplier: float | None) -> None:
    lower, upper, needed = reading(name, which)
    assert lower is not None
    assert upper is not None
    assert low <= lower <= upper <= high
    if multiplier is not None:
        assert needed == pytest.approx(multiplier, rel=4e-4)


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row["id"].startswith("s1_fixed_order")])
def test_the_sweep_in_fixed_order(row: dict[str, object]) -> None:
    name = f"s1-noise-{row['sigma']:g}"
    assert example_claim(name).epsilon == pytest.approx(row["claimed"], rel=1e-12)
    lower, upper, _ = reading(name, "as run")
    truth = row["truth"]["zero_out"]  # type: ignore[index]
    assert lower <= truth * (1 + 1e-9)  # type: ignore[operator]
    assert upper >= truth * (1 - 1e-9)  # type: ignore[operator]
    assert upper - lower < 1e-6 * truth  # type: ignore[operator]


CAUSES = {
    "s0-mnist-constant": {"small-q-rdp", "shuffled-batches"},
    "s0-cifar10-constant": {"small-q-rdp", "shuffled-batches"},
    "s0-mnist-cosine": {"harmonic-mean", "small-q-rdp", "shuffled-batches"},
    "s0-mnist-cosine-0.125": {"harmonic-mean", "small-q-rdp"},
    "s0-cifar10-cosine": {"harmonic-mean", "small-q-rdp"},
    "s0-mnist-noise-decay": {"harmonic-mean"},
    "s0-cifar10-noise-decay": {"harmonic-mean"},
    "s0-mnist-adaptive": {"unnoised-statistic", "shuffled-batches"},
    "s0-cifar10-adaptive": {"unnoised-statistic"},
    "s4-2048-loader-rate": {"rate-from-loader", "rounding"},
    "s4-2048-stated-rate": {"rate-from-loader"},
    "s4-4096-loader-rate": {"rate-from-loader"},
    "s4-4096-stated-rate": {"rate-from-loader"},
    **{
        f"s1-noise-{m}": {"truncated-bound", "fixed-order-batches"}
        for m in ("0.01", "0.1", "0.5", "1", "2", "5", "10")
    },
}


@pytest.mark.parametrize("name", example_names())
def test_the_cause_is_the_one_known_for_it(name: str) -> None:
    assert CAUSES[name] <= {cause.id for cause in audited(name).causes}


def test_an_unknown_example_is_refused() -> None:
    with pytest.raises(RefDPError, match="must be one of"):
        example_text("../../secret")


@pytest.mark.parametrize("group", published_claims.GROUPS)
def test_the_page_shows_what_the_audits_say(group: str) -> None:
    text = (published_claims.DOCS / "published-claims.md").read_text(encoding="utf-8")
    shown = text.split(f"<!-- table {group} -->\n")[1].split("\n<!-- end -->")[0]
    made = published_claims.table([audited(name) for name in published_claims.members(group)])
    number = re.compile(r"\d[\d,]*\.?\d*(?:e[-+]?\d+)?")
    assert number.sub("#", made) == number.sub("#", shown)
    numbers = [[float(x.replace(",", "")) for x in number.findall(page)] for page in (made, shown)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-4)
    assert (published_claims.DOCS / "pictures" / f"{group}.svg").stat().st_size > 1000
