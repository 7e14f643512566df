"""MNIST-like sets: found in every promised place, checked, scaled; each kind of damage is one line."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from data_files import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    idx,
    known,
    mnist_payloads,
    sha256,
    write_mnist,
)

from refdp.data import load
from refdp.data.sets.fashion_mnist import FashionMnist
from refdp.data.sets.mnist import Mnist
from refdp.errors import RefDPError


def refused(folder: Path, text: str, name: str = "mnist") -> str:
    with pytest.raises(RefDPError, match=text) as caught:
        load(name, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_contents(tmp_path: Path) -> None:
    payloads = write_mnist(tmp_path)
    data = load("mnist", tmp_path)
    pixels = np.frombuffer(payloads[TRAIN_IMAGES], np.uint8)[16:].reshape(20, 28, 28, 1)
    np.testing.assert_array_equal(data.train.x, pixels)
    np.testing.assert_array_equal(data.test.y, np.frombuffer(payloads[TEST_LABELS], np.uint8)[8:])
    assert (data.train.x.dtype, data.train.y.dtype) == (np.uint8, np.int64)
    assert (data.name, data.input_shape, data.num_classes) == ("mnist", (28, 28, 1), 10)
    assert data.digests == {file: sha256(payload) for file, payload in payloads.items()}


@pytest.mark.parametrize("inside", [".", "mnist"])
@pytest.mark.parametrize("way", ["argument", "REFDP_DATA"])
def test_found_in_the_folder_or_in_its_subfolder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str, way: str
) -> None:
    write_mnist(tmp_path / "d" / inside)
    if way == "REFDP_DATA":
        monkeypatch.setenv("REFDP_DATA", str(tmp_path / "d"))
    assert len(load("mnist", str(tmp_path / "d") if way == "argument" else None).train.y) == 20


def test_found_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "cache" / "refdp" / "mnist")
    assert len(load("mnist").train.y) == 20
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, say the XDG rules
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write_mnist(tmp_path / "home" / ".cache" / "refdp" / "mnist", train=7)
    assert len(load("mnist").train.y) == 7


def test_data_dir_goes_before_the_environment_and_home_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mnist(tmp_path / "one", train=5)
    write_mnist(tmp_path / "two", train=6)
    monkeypatch.setenv("REFDP_DATA", str(tmp_path / "two"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load("mnist", "~/one").train.y) == 5


def test_the_subfolder_goes_before_the_folder_itself(tmp_path: Path) -> None:
    write_mnist(tmp_path, train=5)
    write_mnist(tmp_path / "fashion-mnist", train=6)
    assert len(load("fashion-mnist", tmp_path).train.y) == 6
    assert len(load("mnist", tmp_path).train.y) == 5


def test_un_gzipped_files(tmp_path: Path) -> None:
    for file, payload in mnist_payloads().items():
        (tmp_path / file.removesuffix(".gz")).write_bytes(payload)
    assert len(load("mnist", tmp_path).test.y) == 10


def test_missing_file(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    (tmp_path / "mnist" / TEST_IMAGES).unlink()
    refused(tmp_path, rf"mnist: {TEST_IMAGES} is missing \(looked in {tmp_path}/mnist\); get it with `refdp")


def test_nothing_there(tmp_path: Path) -> None:
    text = refused(tmp_path / "no", rf"{TRAIN_IMAGES} is missing \(looked in .*/no/mnist, .*/no\)")
    assert "`refdp data fetch mnist`" in text
    assert "--data-dir" in text


def test_unusable_data_dirs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "must be a folder, not a file")
    with pytest.raises(RefDPError, match="data_dir = '': must name a folder"):
        load("mnist", "")
    with pytest.raises(RefDPError, match="must name a folder"):
        load("mnist", "a\0b")
    with pytest.raises(RefDPError, match=r"File name too long"):
        load("mnist", "x" * 5000)
    text = refused(tmp_path / "two\nlines", "is missing")
    assert "two\\nlines" in text


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip_crc(data: bytes) -> bytes:
    return data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]


def flip_body(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(255 - b for b in data[middle : middle + 20]) + data[middle + 20 :]


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (cut, "is cut short .the gzip stream ends early"),
        (flip_crc, "is damaged or not gzip .CRC check failed"),
        (flip_body, "is damaged or not gzip"),
        (
            lambda data: data[:10] + b"\xff" + data[11:],
            "is damaged or not gzip .Error -3 .*invalid block type",
        ),
        (lambda data: b"", "is empty"),
        (lambda data: b"<html>404</html>", "is damaged or not gzip .Not a gzipped file"),
        (lambda data: data[:5], "is cut short"),
        (lambda data: data + b"junk", "is damaged or not gzip"),
        (lambda data: gzip.compress(b"\0\0\x08\x03"), "header ends early"),
        (lambda data: gzip.compress(gzip.decompress(data) + b"x"), "goes on after"),
        (lambda data: gzip.compress(gzip.decompress(data)[:-1]), "cut short .15679 of 15680 bytes"),
        (lambda data: gzip.compress(idx(np.zeros(20))), "must be IDX images"),
        (
            lambda data: gzip.compress(b"\0\0\x08\x03\xff\xff\xff\xff\0\0\0\x1c\0\0\0\x1c"),
            "announces .* bytes",
        ),
    ],
)
def test_damaged_images(tmp_path: Path, harm: object, text: str) -> None:
    write_mnist(tmp_path)
    path = tmp_path / TRAIN_IMAGES
    path.write_bytes(harm(path.read_bytes()))  # type: ignore[operator]
    assert str(path) in refused(tmp_path, text)


def test_a_decompression_bomb_is_not_unpacked(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    header = b"\0\0\x08\x01\x00\x00\x00\x05"
    (tmp_path / TRAIN_LABELS).write_bytes(gzip.compress(header + bytes(50_000_000), 1))
    refused(tmp_path, "goes on after the 5 bytes")


def test_labels_and_images_swapped_or_unequal(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    images, labels = (tmp_path / file for file in (TRAIN_IMAGES, TRAIN_LABELS))
    good = labels.read_bytes()
    labels.write_bytes(images.read_bytes())
    refused(tmp_path, "must be IDX labels .* it holds images: are two files swapped")
    labels.write_bytes(gzip.compress(idx(np.zeros(19))))
    refused(tmp_path, "holds 19 labels for 20 images")
    labels.write_bytes(gzip.compress(idx(np.full(20, 10))))
    refused(tmp_path, r"holds the label 10: must be 0\.\.9")
    labels.write_bytes(good)
    load("mnist", tmp_path)


def test_a_folder_or_a_pipe_in_the_place_of_a_file(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / TEST_IMAGES
    path.unlink()
    path.mkdir()
    refused(tmp_path, "is a folder where a file must be")
    path.rmdir()
    os.mkfifo(path)
    refused(tmp_path, "is not a regular file")


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path)
    real = Path.open

    def forbidden(self: Path, *args: object, **kwargs: object) -> object:
        if self.name == TEST_LABELS:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", forbidden)
    refused(tmp_path, "cannot be read .Permission denied.; check the file and its permissions")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_permission_denied_by_the_system(tmp_path: Path) -> None:
    write_mnist(tmp_path / "d")
    (tmp_path / "d" / TEST_LABELS).chmod(0)
    refused(tmp_path / "d", "Permission denied")
    (tmp_path / "d").chmod(0)
    refused(tmp_path / "d", "Permission denied")
    (tmp_path / "d").chmod(0o700)


def test_unknown_digests_are_one_caveat_and_known_ones_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = write_mnist(tmp_path)
    (caveat,) = load("mnist", tmp_path).caveats
    assert caveat.startswith("mnist: SHA-256 not on record, contents unverified: train-images")
    monkeypatch.setattr(Mnist, "digests", known(payloads))
    assert load("mnist", tmp_path).caveats == ()


def test_several_digests_may_be_known_and_bring_their_caveat_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = write_mnist(tmp_path)
    ours, other = known(payloads, caveat="a re-split"), known(mnist_payloads(seed=5))
    both = {file: other[file] + ours[file] for file in payloads}
    monkeypatch.setattr(FashionMnist, "digests", both)
    assert load("fashion-mnist", tmp_path).caveats == ("a re-split",)


def test_files_of_another_set_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mnist, "digests", known(write_mnist(tmp_path)))
    refused(tmp_path, f"fashion-mnist: {TRAIN_IMAGES} holds mnist's {TRAIN_IMAGES}", "fashion-mnist")


def test_train_and_test_files_swapped_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mnist, "digests", known(write_mnist(tmp_path, train=10)))
    one, two = tmp_path / TRAIN_IMAGES, tmp_path / TEST_IMAGES
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    refused(tmp_path, f"{TRAIN_IMAGES} holds mnist's {TEST_IMAGES}")


def test_recorded_digests_are_well_formed() -> None:
    for source in (Mnist, FashionMnist):
        assert set(source.digests) == set(source.files) == set(source.urls)
        for digests in source.digests.values():
            assert all(len(bytes.fromhex(one.sha256)) == 32 for one in digests)
    assert all(one.caveat for digests in FashionMnist.digests.values() for one in digests)
