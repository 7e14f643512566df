"""``refdp data``: answers on stdout, prose on stderr, exit code 2 for missing or damaged files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from data_files import TEST_LABELS, TRAIN_IMAGES, Server, known, write_mnist

from refdp.cli import data as module
from refdp.cli.data import data
from refdp.data.sets.mnist import Mnist
from refdp.errors import RefDPError


def run(*args: object) -> Result:
    return CliRunner().invoke(data, [str(arg) for arg in args])


def run_json(*args: object) -> Any:
    result = run(*args, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_list(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    write_mnist(tmp_path / "fashion-mnist")
    (tmp_path / "fashion-mnist" / TEST_LABELS).unlink()
    result = run("list", "--data-dir", tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split(maxsplit=3) for line in result.stdout.splitlines()]
    assert rows == [
        ["name", "shape", "classes", "where"],
        ["cifar10", "32x32x3", "10", "not found"],
        ["fashion-mnist", "28x28x1", "10", f"{tmp_path}/fashion-mnist (files missing)"],
        ["gaussian-clusters", "10", "5", "made on the spot"],
        ["mnist", "28x28x1", "10", f"{tmp_path}/mnist"],
    ]
    code, answer = run_json("list", "--data-dir", tmp_path)
    assert code == 0
    entries = {entry["name"]: entry for entry in answer["datasets"]}
    assert entries["mnist"]["complete"] is True
    assert entries["mnist"]["folder"] == str(tmp_path / "mnist")
    assert (entries["fashion-mnist"]["complete"], entries["cifar10"]["folder"]) == (False, None)
    assert (entries["cifar10"]["input_shape"], entries["cifar10"]["num_classes"]) == ([32, 32, 3], 10)


def test_verify_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mnist, "digests", known(write_mnist(tmp_path)))
    result = run("verify", "mnist", "--data-dir", tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["status"] + ["known"] * 4
    code, answer = run_json("verify", "mnist", "--data-dir", tmp_path)
    assert (code, answer["ok"], len(answer["files"])) == (0, True, 4)
    assert answer["files"][0].keys() == {"file", "sha256", "status", "detail"}


def test_verify_unknown_is_a_warning(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    result = run("verify", "mnist", "--data-dir", tmp_path)
    assert result.exit_code == 0
    assert result.stderr == "warning: mnist: 4 of 4 not on record, unverified\n"
    assert run("verify", "mnist", "--data-dir", tmp_path, "--quiet").stderr == ""


def test_verify_damaged_or_missing_exits_2_after_its_answer(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / TRAIN_IMAGES).write_bytes(gzip.compress(b"x"))
    result = run("verify", "mnist", "--data-dir", tmp_path)
    assert result.exit_code == 2
    assert "damaged" in result.stdout.splitlines()[1]
    assert "refdp: error: mnist: 1 missing or damaged" in result.stderr
    code, answer = run_json("verify", "mnist", "--data-dir", tmp_path / "none")
    assert (code, answer["ok"]) == (2, False)
    quiet = run("verify", "mnist", "--data-dir", tmp_path, "--quiet")
    assert (quiet.exit_code, quiet.stderr) == (2, "")


def test_fetch(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payloads = write_mnist(tmp_path / "made")
    server.files = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    monkeypatch.setattr(Mnist, "digests", known(payloads))
    options = ("fetch", "mnist", "--data-dir", tmp_path / "d", "--base-url", server.url)
    result = run(*options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["fetched"] * 4
    code, answer = run_json(*options)
    assert code == 0
    assert [entry["status"] for entry in answer["files"]] == ["present"] * 4
    assert answer["files"][0]["path"] == str(tmp_path / "d" / "mnist" / TRAIN_IMAGES)
    assert answer["files"][0]["payloads"][0]["status"] == "known"


def test_fetch_of_unknown_digests(server: Server, tmp_path: Path) -> None:
    write_mnist(tmp_path / "made")
    server.files = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    options = ("fetch", "mnist", "--data-dir", tmp_path / "d", "--base-url", server.url)
    result = run(*options)
    assert isinstance(result.exception, RefDPError)  # the program's top level prints it and exits with 2
    assert "--allow-unknown-digest" in str(result.exception)
    result = run(*options, "--allow-unknown-digest")
    assert result.exit_code == 0
    assert "warning: SHA-256 not on record, unverified: train-images" in result.stderr


def test_progress_bar_only_on_a_terminal(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with module._progress(quiet=False) as report:
        assert report is None
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    with module._progress(quiet=True) as report:
        assert report is None
    with module._progress(quiet=False) as report:
        assert report is not None
        report("some-file", 500, 1000)
        report("some-file", 1000, 1000)
        report("other-file", 10, None)
    captured = capsys.readouterr()
    assert "some-file" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_made_on_the_spot(command: str) -> None:
    result = run(command, "gaussian-clusters")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "made on the spot" in result.stdout
    assert run_json(command, "gaussian-clusters")[1]["files"] == []


def test_bad_names_are_errors_of_ours(tmp_path: Path) -> None:
    for command in ("fetch", "verify"):
        assert isinstance(run(command, "imagenet").exception, RefDPError)
    (tmp_path / "file").write_text("")
    assert isinstance(run("list", "--data-dir", tmp_path / "file").exception, RefDPError)
