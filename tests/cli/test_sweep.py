"""``sweep``: the grid, its records, resuming and validation."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from refdp.cli import run
from refdp.config import build
from refdp.sweep.grid import S1_CLIP_NORMS, S1_NOISE_MULTIPLIERS, S1_SEEDS, make_grid
from refdp.sweep.records import read_runs, run_key
from refdp.sweep.validate import validate

SMALL = [
    "sweep",
    "--noise-multipliers",
    "1,8",
    "--clip-norms",
    "1",
    "--seeds",
    "1,2",
    "--epochs",
    "2",
    "--jobs",
    "1",
]


def sweep(path: Path, *more: str) -> None:
    assert run([*SMALL, "--output", str(path), "--quiet", *more]) == 0


def without_time(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(({**r, "seconds": 0} for r in records), key=lambda r: str(run_key(r)))


def test_no_arguments_mean_s1s_grid() -> None:
    grid = make_grid({})
    assert (grid.noise_multipliers, grid.clip_norms, grid.seeds) == (
        S1_NOISE_MULTIPLIERS,
        S1_CLIP_NORMS,
        S1_SEEDS,
    )
    assert len(grid.runs()) == 66
    assert len({run_key_of(config) for config in grid.runs()}) == 66
    assert sum(config.clipping is None for config in grid.runs()) == 3
    assert grid.sampling == "poisson"


def run_key_of(config: Any) -> Any:
    from refdp.sweep.runner import record_of

    return run_key(record_of(config, None, 0.0, 0.0))


def test_a_small_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(tmp_path / "a")
    out = capsys.readouterr().out
    assert "epsilon" in out
    assert "C = 1" in out
    assert str(tmp_path / "a") in out
    assert run(["sweep", "--validate", str(tmp_path / "a")]) in (
        0,
        2,
    )  # 2: two epochs leave the baseline below .5
    records = read_runs(tmp_path / "a" / "runs.jsonl")
    assert len(records) == 6
    baseline = next(r for r in records if r["clip_norm"] is None)
    assert baseline["epsilon"] == {"lower": "inf", "upper": "inf"}
    assert baseline["noise_multiplier"] == 0
    assert {p.name for p in (tmp_path / "a").glob("*.png")} == {
        "accuracy_vs_epsilon.png",
        "gap_to_baseline.png",
        "clipping_effect.png",
        "heatmap.png",
    }


def test_jobs_change_nothing(tmp_path: Path) -> None:
    sweep(tmp_path / "a")
    sweep(tmp_path / "b", "--jobs", "2")
    a, b = (without_time(read_runs(tmp_path / d / "runs.jsonl")) for d in "ab")
    assert a == b


def test_a_sweep_by_target_epsilon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "sweep",
        "--target-epsilons",
        "1,4",
        "--clip-norms",
        "1",
        "--seeds",
        "1",
        "--epochs",
        "2",
        "--jobs",
        "1",
    ]
    assert run([*options, "--output", str(tmp_path / "a"), "--json", "--quiet"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert sorted(cell["target_epsilon"] for cell in summary["cells"]) == [1.0, 4.0]
    for record in read_runs(tmp_path / "a" / "runs.jsonl"):
        if record["clip_norm"] is not None:
            assert record["epsilon"]["upper"] <= record["target_epsilon"]


def test_resume_runs_only_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    sweep(path)
    whole = read_runs(path / "runs.jsonl")
    lines = (path / "runs.jsonl").read_text().splitlines(keepends=True)
    (path / "runs.jsonl").write_text("".join(lines[:3]) + lines[3][:20])  # killed in the middle of a line
    for name in ("results.json", "summary.json"):
        (path / name).unlink()
    assert run(["sweep", "--output", str(path), "--resume", "--jobs", "1", "--quiet"]) == 0
    again = read_runs(path / "runs.jsonl")
    assert again[:3] == whole[:3]
    assert without_time(again) == without_time(whole)


def test_a_killed_sweep_keeps_what_had_ended(tmp_path: Path) -> None:
    path = tmp_path / "a"
    options = [
        "sweep",
        "--noise-multipliers",
        "1,2,3,4,5,6",
        "--epochs",
        "100",
        "--jobs",
        "1",
        "--output",
        str(path),
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", "from refdp.cli import main; main()", *options, "--quiet"],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (
        (path / "runs.jsonl").exists() and len((path / "runs.jsonl").read_bytes().splitlines()) >= 3
    ):
        time.sleep(0.02)
    process.kill()
    process.wait()
    kept = read_runs(path / "runs.jsonl")
    assert len(kept) >= 2
    lines = (path / "runs.jsonl").read_bytes().splitlines(keepends=True)
    assert len(kept) >= len([line for line in lines if line.endswith(b"\n")])


@pytest.mark.parametrize("more", [["--clip-norms", "2"], ["--seeds", "7"], ["--sampling", "shuffle"]])
def test_resume_refuses_another_grid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    sweep(tmp_path / "a")
    capsys.readouterr()
    assert run(["sweep", "--output", str(tmp_path / "a"), "--resume", *more]) == 2
    assert "the sweep was made with" in capsys.readouterr().err


def test_a_used_directory_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("precious")
    assert run([*SMALL, "--output", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize("sampling", ["shuffle", "fixed-order"])
def test_epsilons_are_those_of_the_sampler_used(tmp_path: Path, sampling: str) -> None:
    sweep(tmp_path / "a")
    sweep(tmp_path / "b", "--sampling", sampling)
    eps = {}
    for name in "ab":
        records = read_runs(tmp_path / name / "runs.jsonl")
        eps[name] = {r["noise_multiplier"]: r["epsilon"]["upper"] for r in records if r["clip_norm"]}
    assert all(eps["b"][noise] > eps["a"][noise] for noise in eps["a"])


@pytest.mark.slow
def test_s1s_sweep_with_fixed_order_agrees_with_its_published_means(tmp_path: Path) -> None:
    """Means over 3 seeds; tolerances are what three seeds allow (s1's own initial weights and noise differ)."""
    assert run(["sweep", "--sampling", "fixed-order", "--output", str(tmp_path / "a"), "--quiet"]) == 0
    assert run(["sweep", "--validate", str(tmp_path / "a")]) == 0
    published = {
        0.1: dict.fromkeys(S1_NOISE_MULTIPLIERS, (0.77, 0.25)),
        1.0: {
            0.01: 0.99,
            0.1: 0.9933,
            0.5: 0.9867,
            1.0: 0.9867,
            2.0: 0.9833,
            5.0: 0.9833,
            10.0: (0.95, 0.07),
        },
        10.0: {
            0.01: 0.9933,
            0.1: 0.99,
            0.5: 0.9867,
            1.0: (0.979, 0.04),
            2.0: (0.917, 0.1),
            5.0: (0.787, 0.19),
        },
    }
    published[10.0][10.0] = (0.657, 0.27)
    cells = json.loads((tmp_path / "a" / "summary.json").read_text())["cells"]
    assert len(cells) == 21
    for cell in cells:
        want = published[cell["clip_norm"]][cell["noise_multiplier"]]
        centre, width = want if isinstance(want, tuple) else (want, 0.03)
        assert abs(cell["mean"] - centre) <= width, cell


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see child processes")
def test_a_killed_sweep_leaves_no_workers_behind(tmp_path: Path) -> None:
    path = tmp_path / "a"
    options = ["sweep", "--epochs", "5000", "--jobs", "2", "--output", str(path), "--quiet"]
    command = [sys.executable, "-c", "from refdp.cli import main; main()", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        workers: list[str] = []
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(workers) < 2:
            time.sleep(0.1)
            spawned = [pid for pid in children.read_text().split() if "spawn_main" in _command_line(pid)]
            workers = [pid for pid in spawned if len(list(Path(f"/proc/{pid}/task").iterdir())) > 1]
        assert len(workers) >= 2
        process.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any("spawn_main" in _command_line(pid) for pid in workers):
        time.sleep(0.1)
    assert not [pid for pid in workers if "spawn_main" in _command_line(pid)]


def _command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


COSINE = "cosine:amplitude=0.5"


def test_a_schedule_reaches_every_run_its_epsilon_and_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(tmp_path / "a")
    capsys.readouterr()
    sweep(tmp_path / "b", "--schedule", COSINE)
    assert f"poisson, schedule {COSINE}" in capsys.readouterr().out
    assert json.loads((tmp_path / "b" / "config.json").read_text())["schedule"] == COSINE
    assert json.loads((tmp_path / "b" / "summary.json").read_text())["setting"]["schedule"] == COSINE
    constant, cosine = ({run_key(r): r for r in read_runs(tmp_path / d / "runs.jsonl")} for d in "ab")
    for key, record in cosine.items():
        assert record["schedule"] == COSINE
        if record["clip_norm"] is not None:
            options = {"schedule": COSINE, "epochs": 2}
            plan, _ = build(
                replace(make_grid(options).runs()[-1], noise_multiplier=record["noise_multiplier"])
            )
            assert record["epsilon"]["upper"] == plan.epsilon().upper != constant[key]["epsilon"]["upper"]
    passed = {check.name: check.passed for check in validate(tmp_path / "b")}
    assert passed["epsilon recomputed"]
    assert passed["setting"]


def test_resume_keeps_the_schedule_and_refuses_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a"
    sweep(path, "--schedule", COSINE)
    whole = read_runs(path / "runs.jsonl")
    lines = (path / "runs.jsonl").read_text().splitlines(keepends=True)
    (path / "runs.jsonl").write_text("".join(lines[:3]))
    assert run(["sweep", "--output", str(path), "--resume", "--schedule", "constant"]) == 2
    assert (
        f"--schedule 'constant': the sweep was made with '{COSINE}'; leave it out" in capsys.readouterr().err
    )
    assert (
        run(["sweep", "--output", str(path), "--resume", "--schedule", COSINE, "--jobs", "1", "--quiet"]) == 0
    )
    assert without_time(read_runs(path / "runs.jsonl")) == without_time(whole)


def test_a_sweep_from_before_there_was_a_schedule_is_resumed_and_checked_as_constant(tmp_path: Path) -> None:
    path = tmp_path / "a"
    sweep(path)
    config = json.loads((path / "config.json").read_text())
    del config["schedule"]
    (path / "config.json").write_text(json.dumps(config))
    assert run(["sweep", "--output", str(path), "--resume", "--schedule", "constant", "--quiet"]) == 0
    assert run(["sweep", "--output", str(path), "--resume", "--schedule", COSINE]) == 2


@pytest.mark.parametrize("schedule", ["zigzag", "cosine", "cosine:amplitude=2", "cosine:amplitude=x"])
def test_a_bad_schedule_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], schedule: str
) -> None:
    assert run([*SMALL, "--output", str(tmp_path / "a"), "--schedule", schedule]) == 2
    error = capsys.readouterr().err
    assert "schedule" in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "a").exists()


def test_rules_are_compared_in_one_table_and_one_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(tmp_path / "a", "--clippings", "flat,psac:r=0.5,nsgd")
    out = capsys.readouterr().out
    assert (tmp_path / "a" / "clippings.png").is_file()
    assert "clippings.png" in out
    assert sum(line.startswith("psac:r=0.5 ") for line in out.splitlines()) == 1
    assert {check.name for check in validate(tmp_path / "a") if not check.passed} <= {"baseline"}


def test_augmentation_and_iterates_reach_every_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(tmp_path / "a")
    sweep(tmp_path / "b", "--iterates", "average:memory=3")
    assert "iterates average:memory=3" in capsys.readouterr().out
    plain, averaged = (read_runs(tmp_path / name / "runs.jsonl") for name in "ab")
    assert {r["iterates"] for r in averaged} == {"average:memory=3"}
    assert without_time(plain) != [{**r, "iterates": None} for r in without_time(averaged)]
    assert {check.name for check in validate(tmp_path / "b") if not check.passed} <= {"baseline"}
    assert run([*SMALL, "--output", str(tmp_path / "c"), "--augmentation", "shift:views=2"]) == 2
    assert "augmentation" in capsys.readouterr().err  # the points of gaussian-clusters are no images
