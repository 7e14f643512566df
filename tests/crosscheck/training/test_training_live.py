"""Live peers without any framework: who is known, what they are given, and what comes of peers that misbehave."""

from __future__ import annotations

import ast
import os
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from live_cases import LIMITS, network

from refdp.crosscheck.training import inputs
from refdp.crosscheck.training.inputs import inputs_for
from refdp.crosscheck.training.live import FOLDER, LivePeer, chosen, peers, record
from refdp.crosscheck.training.view import norms_of, per_sample_gradients
from refdp.errors import RefDPError

KNOWN = {
    "opacus-hooks": "opacus",
    "opacus-functorch": "opacus",
    "opacus-ghost": "opacus",
    "torch-vmap": "torch",
    "jax-vmap": "jax",
    "jax-privacy": "jax-privacy",
}
FAKE = """
import shutil, sys, os, time
import numpy as np
PACKAGE = "fake"
METHODS = {"fake": {"grad_sample": True, "modules": False}}


def load():
    return "1.2"


def answer(method, case):
"""


def fake(folder: Path, body: str) -> LivePeer:
    (folder / "fake.py").write_text(FAKE + textwrap.indent(textwrap.dedent(body), "    "), encoding="utf-8")
    (peer,) = peers(folder)
    return peer


def test_the_peers_are_known_without_running_them() -> None:
    assert {peer.name: peer.package for peer in peers()} == KNOWN
    assert [peer.name for peer in peers() if not peer.makes_gradients] == ["opacus-ghost"]
    assert {peer.name for peer in peers() if not peer.takes_modules} == {"jax-vmap", "jax-privacy"}


def test_peers_are_chosen_by_name_or_package() -> None:
    assert [peer.name for peer in chosen(["opacus", "jax-vmap"], peers())] == [
        "jax-vmap",
        "opacus-hooks",
        "opacus-functorch",
        "opacus-ghost",
    ]
    with pytest.raises(RefDPError, match="unknown peer 'opcaus': choose among jax-vmap"):
        chosen(["opcaus"], peers())


def test_half_a_peer_is_refused_and_other_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("PACKAGE = 'torch'\n", encoding="utf-8")
    assert peers(tmp_path) == ()
    (tmp_path / "half.py").write_text("METHODS = {}\n", encoding="utf-8")
    with pytest.raises(RefDPError, match=r"half\.py: assigns METHODS, must assign PACKAGE too"):
        peers(tmp_path)
    (tmp_path / "half.py").write_text("PACKAGE = 'half'\nMETHODS = dict()\n", encoding="utf-8")
    with pytest.raises(RefDPError, match="METHODS must be a literal"):
        peers(tmp_path)


@pytest.mark.parametrize(
    "path", sorted(FOLDER.rglob("*.py")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_nothing_that_runs_elsewhere_imports_refdp(path: Path) -> None:
    beside = {file.stem for file in (FOLDER / "shared").glob("*.py")}
    allowed = {*sys.stdlib_module_names, "numpy", "torch", "jax", "opacus", "jax_privacy", *beside}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert {name.split(".")[0] for name in names} <= allowed


def test_a_trace_comes_back_with_version_and_settings(tmp_path: Path) -> None:
    peer = fake(tmp_path, "shutil.copy(case['inputs'], case['out'])\nreturn {'trace': case['out']}")
    given = inputs_for("mlp", 4, steps=2)
    ((same, outcome, trace),) = record([peer], {"fake": sys.executable}, given, **LIMITS)
    assert (same, outcome.status, outcome.version) == (peer, "ok", "1.2")
    assert trace is not None
    assert trace.meta == {"model": "mlp"}
    np.testing.assert_array_equal(trace.steps[1].x, given.steps[1].x)


@pytest.mark.parametrize(
    ("body", "status", "cause"),
    [
        ("raise NotImplementedError('no such layer')", "unsupported", "no such layer"),
        ("raise ValueError('boom')", "crashed", "ValueError: boom"),
        ("return {'trace': case['out']}", "crashed", "its trace: "),
        ("np.savez(case['out'], what=np.zeros(3)); return {}", "crashed", "'what': unknown"),
        ("np.savez(case['out'], norms=np.zeros(3)); return {}", "crashed", "holds 1 steps: must be 2"),
        ("x = bytearray(2**36); return {}", "out of memory", ""),
    ],
)
def test_what_went_wrong_is_said_and_no_trace_made_up(
    tmp_path: Path, body: str, status: str, cause: str
) -> None:
    limits = LIMITS | {"memory": 2**34}
    ((_, outcome, trace),) = record([fake(tmp_path, body)], {}, inputs_for("mlp", 4, steps=2), **limits)
    assert (outcome.status, trace) == (status, None)
    assert cause in str(outcome.cause)


def test_a_peer_that_hangs_is_cut_off_and_others_still_answer(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    slow = fake(tmp_path / "a", "time.sleep(60)")
    quick = fake(tmp_path, "shutil.copy(case['inputs'], case['out'])\nreturn {}")
    limits = LIMITS | {"timeout": 3.0}
    statuses = [outcome.status for _, outcome, _ in record([slow, quick], {}, inputs_for("mlp", 4), **limits)]
    assert statuses == ["timeout", "ok"]


def test_a_trace_may_be_longer_than_what_an_accountant_may_print(tmp_path: Path) -> None:
    peer = fake(tmp_path, "np.savez(case['out'], x=np.zeros((4, 3_000_000))); return {}")
    ((_, outcome, trace),) = record([peer], {}, inputs_for("mlp", 4), **LIMITS)
    assert outcome.status == "ok", outcome.cause
    assert trace is not None


def test_temporary_files_are_gone(tmp_path: Path) -> None:
    peer = fake(tmp_path, "np.savez(case['out'], x=np.zeros((4, 3))); return {'where': case['out']}")
    ((_, outcome, _),) = record([peer], {}, inputs_for("mlp", 4), **LIMITS)
    assert not os.path.exists(os.path.dirname(outcome.answer["where"]))


def test_a_module_is_only_given_to_who_takes_one(tmp_path: Path) -> None:
    ((_, outcome, _),) = record(
        [fake(tmp_path, "return {}")], {}, inputs_for("mlp", 4), module="a.py:A", **LIMITS
    )
    assert (outcome.status, outcome.cause) == ("unsupported", "it takes no torch modules")


def test_inputs_are_the_same_again_and_hide_nothing() -> None:
    given, again = inputs_for("cifar10net", 4, seed=5, steps=2), inputs_for("cifar10net", 4, seed=5, steps=2)
    step = given.steps[0]
    for name, values in step.params.items():
        np.testing.assert_array_equal(values, again.steps[0].params[name])
        assert values.dtype == np.float32
        if "gn" in name:
            away = values - 1 if name.endswith("weight") else values
            assert (np.abs(away) > 1e-4).all(), name
    assert given.steps[1].seed == step.seed == 5
    assert not given.steps[1].params
    assert not np.array_equal(step.x, given.steps[1].x)
    x, y = step.x, step.y
    assert x is not None
    assert y is not None
    norms = norms_of(per_sample_gradients(network("cifar10net"), step.params, x.astype(float), y))
    assert 0 < (norms > step.clip_norm).sum() < len(norms)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"batch": 0}, "batch"), ({"steps": 0}, "steps"), ({"seed": -1}, "seed"), ({"model": "vgg"}, "vgg")],
)
def test_bad_inputs_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(RefDPError, match=message):
        inputs_for(**({"model": "mlp", "batch": 4} | options))  # type: ignore[arg-type]


def on_a_kink(dtype: type = np.float64) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Weights and two records of an mlp; one relu of the second is within rounding of its kink."""
    step = inputs_for("mlp", 2, seed=1).steps[0]
    params = {name: values.astype(dtype) for name, values in step.params.items()}
    assert step.x is not None
    assert step.y is not None
    x = step.x.astype(dtype)
    params["fc1.bias"][7] = -(params["fc1.weight"][7] @ x[1]) + 1e-8
    return params, x, step.y


def test_a_record_on_a_kink_is_seen_and_replaced() -> None:
    params, x, y = on_a_kink()
    rng = np.random.default_rng(0)
    assert inputs._smooth(network("mlp"), params, x, y, rng).tolist() == [True, False]
    moved, _ = inputs._away_from_kinks(network("mlp"), params, x, y, rng)
    np.testing.assert_array_equal(moved[0], x[0])
    assert not np.array_equal(moved[1], x[1])


def test_where_every_record_is_on_a_kink_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "_smooth", lambda network, params, x, y, rng: np.zeros(len(y), dtype=bool))
    with pytest.raises(RefDPError, match="seed: 200 draws gave no batch away from all kinks"):
        inputs_for("mlp", 2)
