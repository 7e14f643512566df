"""Small data files in the official formats, and a local HTTP server with the faults of real ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from refdp.data.base import Known
from refdp.data.cifar_binary import BATCHES
from refdp.data.idx_source import IdxSource

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = IdxSource.files


def idx(values: np.ndarray) -> bytes:
    """uint8 array as an IDX payload."""
    head = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    return head + values.astype(np.uint8).tobytes()


def mnist_payloads(seed: int = 0, train: int = 20, test: int = 10) -> dict[str, bytes]:
    """File name -> payload of a small data set in MNIST's format."""
    rng = np.random.default_rng(seed)
    payloads = {}
    for images, labels, n in ((TRAIN_IMAGES, TRAIN_LABELS, train), (TEST_IMAGES, TEST_LABELS, test)):
        payloads[images] = idx(rng.integers(0, 256, (n, 28, 28)))
        payloads[labels] = idx(rng.integers(0, 10, n))
    return payloads


def write_mnist(folder: Path, **options: int) -> dict[str, bytes]:
    """Write the four gzipped files; the payloads."""
    folder.mkdir(parents=True, exist_ok=True)
    payloads = mnist_payloads(**options)
    for file, payload in payloads.items():
        (folder / file).write_bytes(gzip.compress(payload, 1))
    return payloads


def known(payloads: dict[str, bytes], **details: Any) -> dict[str, tuple[Known, ...]]:
    """Digests that put these payloads on record."""
    details = dict[str, Any](origin="test", official=True) | details
    return {name: (Known(sha256(payload), **details),) for name, payload in payloads.items()}


def sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def cifar_payloads(records: int = 3) -> dict[str, bytes]:
    """Member name -> payload: random records with labels 0..9."""
    rng = np.random.default_rng(1)
    payloads = {}
    for name in BATCHES:
        batch = rng.integers(0, 256, (records, 3073)).astype(np.uint8)
        batch[:, 0] %= 10
        payloads[name] = batch.tobytes()
    return payloads


def tar_gz(members: list[tuple[str, bytes]]) -> bytes:
    """A gzipped tar archive of these members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@dataclass
class Server:
    """HTTP on 127.0.0.1. The fields are its contents and its faults, to be set by the test.

    requests holds (path, Range header or None). drop_after cuts the next answer's body after that many
    bytes and then is None again.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    drop_after: int | None = None
    say_length: bool = True
    wrong_start: bool = False
    hang: bool = False
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def __enter__(self) -> Server:
        outer = self
        self.released = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *args: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.http.server_port}/mirror"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.released.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.requests.append((handler.path, wanted))
        if self.hang:
            self.released.wait(10)
            return
        body = self.files.get(handler.path.removeprefix("/mirror/"))
        if body is None:
            handler.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if start >= len(body):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(body)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        if start:
            first = 0 if self.wrong_start else start
            handler.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        if self.say_length:
            handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        stop, self.drop_after = self.drop_after, None
        handler.wfile.write(body[start:] if stop is None else body[start : start + stop])
