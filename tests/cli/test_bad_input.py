"""Every option refuses what it cannot mean: exit 2, one line on stderr, nothing on stdout, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from refdp.cli import run

EPSILON = ["epsilon", "--noise-multiplier", "1", "--sample-rate", "0.1", "--steps", "10"]
DELTA = ["delta", "--epsilon", "1", *EPSILON[1:]]
CALIBRATE = ["calibrate", "--target-epsilon", "3", "--sample-rate", "0.1", "--steps", "10"]
TRAIN = ["train", "--dataset", "gaussian-clusters", "--noise-multiplier", "1"]
SWEEP = ["sweep"]

REALS = ["nan", "inf", "-inf", "-1", "text", "", "1,2"]
COUNTS = [*REALS, "2.5", "2.0", "1e3"]


def cases() -> list[list[str]]:
    found = []
    for base in (EPSILON, DELTA, CALIBRATE):
        if base is not DELTA:
            found += [[*base, "--delta", bad] for bad in [*REALS, "0", "1", "2"]]
        found += [[*base, "--sample-rate", bad] for bad in [*REALS, "1.5", "2"]]
        found += [[*base, "--steps", bad] for bad in COUNTS]
        found += [[*base, "--epochs", bad] for bad in COUNTS]
        found += [[*base, "--batch-size", bad] for bad in [*COUNTS, "0"]]
        found += [[*base, "--dataset-size", bad] for bad in [*COUNTS, "0"]]
        found += [[*base, "--neighboring", bad] for bad in ["", "none", "replace"]]
        found += [[*base, "--sampling", bad] for bad in ["", "none", "without-replacement"]]
        for option in ("--max-batch-size", "--bins", "--group-size"):
            found += [[*base, option, bad] for bad in [*COUNTS, "0"]]
        found += [[*base, "--bins", "3"], [*base, "--max-batch-size", "3"], [*base, "--group-size", "1001"]]
        found += [[*base, "--accountant", bad] for bad in ["", "prv", "gaussian"]]
        found += [[*base, "--schedule", bad] for bad in BAD_SCHEDULES]
        found += [
            [*base, "--epochs", "3"],
            [*base, "--nonsense", "1"],
        ]
    found += [[*EPSILON, "--noise-multiplier", bad] for bad in REALS]
    found += [[*CALIBRATE, "--target-epsilon", bad] for bad in [*REALS, "0"]]
    found += [[*CALIBRATE, "--solve-for", bad] for bad in ["", "epochs", "steps", "sample-rate", "delta"]]
    found += [[*DELTA, "--epsilon", bad] for bad in REALS]
    for base in (EPSILON, DELTA):
        found += [[*base, "--conversion", bad] for bad in ["", "none"]]
        found += [[*base, "--plot", bad] for bad in ["", "curve", "curve.txt", "/nonexistent/curve.png"]]
    found += [["epsilon", "--check-certificate", bad] for bad in ["", "/nonexistent"]]
    found += [
        [*EPSILON, "--certificate", "/nonexistent/proof.json"],
        [*EPSILON, "--certify", "--accountant", "rdp"],
    ]
    for option in ("--noise-multiplier", "--target-epsilon"):
        bad_values = REALS if option == "--noise-multiplier" else [*REALS, "0"]
        found += [["train", "--dataset", "gaussian-clusters", option, bad] for bad in bad_values]
    found += [[*TRAIN, "--clip-norm", bad] for bad in [*REALS, "0", "1e-31", "1e31"]]
    found += [[*TRAIN, "--delta", bad] for bad in [*REALS, "0", "1"]]
    found += [[*TRAIN, "--learning-rate", bad] for bad in [*REALS, "0"]]
    for option in ("--batch-size", "--physical-batch-size", "--epochs"):
        found += [[*TRAIN, option, bad] for bad in [*COUNTS, "0"]]
    found += [[*TRAIN, "--seed", bad] for bad in [*COUNTS, str(2**128)]]
    found += [[*TRAIN, "--batch-size", "401"]]
    for option in ("--dataset", "--model", "--clipping", "--optimizer", "--lr-schedule", "--sampling"):
        found += [[*TRAIN, option, bad] for bad in ["", "none", "none:a=1", ":a=1"]]
    found += [[*TRAIN, "--neighboring", "all"], [*TRAIN, "--backend", "torch"]]
    found += [[*TRAIN, "--schedule", bad] for bad in BAD_SCHEDULES]
    found += [[*TRAIN, "--optimizer", f"sgd:momentum={bad}"] for bad in ["nan", "1", "-1", "x"]]
    found += [
        [*TRAIN, "--model", f"mlp:{bad}"] for bad in ["hidden=0", "hidden=1.5", "activation=gelu", "width=3"]
    ]
    found += [[*TRAIN, "--model", "mnistnet"], [*TRAIN, "--clipping", "flat:clip_norm=1"]]
    found += [[*TRAIN, "--target-epsilon", "3"], ["train", "--dataset", "gaussian-clusters"], ["train"]]
    found += [[*TRAIN, "--resume"], [*TRAIN, "--sampling", "shuffle", "--neighboring", "add-remove"]]
    found += [[*TRAIN, "--dataset", "mnist", "--data-dir", "/nonexistent"]]
    found += [[*TRAIN, "--dataset", "gaussian-clusters:n_classes=7"]]
    for option in ("--noise-multipliers", "--target-epsilons", "--clip-norms"):
        found += [
            [*SWEEP, option, bad] for bad in ["nan", "inf", "-1", "0", "text", "", "1,,2", "1,1", "1;2"]
        ]
    found += [[*SWEEP, "--seeds", bad] for bad in ["-1", "1.5", "x", "", "1,1"]]
    found += [[*SWEEP, "--jobs", bad] for bad in [*COUNTS, "0"]]
    found += [[*SWEEP, "--delta", bad] for bad in ["nan", "0", "1", "x"]]
    for option in ("--dataset", "--model", "--clippings", "--optimizer", "--lr-schedule", "--sampling"):
        found += [[*SWEEP, option, bad] for bad in ["", "none"]]
    for option in ("--batch-size", "--epochs"):
        found += [[*SWEEP, option, bad] for bad in [*COUNTS, "0"]]
    found += [[*SWEEP, "--batch-size", "401"], [*SWEEP, "--learning-rate", "0"], [*SWEEP, "--resume"]]
    found += [
        [*SWEEP, "--noise-multipliers", "1", "--target-epsilons", "1"],
        [*SWEEP, "--validate", "/nonexistent"],
    ]
    found += [
        ["nonsense"],
        ["epsilon"],
        ["delta"],
        ["delta", "--epsilon", "1"],
        ["calibrate"],
        ["epsilon", "--noise-multiplier", "1"],
    ]
    found += [
        ["epsilon", "--ledger", "/nonexistent"],
        ["epsilon", "--cases", "/nonexistent"],
        [*EPSILON, "--ledger", "x"],
    ]
    found += [
        ["epsilon", "--noise-multiplier", "1", "--batch-size", "9", "--dataset-size", "8", "--steps", "1"]
    ]
    found += [
        [
            "epsilon",
            "--noise-multiplier",
            "1",
            "--sampling",
            "shuffle",
            "--sample-rate",
            "0.1",
            "--epochs",
            "1",
        ]
    ]
    found += [["epsilon", "--noise-multiplier", "1", "--sampling", "shuffle", "--steps", "1"]]
    found += [["calibrate", "--target-epsilon", "1", "--sample-rate", "0", "--steps", "5"]]
    found += [["calibrate", "--target-epsilon", "1", "--sample-rate", "0.5", "--steps", "0"]]
    found += [["calibrate", "--target-epsilon", "1e-12", "--sample-rate", "1", "--steps", "1000000000000"]]
    return found


BAD_SCHEDULES = [
    "",
    "none",
    "cosine",
    "cosine:amplitude=1",
    "cosine:amplitude=-1",
    "cosine:amplitude=nan",
    "cosine:amplitude=x",
    "cosine:amplitude=0.1,phase=2",
    "constant:amplitude=0.1",
    "cosine:amplitude=0.1,normalise=mean",
]


@pytest.mark.parametrize("arguments", cases(), ids=" ".join)
def test_bad_input_is_one_helpful_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REFDP_DATA", raising=False)
    code = run(arguments)
    out, err = capsys.readouterr()
    assert code == 2, err
    assert out == ""
    line = err.strip()
    assert line.startswith("refdp: error: ")
    assert "\n" not in line
    assert len(line) > 30
    assert "Traceback" not in line
    assert list(tmp_path.iterdir()) == [], "a refused command left files behind"
