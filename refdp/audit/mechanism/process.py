"""The subject's process: limits, an environment without anything of the caller's, frames in and out.

G1. The subject is never imported into this process, and nothing it sends is unpickled.
G2. ``ask`` returns within its timeout and about a second; a hanging or dead subject is a ``SubjectDied``.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

import numpy as np

from refdp.errors import RefDPError

CHILD = Path(__file__).with_name("child.py")
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class SubjectDied(Exception):
    """It hung, or its process ended; one line says which."""


class SubjectProcess:
    """One process that holds the subject.

    Args:
        memory: bytes of address space.
        timeout: seconds for loading it.
    """

    def __init__(self, file: Path, name: str, *, memory: int, timeout: float) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="refdp-subject-")
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(CHILD), str(file.resolve()), name, str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=_ENVIRONMENT,
            cwd=self._folder.name,
            start_new_session=True,
        )
        try:
            told, _ = self._timed(timeout, None, None)
        except SubjectDied as died:
            self.close()
            raise RefDPError(f"{file}:{name}: {died} while it was loaded") from None
        if told["status"] != "ok":
            self.close()
            raise RefDPError(f"{file}:{name}: cannot be loaded: {told['cause']}")
        self.about: dict[str, Any] = told["about"]

    def ask(
        self, document: dict[str, Any], numbers: np.ndarray, timeout: float
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Send a request, wait for its answer."""
        return self._timed(timeout, document, numbers)

    def close(self) -> None:
        """End it and whatever it started."""
        self._end()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                pass
        self._said.close()
        self._folder.cleanup()

    def _end(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def _timed(
        self, timeout: float, document: dict[str, Any] | None, numbers: np.ndarray | None
    ) -> tuple[dict[str, Any], np.ndarray]:
        late = threading.Event()

        def cut_off() -> None:
            late.set()
            self._end()

        timer = threading.Timer(timeout, cut_off)
        timer.start()
        try:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            if document is not None:
                _send(self._process.stdin, document, np.empty(0) if numbers is None else numbers)
            return _receive(self._process.stdout)
        except (OSError, EOFError, ValueError):
            if late.is_set():
                raise SubjectDied(f"no answer after {timeout:g} s") from None
            self._end()
            raise SubjectDied(self._death()) from None
        finally:
            timer.cancel()

    def _death(self) -> str:
        code = self._process.wait()
        how = f"ended with exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - 2000))
        lines = [line.strip() for line in self._said.read().decode("utf-8", "replace").splitlines()]
        last = next((line[:200] for line in reversed(lines) if line), "")
        return f"{how}: {last}" if last else how


def _send(pipe: IO[bytes], document: dict[str, Any], numbers: np.ndarray) -> None:
    text, body = json.dumps(document).encode(), np.ascontiguousarray(numbers, dtype="<f8").tobytes()
    pipe.write(struct.pack("<q", len(text)) + text + struct.pack("<q", len(body)) + body)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[dict[str, Any], np.ndarray]:
    document = json.loads(_block(pipe))
    if not isinstance(document, dict):
        raise ValueError("no document")
    return document, np.frombuffer(_block(pipe), dtype="<f8").astype(np.float64)


def _block(pipe: IO[bytes]) -> bytes:
    size = pipe.read(8)
    if len(size) < 8:
        raise EOFError
    length = struct.unpack("<q", size)[0]
    if not 0 <= length < 1 << 31:
        raise ValueError("no length")
    block = pipe.read(length)
    if len(block) < length:
        raise EOFError
    return block
