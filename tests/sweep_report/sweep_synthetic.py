"""Made-up sweeps: the published means of s1's grid with a spread over seeds, and epsilons that fall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from refdp.sweep.grid import Grid, make_grid
from refdp.sweep.levels import solve_levels
from refdp.sweep.pictures import draw_all
from refdp.sweep.records import RUNS, SUMMARY, append_runs, write_json, write_results
from refdp.sweep.summary import summarise

SEEDS = [42, 123, 456]
NOISES = [0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0]
UPPER = {0.01: 101_918.0, 0.1: 1_193.4, 0.5: 77.3, 1.0: 28.4, 2.0: 11.5, 5.0: 3.85, 10.0: 1.76}
MEANS = {
    0.1: [0.8067, 0.8067, 0.8033, 0.8133, 0.8133, 0.8067, 0.8000],
    1.0: [0.9900, 0.9933, 0.9867, 0.9867, 0.9833, 0.9833, 0.9467],
    10.0: [0.9933, 0.9900, 0.9867, 0.9767, 0.9267, 0.8033, 0.6267],
}


def make_run(noise: float, norm: float | None, seed: int, accuracy: float, **more: Any) -> dict[str, Any]:
    """A run record; without a clip norm it is a baseline."""
    bounds: dict[str, Any] = {"lower": "inf", "upper": "inf"}
    if norm is not None:
        upper = UPPER.get(noise, 50 / noise if noise else "inf")
        bounds = {"lower": upper if upper == "inf" else 0.97 * upper, "upper": upper}
    run = {
        "noise_multiplier": noise,
        "clip_norm": norm,
        "clipping": None if norm is None else "flat",
        "seed": seed,
        "test_accuracy": accuracy,
        "epsilon": bounds,
        "delta": 1e-5,
        "sampling": "fixed-order",
        "neighboring": "zero-out",
        "dataset": "gaussian-clusters",
        "model": "mlp",
        "steps": 140,
        "seconds": 0.01,
    }
    return {**run, **more}


def make_config(**changes: Any) -> dict[str, Any]:
    """The configuration of s1's grid."""
    config = {
        "dataset": "gaussian-clusters",
        "model": "mlp",
        "sampling": "fixed-order",
        "neighboring": "zero-out",
        "delta": 1e-5,
        "noise_multipliers": NOISES,
        "clip_norms": sorted(MEANS),
        "clippings": ["flat"],
        "seeds": SEEDS,
        "baselines": True,
    }
    return {**config, **changes}


def make_runs() -> list[dict[str, Any]]:
    """The 66 runs of s1's grid; the spread over seeds grows with the noise."""
    runs = [make_run(0, None, seed, 0.99 + 0.005 * i) for i, seed in enumerate(SEEDS)]
    for norm, means in MEANS.items():
        for i, (noise, mean) in enumerate(zip(NOISES, means, strict=True)):
            for j, seed in enumerate(SEEDS):
                spread = (j - 1) * (0.006 + 0.004 * i * (norm > 1))
                runs.append(make_run(noise, norm, seed, min(1.0, round(mean + spread, 4))))
    return runs


def with_true_bounds(config: dict[str, Any], runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs with the bounds that their plans' ledgers have."""
    _, bounds = solve_levels(Grid.from_json(config).runs())
    found = []
    for run in runs:
        if run["clip_norm"] is not None:
            true = bounds[run["clipping"], run["clip_norm"], run["noise_multiplier"]]
            run = {**run, "epsilon": {"lower": true.lower, "upper": true.upper}}
        found.append(run)
    return found


def write_sweep(directory: Path, pictures: bool = True) -> Path:
    """A finished, valid sweep directory."""
    directory.mkdir(parents=True, exist_ok=True)
    config = make_grid({"sampling": "fixed-order"}).to_json()
    runs = with_true_bounds(config, make_runs())
    append_runs(directory / RUNS, runs)
    write_results(directory, config, runs)
    summary = summarise(config, runs)
    write_json(directory / SUMMARY, summary)
    if pictures:
        draw_all(directory, config, summary)
    return directory
