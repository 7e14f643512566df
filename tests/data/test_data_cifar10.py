"""CIFAR-10 from its archive or unpacked folder; every kind of damage is one line."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from data_files import cifar_payloads, known, sha256, tar_gz

from refdp.data import load
from refdp.data.cifar_binary import BATCHES, FOLDER, TEST, TRAIN, read_archive
from refdp.data.sets.cifar10 import ARCHIVE, Cifar10
from refdp.errors import RefDPError

PAYLOADS = cifar_payloads()
OTHERS = [(f"{FOLDER}/batches.meta.txt", b"airplane\n"), (f"{FOLDER}/readme.html", b"<html>")]


def archive(folder: Path, payloads: dict[str, bytes] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    members = list((payloads if payloads is not None else PAYLOADS).items())
    (folder / ARCHIVE).write_bytes(tar_gz(OTHERS + members))
    return folder / ARCHIVE


def refused(folder: Path, text: str) -> str:
    with pytest.raises(RefDPError, match=text) as caught:
        load("cifar10", folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def check_contents(folder: Path) -> None:
    data = load("cifar10", folder)
    raw = np.frombuffer(PAYLOADS[TRAIN[1]], np.uint8).reshape(3, 3073)
    for channel, row, column in ((0, 0, 0), (1, 2, 30), (2, 31, 5)):
        pixel = raw[2, 1 + channel * 1024 + row * 32 + column]
        assert data.train.x[5, row, column, channel] == pixel
    assert data.train.y[3:6].tolist() == raw[:, 0].tolist()
    test = np.frombuffer(PAYLOADS[TEST], np.uint8).reshape(3, 3073)[:, 1:].reshape(3, 3, 32, 32)
    np.testing.assert_array_equal(data.test.x, np.moveaxis(test, 1, 3))
    assert (data.train.x.shape, data.train.x.dtype) == ((15, 32, 32, 3), np.uint8)
    assert (data.test.y.shape, data.test.y.dtype) == ((3,), np.int64)
    assert (data.input_shape, data.num_classes) == ((32, 32, 3), 10)
    assert data.digests == {name: sha256(payload) for name, payload in PAYLOADS.items()}
    assert "SHA-256 not on record" in data.caveats[0]


@pytest.mark.parametrize("inside", [".", "cifar10", "cifar-10"])
def test_archive(tmp_path: Path, inside: str) -> None:
    archive(tmp_path / inside)
    check_contents(tmp_path)


@pytest.mark.parametrize("inside", [FOLDER, f"cifar10/{FOLDER}", f"cifar-10/{FOLDER}", "x"])
def test_unpacked_folder(tmp_path: Path, inside: str) -> None:
    (tmp_path / inside).mkdir(parents=True)
    for name, payload in PAYLOADS.items():
        (tmp_path / inside / Path(name).name).write_bytes(payload)
    check_contents(tmp_path / inside if inside == "x" else tmp_path)


def test_members_in_any_order_with_a_leading_dot(tmp_path: Path) -> None:
    archive(tmp_path, {f"./{name}": PAYLOADS[name] for name in reversed(BATCHES)})
    check_contents(tmp_path)


def test_known_digests_bring_no_caveat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(tmp_path)
    monkeypatch.setattr(Cifar10, "digests", known(PAYLOADS))
    assert load("cifar10", tmp_path).caveats == ()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({TEST: None}, f"has no {TEST}"),
        ({TEST: b""}, "holds 0 bytes: must be 1 or more records of 3073"),
        ({TRAIN[0]: PAYLOADS[TRAIN[0]][:-1]}, "data_batch_1.bin: holds 9218 bytes"),
        ({TRAIN[2]: b"\x0a" + bytes(3072)}, r"data_batch_3.bin: holds the label 10: must be 0\.\.9"),
    ],
)
def test_bad_batches(tmp_path: Path, change: dict[str, bytes | None], text: str) -> None:
    payloads = {name: data for name, data in (PAYLOADS | change).items() if data is not None}
    archive(tmp_path / "a", payloads)
    assert ARCHIVE in refused(tmp_path / "a", text)


def test_bad_unpacked_folders(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    for name, payload in PAYLOADS.items():
        (folder / Path(name).name).write_bytes(payload)
    path = folder / "test_batch.bin"
    path.write_bytes(b"\x0b" + bytes(3072))
    refused(tmp_path, "holds the label 11")
    path.write_bytes(bytes(2 * 10000 * 3073 + 1))
    refused(tmp_path, "must hold at most 61460000 bytes")
    path.unlink()
    refused(tmp_path, "test_batch.bin: cannot be read .No such file")
    path.mkdir()
    refused(tmp_path, "is a folder where a file must be")


def test_missing(tmp_path: Path) -> None:
    refused(tmp_path, f"cifar10: {ARCHIVE} is missing .*/cifar10, .*/cifar-10, .*`refdp data fetch cifar10`")


def test_a_member_twice_or_not_a_file(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(tar_gz([*PAYLOADS.items(), (TEST, PAYLOADS[TEST])]))
    refused(tmp_path, "test_batch.bin: is in the archive twice")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        link = tarfile.TarInfo(TEST)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    (tmp_path / ARCHIVE).write_bytes(out.getvalue())
    refused(tmp_path, "test_batch.bin: must be a plain file")


def test_damaged_archives(tmp_path: Path) -> None:
    path = archive(tmp_path)
    good = path.read_bytes()
    tar = gzip.decompress(good)
    for bad, text in (
        (b"", "is not a whole tar archive"),
        (b"<html>not found</html>", "is damaged or not gzip .Not a gzipped file"),
        (good[: len(good) // 2], "is cut short"),
        (good[:-4], "is cut short"),
        (good[:-8] + bytes(8), "is damaged or not gzip .CRC"),
        (gzip.compress(b"not a tar archive" * 100), "is not a whole tar archive"),
        (gzip.compress(tar[:20000]), "is not a whole tar archive"),
        (gzip.compress(tar[: tar.index(PAYLOADS[TEST]) + 3073]), "is not a whole tar archive"),
        (gzip.compress(tar[:512] + bytes(1024)), "is not a whole tar archive|has no"),
    ):
        path.write_bytes(bad)
        assert ARCHIVE in refused(tmp_path, text)
    path.unlink()
    path.mkdir()
    refused(tmp_path, "is a folder where a file must be")


def test_every_flipped_byte_is_found_or_harmless(tmp_path: Path) -> None:
    path = archive(tmp_path)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in [*range(30), *rng.integers(0, len(good), 30).tolist()]:
        path.write_bytes(good[:position] + bytes([good[position] ^ 0x55]) + good[position + 1 :])
        with contextlib.suppress(RefDPError):
            check_contents(tmp_path)  # bytes 4 to 9 of a gzip header are a time stamp and hints


def test_decompression_bombs(tmp_path: Path) -> None:
    path = tmp_path / ARCHIVE
    path.write_bytes(tar_gz([("big", bytes(3_000_000)), *PAYLOADS.items()]))
    with pytest.raises(RefDPError, match="unpacks to more than 2000000 bytes"):
        list(read_archive(path, 2_000_000))
    path.write_bytes(gzip.compress(gzip.decompress(tar_gz([*PAYLOADS.items()])) + bytes(3_000_000)))
    with pytest.raises(RefDPError, match="unpacks to more than 2000000 bytes"):
        list(read_archive(path, 2_000_000))
    assert len(list(read_archive(path, 4_000_000))) == 6


def test_a_member_that_announces_too_much(tmp_path: Path) -> None:
    info = tarfile.TarInfo(TEST)
    info.size = 10**9
    (tmp_path / ARCHIVE).write_bytes(gzip.compress(info.tobuf()))
    refused(tmp_path, "must be a plain file of at most 61460000 bytes")
