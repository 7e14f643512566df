"""Any grid, whole or not: the summary keeps its promises and nothing downstream of it breaks."""

from __future__ import annotations

import io
import json
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from sweep_synthetic import make_config, make_run

from refdp.schema import check_schema
from refdp.sweep.pictures import PICTURES
from refdp.sweep.records import csv_text, number
from refdp.sweep.summary import summarise
from refdp.sweep.table import plain_table, sweep_table

accuracies = st.floats(0, 1)
bounds = st.one_of(st.none(), st.just("inf"), st.floats(0, 1e9), st.floats(0, 1e300))
noises = st.one_of(st.sampled_from([0, 0.5, 1, 2.0]), st.floats(0, 100))


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A configuration and a random part of its runs."""
    levels = draw(st.lists(noises, max_size=4, unique=True))
    targets = draw(st.lists(st.floats(0.01, 100), max_size=2, unique=True))
    config = make_config(
        noise_multipliers=levels,
        target_epsilons=targets,
        clip_norms=draw(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=3, unique=True)),
        clippings=draw(
            st.lists(st.sampled_from(["flat", "auto-s", "psac"]), min_size=1, max_size=3, unique=True)
        ),
        seeds=draw(st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True)),
    )
    share = draw(st.sampled_from([0.3, 0.8, 1.0]))
    rng = random.Random(draw(st.integers(0, 1000)))
    runs = [make_run(0, None, seed, draw(accuracies)) for seed in config["seeds"] if rng.random() < share]
    for clipping in config["clippings"]:  # each rule may have its own ledger
        asked = [(noise, None) for noise in levels] + [(draw(noises), target) for target in targets]
        epsilons = [{"lower": draw(bounds), "upper": draw(bounds)} for _ in asked]
        for norm in config["clip_norms"]:
            for (noise, target), epsilon in zip(asked, epsilons, strict=True):
                for seed in config["seeds"]:
                    if rng.random() < share:
                        more = {"clipping": clipping, "epsilon": epsilon, "target_epsilon": target}
                        runs.append(make_run(noise, norm, seed, rng.random(), **more))
    return config, runs


@given(sweeps(), st.randoms(use_true_random=False))
def test_invariants(sweep: tuple[dict[str, Any], list[dict[str, Any]]], rng: random.Random) -> None:
    config, runs = sweep
    summary = summarise(config, runs)
    check_schema("sweep-summary", summary, "summary")
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary

    shuffled = list(runs)
    rng.shuffle(shuffled)
    assert summarise(config, shuffled) == summary, "the order of the runs matters"

    cells, baseline = summary["cells"], summary["baseline"]
    assert sum(cell["n"] for cell in cells) + baseline["n"] == len(runs)
    for cell in cells:
        assert (cell["std"] is None) == (cell["n"] == 1)
        assert (cell["gap"] is None) == (baseline["mean"] is None)
    for clipping, best in summary["best_clip_norm"].items():
        assert best["clip_norm"] in {cell["clip_norm"] for cell in cells if cell["clipping"] == clipping}

    cliff = summary["privacy_cliff"]
    if baseline["mean"] is not None:
        assert cliff["exists"] == bool(cliff["configurations"])
        assert all(cell["mean"] < cliff["threshold"] for cell in cliff["configurations"])

    region = summary["safe_region"]
    assert (region["exists"] is True) == (region["reason"] is None)
    if region["exists"]:
        at_best = [
            (number(cell["epsilon"]["upper"]), cell["mean"])
            for cell in cells
            if (cell["clipping"], cell["clip_norm"]) == (region["clipping"], region["clip_norm"])
            and cell["epsilon"]["upper"] is not None
        ]
        start = region["starts_at_epsilon"]
        assert start in [upper for upper, _ in at_best]
        assert all(mean >= region["threshold"] - 1e-9 for upper, mean in at_best if upper >= start)
        below = [upper for upper, _ in at_best if upper < start]
        if below:
            assert any(mean < region["threshold"] for upper, mean in at_best if upper == max(below))


@given(sweeps(), st.integers(20, 200))
def test_tables_and_csv_never_fail(sweep: tuple[dict[str, Any], list[dict[str, Any]]], width: int) -> None:
    config, runs = sweep
    summary = summarise(config, runs)
    text = plain_table(summary, width)
    assert text.endswith("\n")
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert all(text.count(f"{cell['mean']:.3f}") for cell in summary["cells"])
    console = Console(file=io.StringIO(), width=200)
    console.print(sweep_table(summary, 200))
    assert all(f"{cell['mean']:.3f}" in console.file.getvalue() for cell in summary["cells"])  # type: ignore[attr-defined]
    assert len(csv_text(runs).splitlines()) == 1 + len(runs)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sweeps(), st.sampled_from(sorted(PICTURES.values())))
def test_pictures_never_fail(sweep: tuple[dict[str, Any], list[dict[str, Any]]], module: str) -> None:
    import importlib

    from refdp.sweep.plots.frame import png

    figure = importlib.import_module(f"refdp.sweep.plots.{module}").draw(summarise(*sweep))
    assert png(figure).startswith(b"\x89PNG")
