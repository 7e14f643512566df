"""fetch: verified files or none; interruptions are gone on with; every failure is one line."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from data_files import TRAIN_IMAGES, TRAIN_LABELS, Server, cifar_payloads, idx, known, mnist_payloads, tar_gz

from refdp.data import load
from refdp.data.fetch import Fetched, fetch
from refdp.data.sets.cifar10 import ARCHIVE, Cifar10
from refdp.data.sets.mnist import Mnist
from refdp.errors import RefDPError

PAYLOADS = mnist_payloads(train=60)
FILES = {file: gzip.compress(payload, 1) for file, payload in PAYLOADS.items()}
IMAGES = FILES[TRAIN_IMAGES]


@pytest.fixture(autouse=True)
def on_record(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setattr(Mnist, "digests", known(PAYLOADS))
    server.files = dict(FILES)


def get(server: Server, folder: Path, timeout: float = 5.0, unknown: bool = False) -> list[Fetched]:
    return fetch("mnist", folder, server.url, timeout=timeout, allow_unknown_digest=unknown)


def refused(server: Server, folder: Path, text: str, timeout: float = 5.0) -> str:
    with pytest.raises(RefDPError, match=text) as caught:
        get(server, folder, timeout)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def ranges(server: Server) -> list[str | None]:
    return [wanted for path, wanted in server.requests if path.endswith(TRAIN_IMAGES)]


def test_success_then_nothing_more_to_do(server: Server, tmp_path: Path) -> None:
    results = get(server, tmp_path)
    assert [result.status for result in results] == ["fetched"] * 4
    assert names(tmp_path / "mnist") == set(FILES)
    assert (tmp_path / "mnist" / TRAIN_IMAGES).read_bytes() == IMAGES
    assert load("mnist", tmp_path).caveats == ()
    asked = len(server.requests)
    assert [result.status for result in get(server, tmp_path)] == ["present"] * 4
    assert len(server.requests) == asked == 4


def test_where_files_go(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert get(server, tmp_path / "mnist")[0].path == tmp_path / "mnist" / TRAIN_IMAGES
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / TRAIN_LABELS).write_bytes(FILES[TRAIN_LABELS])
    assert get(server, tmp_path / "own")[0].path == tmp_path / "own" / TRAIN_IMAGES
    assert fetch("mnist", None, server.url)[0].path == tmp_path / "cache" / "refdp" / "mnist" / TRAIN_IMAGES
    monkeypatch.setenv("REFDP_DATA", str(tmp_path / "env"))
    assert fetch("mnist", None, server.url + "/")[0].path == tmp_path / "env" / "mnist" / TRAIN_IMAGES
    assert load("mnist").caveats == ()


def test_a_dropped_connection_leaves_no_file_and_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.drop_after = 1000
    text = refused(
        server, tmp_path, f"download stopped at 1000 of {len(IMAGES)} bytes .connection closed early"
    )
    assert "run the same command again" in text
    assert names(tmp_path / "mnist") == {TRAIN_IMAGES + ".part"}
    get(server, tmp_path)
    assert ranges(server) == [None, "bytes=1000-"]
    assert (tmp_path / "mnist" / TRAIN_IMAGES).read_bytes() == IMAGES


def test_a_server_that_ignores_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.ranges, server.drop_after = False, 1000
    refused(server, tmp_path, "download stopped")
    get(server, tmp_path)
    assert ranges(server) == [None, "bytes=1000-"]
    assert names(tmp_path / "mnist") == set(FILES)


def test_a_range_from_elsewhere_starts_again(server: Server, tmp_path: Path) -> None:
    server.wrong_start, server.drop_after = True, 1000
    refused(server, tmp_path, "download stopped")
    get(server, tmp_path)
    assert ranges(server) == [None, "bytes=1000-", None]


def test_a_complete_part_file_is_not_downloaded_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    part = tmp_path / "mnist" / (TRAIN_IMAGES + ".part")
    part.write_bytes(IMAGES)
    get(server, tmp_path)
    assert ranges(server) == [f"bytes={len(IMAGES)}-"]  # answered 416: nothing is left


def test_a_part_file_that_is_too_long_starts_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    part = tmp_path / "mnist" / (TRAIN_IMAGES + ".part")
    part.write_bytes(IMAGES + b"x")
    get(server, tmp_path)
    assert ranges(server) == [f"bytes={len(IMAGES) + 1}-", None]


def test_a_part_file_of_something_else_is_discarded(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / (TRAIN_IMAGES + ".part")).write_bytes(IMAGES[:500] + b"xxxxx")
    refused(server, tmp_path, f"the download was discarded: {TRAIN_IMAGES} is damaged or not gzip")
    assert names(tmp_path / "mnist") == set()
    get(server, tmp_path)


def test_ctrl_c_leaves_no_file_and_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    def interrupt(file: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("mnist", tmp_path, server.url, interrupt)
    assert names(tmp_path / "mnist") == {TRAIN_IMAGES + ".part"}
    got = (tmp_path / "mnist" / (TRAIN_IMAGES + ".part")).stat().st_size
    get(server, tmp_path)
    assert ranges(server) == [None, f"bytes={got}-"]


def test_progress_counts_bytes(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    fetch("mnist", tmp_path, server.url, lambda *report: seen.append(report))
    last = {file: (done, total) for file, done, total in seen}
    assert last == {file: (len(data), len(data)) for file, data in FILES.items()}


def test_a_server_that_does_not_say_the_length(server: Server, tmp_path: Path) -> None:
    server.say_length = False
    server.drop_after = 1000  # cannot be told from a whole answer, but the payload can
    refused(server, tmp_path, f"discarded: {TRAIN_IMAGES} is cut short")
    get(server, tmp_path)


def test_an_unknown_digest_is_an_error_unless_allowed(server: Server, tmp_path: Path) -> None:
    server.files[TRAIN_LABELS] = gzip.compress(idx(np.zeros(60)))
    refused(
        server, tmp_path, f"discarded: SHA-256 .* of {TRAIN_LABELS} is not on record.*--allow-unknown-digest"
    )
    assert names(tmp_path / "mnist") == {TRAIN_IMAGES}
    results = get(server, tmp_path, unknown=True)
    assert [result.checks[0].status for result in results] == ["known", "unknown", "known", "known"]
    refused(server, tmp_path, f"{TRAIN_LABELS}: is there, but its SHA-256 is not on record")
    assert [result.status for result in get(server, tmp_path, unknown=True)] == ["present"] * 4


def test_damaged_contents_are_never_put_in_place(server: Server, tmp_path: Path) -> None:
    server.files[TRAIN_IMAGES] = b"<html>please log in</html>"
    for unknown in (False, True):
        with pytest.raises(RefDPError, match=f"discarded: {TRAIN_IMAGES} is damaged or not gzip"):
            get(server, tmp_path, unknown=unknown)
        assert names(tmp_path / "mnist") == set()
    server.files[TRAIN_IMAGES] = FILES[TRAIN_LABELS]
    refused(server, tmp_path, f"{TRAIN_IMAGES} starts with 00000801")


def test_a_damaged_file_is_replaced(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path)
    path = tmp_path / "mnist" / TRAIN_IMAGES
    path.write_bytes(IMAGES[:-9])
    assert [result.status for result in get(server, tmp_path)] == ["fetched"] + ["present"] * 3
    assert path.read_bytes() == IMAGES


def test_http_errors(server: Server, tmp_path: Path) -> None:
    del server.files[TRAIN_IMAGES]
    text = refused(server, tmp_path, f"/mirror/{TRAIN_IMAGES}: the server answers 404 Not Found")
    assert "--base-url" in text
    assert names(tmp_path / "mnist") == set()


def test_a_hanging_server_times_out(server: Server, tmp_path: Path) -> None:
    server.hang = True
    refused(server, tmp_path, "cannot be reached .timed out", timeout=0.1)


def test_nobody_listens(server: Server, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(RefDPError, match=r"cannot be reached .Connection refused.*check the network"):
            fetch("mnist", tmp_path, url, timeout=2)


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a.example", "file:///etc", "http://", "http://a b", "http://[", "http://é", "http://a:x"],
)
def test_bad_addresses(tmp_path: Path, url: str) -> None:
    with pytest.raises(RefDPError, match=r"url = .*: must be an http:// or https:// address"):
        fetch("mnist", tmp_path, url)


def test_too_much_is_refused(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mnist, "max_bytes", 1000)
    refused(server, tmp_path, "sends more than 1000 bytes")


def test_unwritable_places(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    refused(server, tmp_path / "file" / "below", "cannot be made .Not a directory.*--data-dir")
    refused(server, tmp_path / "file", "must be a folder")
    (tmp_path / "mnist" / (TRAIN_IMAGES + ".part")).mkdir(parents=True)
    refused(server, tmp_path, "part: cannot be written .Is a directory")
    (tmp_path / "b" / "mnist" / TRAIN_IMAGES).mkdir(parents=True)
    refused(server, tmp_path / "b", "is a folder where a file must be")

    def full(*args: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", full)
    refused(server, tmp_path / "c", "cannot be replaced .No space left on device")


@pytest.mark.parametrize("name", ["fashion-mnist", "cifar10"])
def test_unverifiable_downloads_are_refused_before_they_begin(tmp_path: Path, name: str) -> None:
    with pytest.raises(RefDPError, match=r"official file is not on record.*--allow-unknown-digest"):
        fetch(name, tmp_path)
    assert names(tmp_path) == set()


def test_cifar10(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payloads = cifar_payloads()
    server.files[ARCHIVE] = tar_gz([*payloads.items()])
    with pytest.raises(RefDPError, match=r"of cifar-10-batches-bin/data_batch_1.bin is not on record"):
        fetch("cifar10", tmp_path, server.url)
    assert names(tmp_path / "cifar10") == set()
    monkeypatch.setattr(Cifar10, "digests", known(payloads))
    assert fetch("cifar10", tmp_path, server.url)[0].status == "fetched"
    assert load("cifar10", tmp_path).caveats == ()


def test_made_on_the_spot(tmp_path: Path) -> None:
    assert fetch("gaussian-clusters", tmp_path) == []
    with pytest.raises(RefDPError, match="unknown dataset"):
        fetch("imagenet", tmp_path)
    with pytest.raises(RefDPError, match="timeout = 0: must be finite and > 0"):
        fetch("mnist", tmp_path, timeout=0)
