"""One peer, one question, one process of its own: what hangs, crashes or eats memory is cut off there.

G1. The peer's package is never imported into this process, and what it prints is kept off stdout.
G2. ``ask`` returns within the timeout and about a second, whatever the peer does; its whole process group is ended.
G3. Every failure is an Outcome with a status and a one-line cause; no answer is ever made up.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

CHILD = Path(__file__).with_name("child.py")
STATUSES = ("ok", "not installed", "unsupported", "timeout", "out of memory", "crashed", "not a number")
_QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}


class Peer(Protocol):
    """Whom to ask: a file that runs under the peer's interpreter, and the name of what it is asked for."""

    @property
    def name(self) -> str:
        """What ``answer`` in the file is given."""

    @property
    def file(self) -> Path:
        """Its file."""


@dataclass(frozen=True)
class Outcome:
    """What came of asking.

    Attributes:
        status: one of STATUSES.
        cause: one line, where the status is not "ok".
        version: the package's, where it could be imported.
        answer: the peer's own document, where the status is "ok".
        seconds: of its answer, without importing the package; of the whole process where it gave none.
        peak_memory_bytes: the largest resident size of its process, the package included (where it crashed, at
            least the size of this one).
    """

    status: str
    cause: str | None
    version: str | None
    answer: dict[str, Any]
    seconds: float
    peak_memory_bytes: int


def ask(
    peer: Peer,
    case: dict[str, Any],
    python: str,
    *,
    timeout: float,
    memory: int,
    stop: threading.Event | None = None,
    largest_file: int = 1 << 26,
) -> Outcome:
    """Put the case to the peer under this interpreter.

    Args:
        timeout: seconds, for importing and answering together.
        memory: bytes of address space.
        largest_file: bytes of a file that it may write.
        stop: ends the process at once when set.
    """
    command = [python, "-I", str(CHILD), str(peer.file), peer.name, str(memory), str(largest_file)]
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        asked.write(json.dumps(case).encode())
        asked.seek(0)
        begin = time.monotonic()
        try:
            process = subprocess.Popen(
                command,
                stdin=asked,
                stdout=out,
                stderr=said,
                env=os.environ | _QUIET,
                start_new_session=True,
            )
        except OSError as error:
            return Outcome("crashed", f"{python}: {error.strerror}", None, {}, 0.0, 0)
        code, peak = _wait(process, begin + timeout, stop)
        seconds = time.monotonic() - begin
        if code is None:
            cause = f"no answer after {timeout:g} s"
            return Outcome("timeout", cause, None, {}, seconds, peak)
        out.seek(0)
        return _read(out.read(), code, said, seconds, peak)


def _wait(
    process: subprocess.Popen[bytes], until: float, stop: threading.Event | None
) -> tuple[int | None, int]:
    """(exit code, or None where it was cut off; peak resident bytes)."""
    late, own, pause = False, 0, 0.002
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > until or (stop is not None and stop.is_set()):
            late, own = True, _own_peak(process.pid)
            _end_group(process.pid)
            _, status, used = os.wait4(process.pid, 0)
            break
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    _end_group(process.pid)  # what it may have left behind
    peak = used.ru_maxrss * (1 if os.uname().sysname == "Darwin" else 1024)
    return (None, own or peak) if late else (process.returncode, peak)


def _own_peak(pid: int) -> int:
    """Largest resident size of a running process without the one that started it; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, ValueError, StopIteration):
        return 0


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _read(text: bytes, code: int, said: IO[bytes], seconds: float, peak: int) -> Outcome:
    try:
        found = json.loads(text)
        status, cause = found["status"], found.get("cause")
        answer = found.get("answer", {})
        if status not in STATUSES or not isinstance(answer, dict):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        status, cause = "crashed", f"{_death(code)}{_last_line(said)}"
        return Outcome(status, cause, None, {}, seconds, peak)
    return Outcome(
        status,
        cause,
        found.get("version"),
        answer,
        found.get("seconds", seconds),
        found.get("peak_memory_bytes") or peak,
    )


def _death(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code} and no readable answer"
    name = signal.Signals(-code).name
    return f"killed by {name}" + (" (perhaps by the system, for memory)" if name == "SIGKILL" else "")


def _last_line(said: IO[bytes]) -> str:
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - 2000))
    lines = [line.strip() for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return f": {lines[-1][:200]}" if lines else ""
