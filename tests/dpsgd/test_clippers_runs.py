"""Clipping rules from the command line, and their page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from clipper_checks import NAMES, make

from benchmarks import mechanisms
from refdp.cli import run
from refdp.clippers import clippers

SMALL = ["--dataset", "gaussian-clusters:n_samples=50", "--epochs", "1", "--batch-size", "20"]
SMALL += ["--sampling", "fixed-order"]  # accounted at once


@pytest.mark.parametrize("spec", [*NAMES, "psasc:r=0.1,s=0.5"])
def test_train_with_every_rule(spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Same noise multiplier, same epsilon: that of one Gaussian step an epoch, and more where a count is charged or
    the noise falls. The statement names K."""
    private = ["--noise-multiplier", "1", "--clipping", spec, "--clip-norm", "2"]
    assert run(["train", *SMALL, *private, "--output", str(tmp_path / "run")]) == 0
    statement = capsys.readouterr().out
    costs_more = spec in ("quantile", "per-layer-quantile", "dynamic")
    found = re.search(r"epsilon <= ([0-9.]+) ", statement)
    assert found
    assert float(found[1]) > 4.4 if costs_more else found[1] == "4.37718"
    assert f"sums clipped to {make(spec, 2.0).bound_text()}, noise multiplier 1 " in statement


def test_a_sweep_over_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule's parameters hold commas too."""
    grid = ["--clip-norms", "1", "--noise-multipliers", "1", "--seeds", "0", "--jobs", "1", "--quiet"]
    rules = ["--clippings", "auto-s:relative=true,gamma=0.02,water-filling,psasc:r=0.1,s=0.5"]
    assert run(["sweep", *SMALL, *grid, *rules, "--json", "--output", str(tmp_path / "sweep")]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert {cell["clipping"] for cell in cells} == {
        "auto-s:relative=true,gamma=0.02",
        "water-filling",
        "psasc:r=0.1,s=0.5",
    }


def test_the_page_is_made_from_the_registry() -> None:
    """Run `python benchmarks/mechanisms.py` after a change to a rule."""
    page = (mechanisms.DOCS / "mechanisms.md").read_text(encoding="utf-8")
    assert page == mechanisms.rewritten(page)
    table = page[page.index("<!-- clippings -->") : page.index("<!-- end -->")]
    rules = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert rules[1:] == list(NAMES)
    assert "<svg" in (mechanisms.DOCS / "pictures" / "clippings.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_ranges_on_the_page_are_those_enforced(name: str) -> None:
    for parameter, ends in clippers.get(name).ranges.items():
        extra = ",variant=0c" if parameter == "epochs" else ""
        for value in ends:
            clip_norm = value if parameter in ("min_clip_norm", "max_clip_norm") else 1e-20
            make(
                f"{name}:{parameter}={value:.0f}{extra}" if extra else f"{name}:{parameter}={value}",
                clip_norm,
            )


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_says_what_it_is(name: str) -> None:
    rule = clippers.get(name)
    for text in (rule.equation, rule.bound_equation, rule.guarantee, rule.citation, rule.__doc__ or ""):
        assert text
        assert "\n" not in text
        assert "|" not in text
    assert rule.name == name
