"""The driver's end of one contender's process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from peer_steps import processes
from peer_steps.base import Absent
from peer_steps.contenders import Contender

_HERE = Path(__file__).resolve().parents[1]
_MODELS = _HERE.parent / "refdp" / "crosscheck" / "training" / "peers" / "shared"
_THREADS = ("OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "XLA_", "JAX_", "PYTORCH_")


class Failed(Exception):
    """The process ended; says what it printed last."""


class Client:
    """A contender under way. Start, ``make``, then ``take`` steps; ``close`` ends it and all that it started."""

    def __init__(self, contender: Contender, interpreter: str) -> None:
        """Returns when the interpreter has imported its libraries; raises Absent where it cannot."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_THREADS)}
        paths = [str(_HERE.parent), str(_MODELS)]
        environment = {
            **kept,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
            "JAX_PLATFORMS": "cpu",
            "CUDA_VISIBLE_DEVICES": "",
        }
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        command = [interpreter, "-W", "ignore", "-m", "peer_steps.worker", contender.module, contender.mode]
        try:
            self._process = subprocess.Popen(
                command, cwd=_HERE, env=environment, text=True, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            )  # fmt: skip
        except OSError as error:
            raise Absent(f"not installed ({error.strerror}: the interpreter)") from error
        self.pid, self.peak = self._process.pid, 0
        try:
            self._answer()
        except BaseException:
            self.close()
            raise
        self.imports = processes.peak_alone(self.pid)

    def make(self, path: Path) -> dict[str, Any]:
        """Have it make its model from these inputs: {"parameters": ..., "versions": ...}."""
        return self._ask(f"make {path}")

    def take(self, steps: int) -> list[float]:
        """Seconds of each step."""
        return self._ask(f"take {steps}")["seconds"]

    def tune(self) -> str:
        """Have it choose its fastest setting: which."""
        return self._ask("tune")["setting"]

    def write_sum(self, path: Path) -> bool:
        """Have it write its clipped sum there; False where it has none."""
        return self._ask(f"sum {path}")["written"]

    def processor_seconds(self) -> float:
        """So far."""
        return processes.processor_seconds(self.pid)

    def watched(self, steps: int) -> list[float]:
        """``take`` while its memory is looked at; adds to ``peak``."""
        with processes.Watch(self.pid) as watch:
            seconds = self.take(steps)
        self.peak = max(self.peak, watch.most)
        return seconds

    def close(self) -> None:
        """End the process and what it started; ``peak`` stays."""
        self.peak = max(self.peak, processes.peak_alone(self.pid))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.communicate()
        self._errors.close()

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            printed = self._errors.read().decode(errors="replace").strip().splitlines()
            raise Failed(printed[-1] if printed else f"ended with status {self._process.returncode}")
        answer = json.loads(line)
        if "absent" in answer:
            raise Absent(answer["absent"])
        return answer
