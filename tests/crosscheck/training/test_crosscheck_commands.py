"""``refdp crosscheck gradients`` and ``step``: traces, stand-ins for frameworks, answers and exit codes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crosscheck.training import faulty_step as fs
from crosscheck.training.training_faults import FAULTS

from refdp.cli import run
from refdp.crosscheck.training import live, own_module
from refdp.crosscheck.training.inputs import inputs_for
from refdp.crosscheck.training.view import StepView, per_sample_gradients
from refdp.models import description, models
from refdp.schema import check_schema
from refdp.traces import Trace, read, write

PEER = """
import shutil
PACKAGE = {package!r}
METHODS = {{{name!r}: {{"grad_sample": True, "modules": True}}}}


def load():
    {load}
    return "1.2"


def answer(method, case):
    shutil.copy({trace!r}, case["out"])
    return {{"trace": case["out"]}}
"""


def honest(given: Trace) -> Trace:
    """The steps that are asked for, as DP-SGD takes them, in float64."""
    network = models.create("mlp").build((10,), 5)
    rng, taken = np.random.default_rng(1), []
    params = {name: values.astype(float) for name, values in given.steps[0].params.items()}
    for step in given.steps:
        assert step.x is not None
        assert step.y is not None
        rows = per_sample_gradients(network, params, step.x.astype(float), step.y)
        own = dataclasses.replace(
            step, params=params, grad_sample=rows, seed=None, divisor=step.expected_batch_size
        )
        total = StepView(own).clipped_sum
        assert total is not None
        assert step.clip_norm is not None
        assert step.divisor is None
        assert step.learning_rate is not None
        noised = {
            n: v + step.noise_multiplier * step.clip_norm * rng.standard_normal(v.shape)
            for n, v in total.items()
        }
        after = {n: params[n] - step.learning_rate * noised[n] / own.divisor for n in total}
        taken.append(dataclasses.replace(own, clipped_sum=total, noised_sum=noised, params_after=after))
        params = after
    return Trace(tuple(taken), {"framework": "stand-in", "version": "1.2", "model": "mlp"})


def doubled(trace: Trace) -> Trace:
    """The second step's clipped sum is twice what it should be."""
    last = trace.steps[1]
    twice = {name: 2 * values for name, values in last.clipped_sum.items()}
    return Trace((trace.steps[0], dataclasses.replace(last, clipped_sum=twice)), trace.meta)


@pytest.fixture
def frameworks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that is right, one that is wrong at step 1, one that is not installed."""
    folder = tmp_path / "peers"
    folder.mkdir()
    right = honest(inputs_for("mlp", 8, steps=2))
    for name, trace, load in [
        ("right", right, "pass"),
        ("wrong", doubled(right), "pass"),
        ("absent", right, "import no_such_package"),
    ]:
        write(trace, tmp_path / f"{name}.npz")
        text = PEER.format(package=name, name=f"{name}-way", load=load, trace=str(tmp_path / f"{name}.npz"))
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(live, "FOLDER", folder)
    return tmp_path


ASKED = ["crosscheck", "step", "--model", "mlp", "--batch-size", "8", "--steps", "2", "--quiet"]


def test_each_framework_has_a_row_and_the_step_that_parted_them(
    frameworks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*ASKED, "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    check_schema("crosscheck-live", found, "answer")
    assert found["command"] == "step"
    rows = {row["package"]: row for row in found["models"][0]["rows"]}
    assert {name: row["agrees"] for name, row in rows.items()} == {
        "right": True,
        "wrong": False,
        "absent": None,
    }
    assert rows["wrong"]["verdict"]["parted"] == {"step": 1, "stage": "clipped sum"}
    assert rows["absent"]["status"] == "not installed"
    assert max(rows["right"]["rerun"]["apart"]) < 1e-12


def test_the_table_names_what_to_install_and_what_differs(
    frameworks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ASKED) == 4
    said = capsys.readouterr().out
    assert "absent-way: not installed: No module named 'no_such_package'; install refdp[absent] here" in said
    assert "wrong-way: apart at step 1, by its clipped sum" in said
    lines = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    assert lines["right-way"].endswith("agrees")


def test_every_parameter_has_its_figures(frameworks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, "--only", "right", "--by-parameter"]) == 0
    said = capsys.readouterr().out
    for stage in ("gradients", "clipped sum"):
        for name in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"):
            assert any(line.split()[:-3] == [*stage.split(), name] for line in said.splitlines()), (
                stage,
                name,
            )


def test_only_the_right_one_is_no_disagreement(frameworks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, "--only", "right"]) == 0
    assert run([*ASKED, "--only", "absent"]) == 0
    capsys.readouterr()
    assert run([*ASKED, "--only", "abesnt"]) == 2
    assert "unknown peer 'abesnt'" in capsys.readouterr().err


def test_gradients_alone_have_no_run(frameworks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    right = honest(inputs_for("mlp", 8))
    write(right, frameworks / "right.npz")
    asked = [
        "crosscheck",
        "gradients",
        "--model",
        "mlp",
        "--batch-size",
        "8",
        "--only",
        "right",
        "--json",
        "--quiet",
    ]
    assert run(asked) == 0
    found = json.loads(capsys.readouterr().out)
    check_schema("crosscheck-live", found, "answer")
    assert found["command"] == "gradients"
    assert found["models"][0]["rows"][0]["rerun"] is None


def test_traces_and_tables_are_kept(frameworks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, table = frameworks / "kept", frameworks / "table.md"
    assert run([*ASKED, "--save", str(kept), "--markdown", str(table)]) == 4
    assert sorted(path.name for path in kept.iterdir()) == ["mlp-right-way.npz", "mlp-wrong-way.npz"]
    assert table.read_text().startswith("### mlp, 1,029 parameters, batch 8, 2 steps\n\n| framework |")
    capsys.readouterr()
    assert run(["crosscheck", "step", "--trace", str(kept / "mlp-right-way.npz")]) == 0
    assert run(["crosscheck", "step", "--trace", str(kept / "mlp-wrong-way.npz")]) == 4


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.model == "mlp"][::9], ids=str)
def test_a_fault_is_named_from_the_trace_alone(
    fault: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = fs.run(fault.model, 1, {fault.stage: fault.hook}, **fault.settings)
    meta = dict(trace.meta) | {"layers": description.describe(fs.network(fault.model))}
    write(Trace(trace.steps, meta), tmp_path / "t.npz")
    assert run(["crosscheck", "step", "--trace", str(tmp_path / "t.npz"), "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    check_schema("crosscheck-step", found, "answer")
    assert found["parted"]["stage"] == fault.stage
    stage = next(s for s in found["steps"][-1]["stages"] if s["stage"] == fault.stage)
    assert stage["causes"][0]["id"] == fault.id
    assert run(["crosscheck", "step", "--trace", str(tmp_path / "t.npz")]) == 4
    said = capsys.readouterr().out
    assert f"cause: {fault.id}" in said
    assert f"first apart at step {len(trace.steps) - 1}, by its {fault.stage}" in said


def test_a_clean_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    meta = {"layers": description.describe(fs.network("conv")), "layout": "channels-first"}
    write(Trace(fs.run("conv", 1).steps, meta), tmp_path / "t.npz")
    assert run(["crosscheck", "step", "--trace", str(tmp_path / "t.npz")]) == 0
    said = capsys.readouterr().out
    assert "every stage that could be judged agrees" in said
    assert "taken again by refdp, 3 steps: weights at most" in said


def test_a_run_that_parts_from_refdps_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fault = next(f for f in FAULTS if f.stage == "update" and f.model == "mlp")
    trace = fs.run(fault.model, 1, {"update": fault.hook}, **fault.settings)
    meta = dict(trace.meta) | {"layers": description.describe(fs.network(fault.model))}
    write(Trace(trace.steps, meta), tmp_path / "t.npz")
    assert run(["crosscheck", "step", "--trace", str(tmp_path / "t.npz"), "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    check_schema("crosscheck-step", found, "answer")
    assert found["rerun"]["parted"] == found["parted"]["step"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["step", "--trace", "no-such.npz"], "trace 'no-such.npz': cannot be read"),
        (["step", "--trace", "TRACE", "--steps", "3"], "--steps: has no effect with --trace"),
        (["step", "--trace", "TRACE", "--peer", "opacus=python"], "--peer: has no effect with --trace"),
        (["step", "--trace", "TRACE", "--model", "mlp,mnistnet"], "a trace is of one model"),
        (["step", "--trace", "TRACE", "--model", "vgg"], "unknown model 'vgg'"),
        (["step", "--trace", "TRACE", "--tolerance", "0"], "--tolerance"),
        (["gradients", "--model", "vgg"], "vgg"),
        (["gradients", "--batch-size", "0"], "--batch-size"),
        (["gradients", "--module", "a.py:A"], "--input-shape: is needed with --module"),
        (["gradients", "--module", "a.py:A", "--input-shape", "3,x"], "--input-shape '3,x': must be H,W,C"),
        (["gradients", "--module", "a.py:A", "--model", "mlp"], "--module, --model: give one of them"),
        (["gradients", "--input-shape", "3"], "--input-shape: is for --module"),
        (["gradients", "--peer", "opacus"], "must be NAME=PYTHON"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(fs.run("mlp", 1), tmp_path / "t.npz")
    arguments = [str(tmp_path / "t.npz") if part == "TRACE" else part for part in arguments]
    assert run(["crosscheck", *arguments]) == 2
    said = capsys.readouterr()
    assert text in said.err
    assert "Traceback" not in said.err
    assert not said.out


def test_what_a_module_cannot_be_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No torch here: the interpreter that has it is asked for."""
    (tmp_path / "mine.py").write_text("Net = None\n")
    assert (
        run(["crosscheck", "gradients", "--module", f"{tmp_path / 'mine.py'}:Net", "--input-shape", "4,4,1"])
        == 2
    )
    said = capsys.readouterr().err
    assert "install refdp[torch]" in said or "must give an nn.Module" in said or "no nn.Module" in said


def test_a_described_module_is_asked_about(
    frameworks: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    described = frameworks / "describer.py"
    document = description.describe(models.create("mlp").build((10,), 5))
    described.write_text(
        f"def load():\n    return '2'\n\n\ndef answer(method, case):\n    return {{'layers': {document!r}}}\n"
    )
    monkeypatch.setattr(own_module, "DESCRIBER", described)
    write(honest(inputs_for("mlp", 8)), frameworks / "right.npz")
    asked = ["crosscheck", "gradients", "--module", "mine.py:Net", "--input-shape", "10", "--batch-size", "8"]
    assert run([*asked, "--only", "right", "--quiet", "--save", str(frameworks / "kept")]) == 0
    assert "Net, 1,029 parameters" in capsys.readouterr().out
    kept = read(frameworks / "kept" / "Net-right-way.npz")
    assert kept.meta["layers"] == document
