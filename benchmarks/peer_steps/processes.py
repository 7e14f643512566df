"""What a process and its children take: memory with shared pages once, and processor time. Linux only."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def tree(pid: int) -> list[int]:
    """The process and all that it started, itself or through others; those that are gone are left out."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in _read(task / "children").split():
            found += tree(int(child))
    return found


def peak_alone(pid: int) -> int:
    """Largest resident set of this one process so far, in bytes."""
    return _field(_read(Path(f"/proc/{pid}/status")), "VmHWM:")


def memory(pid: int) -> int:
    """Bytes that the tree holds now.

    Anonymous and shared memory proportionally, so that a page of several processes counts once in their sum; pages of
    files, which other contenders may map too, as the process with the most of them has them.
    """
    own = files = 0
    for each in tree(pid):
        rollup, status = _read(Path(f"/proc/{each}/smaps_rollup")), _read(Path(f"/proc/{each}/status"))
        own += _field(rollup, "Pss_Anon:") + _field(rollup, "Pss_Shmem:")
        files = max(files, _field(status, "RssFile:"))
    return own + files


def processor_seconds(pid: int) -> float:
    """Processor time of all threads of the tree so far."""
    spent = 0
    for each in tree(pid):
        for task in Path(f"/proc/{each}/task").glob("*"):
            spent += int((_read(task / "schedstat").split() or ["0"])[0])
    return spent / 1e9


def all_processor_seconds() -> float:
    """Processor time of everything on this machine so far."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, _read(Path("/proc/stat")).split()[1:11])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class Watch:
    """The most memory that a tree holds while this is entered, looked at every few milliseconds."""

    def __init__(self, pid: int) -> None:
        self.most = 0
        self._pid, self._over = pid, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(0.005):
            self.most = max(self.most, memory(self._pid))

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def _field(text: str, name: str) -> int:
    """The number of kilobytes on the line of this name, in bytes."""
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0
