"""Every choice of a run reaches the command line: schedules, learning rates, views, past weights, adaptive clipping."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from data.data_files import write_mnist

from refdp.accounting import Ledger, epsilon
from refdp.cli import run

SMALL = ["train", "--dataset", "gaussian-clusters:n_samples=50", "--epochs", "4", "--batch-size", "20"]
SMALL += ["--sampling", "fixed-order"]  # accounted at once
CHOICES = [
    ["--schedule", "linear:start=1.5,end=0.5"],
    ["--schedule", "exponential:start=2,end=1"],
    ["--schedule", "step:factor=0.5,every=1"],
    ["--schedule", "noise-decay:factor=0.8,every=1"],
    ["--schedule", "cosine:amplitude=0.25,normalise=harmonic"],
    ["--clipping", "quantile:share=0.05,quantile=0.7", "--schedule", "cosine:amplitude=0.5"],
    ["--clipping", "per-layer-quantile:allocation=dimension,renormalise=true"],
    ["--clipping", "per-layer:bounds=1/2/3/4,allocation=equal"],
    ["--clipping", "dynamic:rho_c=4"],
    ["--clipping", "quantile", "--per-sample", "ghost"],
    ["--per-sample", "explicit"],
    ["--lr-schedule", "plateau:every=1,patience=0"],
    ["--lr-schedule", "plateau-public:every=2"],
    ["--iterates", "average:memory=3,decay=0.5", "--optimizer", "adam:bias_correction=dp"],
]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: " ".join(choice))
def test_a_run_keeps_its_budget_and_can_be_resumed(
    choice: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ledger costs what the answer says, at most the target; a resumed run has the same weights."""
    known = ["--seed", "3", "--target-epsilon", "2.5", "--json"]
    assert run([*SMALL, *choice, *known, "--output", str(tmp_path / "run")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["epsilon"]["upper"] <= 2.5
    ledger = Ledger.from_json(json.loads((tmp_path / "run" / "ledger.json").read_text()))
    assert epsilon(ledger, 1e-5).upper == answer["epsilon"]["upper"]
    weights = dict(np.load(tmp_path / "run" / "weights.npz"))
    assert run(["train", "--output", str(tmp_path / "run"), "--resume", "--quiet"]) == 0
    for name, values in np.load(tmp_path / "run" / "weights.npz").items():
        np.testing.assert_array_equal(values, weights[name])


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (["--clipping", "dynamic", "--schedule", "cosine:amplitude=0.1"], "leave --schedule out"),
        (["--clipping", "per-layer:bounds=1/2"], "2 numbers for 4 parameter tensors"),
        (["--clipping", "per-layer:bounds=1/x"], "must be uniform, dimension, or a number > 0"),
        (["--clipping", "per-layer:allocation=none"], "allocation = 'none': must be one of"),
        (["--clipping", "quantile:count_noise=1,share=0.1"], "give one of them at most"),
        (["--clipping", "quantile:min_clip_norm=5"], "clip_norm = 1.0: must be in"),
        (["--clipping", "quantile:count_noise=0.1"], "target_epsilon = 2.5"),
        (["--augmentation", "shift:views=2"], "need images"),
        (["--lr-schedule", "plateau:count_noise=0.01"], "target_epsilon = 2.5"),
        (["--schedule", "step:factor=0.5"], "parameter 'every' is required"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    choice: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*SMALL, *choice, "--target-epsilon", "2.5", "--output", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err.strip()
    assert says in error
    assert "\n" not in error


def test_views_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A known seed on real data is warned about, and leaves the run as it is."""
    write_mnist(tmp_path / "mnist", train=40)
    flags = ["--dataset", "mnist", "--data-dir", str(tmp_path / "mnist"), "--model", "mlp:hidden=4"]
    flags += ["--epochs", "1", "--batch-size", "20", "--noise-multiplier", "1", "--seed", "1"]
    flags += ["--sampling", "fixed-order"]
    command = ["train", *flags, "--augmentation", "shift:views=3,pixels=2", "--output", str(tmp_path / "run")]
    assert run(command) == 0
    found = capsys.readouterr()
    assert "WARNING: --seed 1 on real data" in found.err
    assert "averaged, before clipping, over 3 views of the record" in found.out


@pytest.mark.parametrize("share", ["0.999", "1e-12"])
def test_next_to_no_noise_with_a_share_for_the_counts(
    share: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private = ["--noise-multiplier", "1e-200", "--clipping", f"quantile:share={share}"]
    assert run([*SMALL, *private, "--json", "--output", str(tmp_path / "run")]) == 0
    assert json.loads(capsys.readouterr().out)["epsilon"]["upper"] == "inf"
