"""verify: each file's digest and state; damage is a result, not an exception."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from data_files import (
    TEST_IMAGES,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    cifar_payloads,
    idx,
    known,
    sha256,
    tar_gz,
    write_mnist,
)

from refdp.data.sets.cifar10 import ARCHIVE
from refdp.data.sets.mnist import Mnist
from refdp.data.verify import verify
from refdp.errors import RefDPError


def statuses(folder: Path, name: str = "mnist") -> list[str]:
    return [check.status for check in verify(name, folder)]


def test_known_and_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payloads = write_mnist(tmp_path)
    checks = verify("mnist", tmp_path)
    assert [(check.file, check.sha256) for check in checks] == [(f, sha256(p)) for f, p in payloads.items()]
    assert {check.status for check in checks} == {"unknown"}
    assert not any(check.bad for check in checks)
    monkeypatch.setattr(Mnist, "digests", known(payloads, origin="somebody's copy"))
    assert {(check.status, check.detail) for check in verify("mnist", tmp_path)} == {
        ("known", "somebody's copy")
    }


def test_missing_and_damaged(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / TRAIN_LABELS).unlink()
    (tmp_path / TEST_IMAGES).write_bytes(b"")
    checks = verify("mnist", tmp_path)
    assert [check.status for check in checks] == ["unknown", "missing", "damaged", "unknown"]
    assert checks[1].detail == f"looked in {tmp_path}"
    assert "is empty" in checks[2].detail
    assert [check.sha256 for check in checks[1:3]] == [None, None]
    assert statuses(tmp_path / "nowhere") == ["missing"] * 4


def test_unequal_counts_are_damage(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / TRAIN_LABELS).write_bytes(gzip.compress(idx(np.zeros(19))))
    checks = verify("mnist", tmp_path)
    assert checks[-1].status == "damaged"
    assert "holds 19 labels for 20 images" in checks[-1].detail


def test_the_file_of_another_set_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mnist, "digests", known(write_mnist(tmp_path)))
    checks = verify("fashion-mnist", tmp_path)
    assert {check.status for check in checks} == {"damaged"}
    assert checks[0].detail == f"holds mnist's {TRAIN_IMAGES}"


def test_cifar10_has_a_result_a_member(tmp_path: Path) -> None:
    payloads = cifar_payloads()
    (tmp_path / ARCHIVE).write_bytes(tar_gz([*payloads.items()]))
    checks = verify("cifar10", tmp_path)
    assert {check.file: check.sha256 for check in checks} == {n: sha256(p) for n, p in payloads.items()}
    (tmp_path / ARCHIVE).write_bytes(b"x")
    assert [(c.file, c.status) for c in verify("cifar10", tmp_path)] == [(ARCHIVE, "damaged")]
    assert statuses(tmp_path / "no", "cifar10") == ["missing"]


def test_made_on_the_spot_and_unknown_names(tmp_path: Path) -> None:
    assert verify("gaussian-clusters", tmp_path) == []
    with pytest.raises(RefDPError, match="unknown dataset 'x'"):
        verify("x", tmp_path)
