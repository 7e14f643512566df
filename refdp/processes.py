"""Processes that share the work of a batch: this one and forked copies of it, over shared memory.

Threads share one interpreter lock, and with small arrays hand it to and fro more than they compute. A forked child has
its own, and begins with all that its parent has (model, records, buffers) without a copy. From then on only small
messages pass between them; weights and sums lie in memory that all of them see.

Linux may wake the receiver of a message on the sender's core, and leave it there to wait while the sender computes: two
tasks of 3.5 ms then take 7.2 ms, not 3.7. So before each round the children are kept off the core this process is on.
To bind every process to a core of its own is no faster, and lets two runs share cores while others idle.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import inspect
import mmap
import os
import pickle
import signal
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import Any, NoReturn

import numpy as np
from threadpoolctl import ThreadpoolController

from refdp.errors import RefDPError
from refdp.validate import whole

Serve = Callable[[Any, np.ndarray], Any]
"""(task, float64 vector to fill) -> reply. The same task, and the same shared arrays, must give the same bits."""
Outcome = tuple[bool, Any]  # (True, reply) or (False, exception)
Kind = tuple[tuple[int, ...], Any]  # shape and type of an array

_START = 10.0  # seconds a child may take until it can compute
_LOOK = 5.0  # seconds between an idle child's looks at whether its parent lives


class Workers:
    """``count`` processes: this one and count - 1 forked ones, each with one BLAS thread.

    Guarantees:

    G1. Task i is worker i's, and worker 0 is this process: results depend on the tasks, never on timing.
    G2. What a worker that cannot be had, or that died, should have done is done here by the same ``serve``: same bits.
    G3. No child stays: it ends on ``close``, when these workers are freed, and when their process ends in any way,
        SIGKILL included; at once, but for a child at work when its parent is killed: that one ends after its task.
    G4. A child is silent: it runs no exit handler, flushes no inherited buffer, has no inherited file open (so it keeps
        no lock and no pipe of its parent's), and its standard streams lead nowhere.
    G5. After ``run`` this process has the cores and the BLAS threads it had before.

    The children are forked at the first ``run`` that has work for them, and begin with the state of that moment: what
    changes later must reach them in a task or a shared array. No other thread may then be in a BLAS call of several
    threads: OpenBLAS would hold up the fork, any fork, until that ends, or for good.

    Args:
        serve: does a task. A bound method is held weakly: its owner may hold these workers, and still be freed.
        count: processes, this one included.
        size: length of a sum.
        shared: shapes and types of the arrays, zero at first, that this process writes and ``serve`` reads.
    """

    def __init__(self, serve: Serve, count: int, size: int, shared: Mapping[str, Kind] = {}) -> None:
        whole(1, workers=count)
        whole(0, size=size)
        self.count = count
        kinds: list[Kind] = [*shared.values(), *[((size,), np.float64)] * count]
        self._can_fork, self._forked = hasattr(os, "fork"), False
        try:
            arrays = [_zeros(*kind) for kind in kinds]
        except OSError:  # no such memory: all is done here
            arrays, self._can_fork = [np.zeros(*kind) for kind in kinds], False
        self.shared: dict[str, np.ndarray] = dict(zip(shared, arrays, strict=False))
        self._sums = arrays[len(shared) :]
        self._serve: Any = weakref.WeakMethod(serve) if inspect.ismethod(serve) else lambda: serve
        self._children: dict[int, _Child] = {}
        self._busy = threading.Lock()
        self._process = os.getpid()
        self._blas: Any = None  # found once: looking for the libraries takes half a millisecond
        weakref.finalize(self, _end, self._children, self._process)

    @property
    def pids(self) -> list[int]:
        """Of the children."""
        return [child.pid for child in self._children.values()]

    @property
    def alive(self) -> int:
        """Processes that share the work, as far as is known: 1 before the first round."""
        return 1 + len(self._children)

    def run(
        self, tasks: Sequence[Any], show: Callable[[], None] = lambda: None
    ) -> list[tuple[np.ndarray, Any]]:
        """Do each task; (sum, reply) of each, in order. The sums are valid until the next call.
        ``show`` is called first, when nobody is at work: it may write the shared arrays.

        An exception of ``serve`` is raised here once every task has ended; of several, the first task's.
        """
        if len(tasks) > self.count:
            raise RefDPError(f"tasks = {len(tasks)}: must be at most the {self.count} workers; make fewer")
        with self._alone():
            show()
            if self._blas is None:
                self._blas = ThreadpoolController().select(user_api="blas")
            with self._blas.limit(limits=1):
                outcomes = self._round(tasks, [pickle.dumps(task) for task in tasks[1:]])
        if errors := [value for done, value in outcomes if not done]:
            raise errors[0]
        return [(total, reply) for total, (_, reply) in zip(self._sums, outcomes, strict=False)]

    def close(self) -> None:
        """End the children, whatever they are doing. A later ``run`` forks new ones."""
        with self._alone():
            _end(self._children, self._process)
            self._forked = False

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if os.getpid() != self._process:
            raise RefDPError("workers: they belong to the process that made them; make new ones in this one")
        if not self._busy.acquire(blocking=False):
            raise RefDPError("workers: at work for another caller; make others for each thread")
        try:
            yield
        finally:
            self._busy.release()

    def _round(self, tasks: Sequence[Any], messages: list[bytes]) -> list[Outcome]:
        """Outcome of each task."""
        serve = self._serve()

        def here(k: int) -> Outcome:
            return _attempt(serve, tasks[k], self._sums[k])

        try:
            if messages and self._can_fork and not self._forked:
                self._fork(serve)
            self._place()
            away = {k for k in range(1, len(tasks)) if k in self._children}
            for k in away:
                try:
                    self._children[k].connection.send_bytes(messages[k - 1])
                except OSError:  # it is dead; ``_heard`` takes note
                    _stop(self._children[k])
            mine = {k: here(k) for k in range(len(tasks)) if k not in away}
            return [mine.get(k) or self._heard(k) or here(k) for k in range(len(tasks))]
        except BaseException:  # an interrupt: children are at work whose answers nobody would collect
            _end(self._children, self._process)
            self._forked = False
            raise

    def _heard(self, k: int) -> Outcome | None:
        """Child k's outcome; None if it is dead."""
        try:
            return pickle.loads(self._children[k].connection.recv_bytes())
        except (EOFError, OSError):
            _stop(self._children.pop(k))
            return None
        except Exception as error:
            return False, error

    def _place(self) -> None:
        """Keep the children off this core, if there are others."""
        if _current_core is not None and self._children:
            elsewhere = os.sched_getaffinity(0) - {_current_core()}
            for child in self._children.values():
                if elsewhere and child.cores != elsewhere:
                    child.cores = elsewhere
                    with contextlib.suppress(OSError):  # a sandbox's rule, or a dead child
                        os.sched_setaffinity(child.pid, elsewhere)

    def _fork(self, serve: Serve) -> None:
        """As many children as can be had, each able to compute."""
        self._forked = True
        with contextlib.suppress(OSError, RuntimeError):  # no more processes, or none allowed
            for k in range(1, self.count):
                self._children[k] = _start(serve, self._sums[k])
        end = time.monotonic() + _START
        for k, child in list(self._children.items()):
            if child.connection.poll(max(end - time.monotonic(), 0)):
                self._heard(k)  # its first word
            else:
                _stop(self._children.pop(k))


@dataclass
class _Child:
    pid: int
    connection: Connection
    cores: set[int] | None = None


def _zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros that forked children share."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.ndarray(shape, dtype, mmap.mmap(-1, max(size, 1)))


def _attempt(serve: Serve, task: Any, out: np.ndarray) -> Outcome:
    try:
        return True, serve(task, out)
    except Exception as error:
        return False, error


def _packed(outcome: Outcome) -> bytes:
    """An outcome to send: what cannot be, as an exception that says so."""
    done, value = outcome
    try:
        if not done:
            value.add_note("in a worker process: " + "".join(traceback.format_exception(value)))
            pickle.loads(pickle.dumps(outcome))  # some exceptions cannot be made from their own arguments
        return pickle.dumps(outcome)
    except Exception as error:
        what = "reply" if done else repr(value)
        why = f"{what}: cannot be sent by a worker process ({error!r}); use plain values"
        return pickle.dumps((False, RefDPError(why)))


def _start(serve: Serve, out: np.ndarray) -> _Child:
    """A child at work. No signal is handled between its birth and its first line."""
    ours, theirs = Pipe()
    mask = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns where there are threads: a lock that one of them holds stays locked in the child. A
            # child runs numpy only, whose BLAS prepares for forks; one that cannot compute is found out at its start.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _live(serve, out, theirs)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()
    return _Child(pid, ours)


def _live(serve: Serve, out: np.ndarray, connection: Connection) -> NoReturn:
    """A child's life: tasks until the parent hangs up."""
    try:
        _detach(connection.fileno())
        np.ones((64, 64)) @ np.ones((64, 64))
        connection.send_bytes(_packed((True, None)))
        parent = os.getppid()
        while True:
            if connection.poll(_LOOK):
                task = pickle.loads(connection.recv_bytes())
                connection.send_bytes(_packed(_attempt(serve, task, out)))
            elif os.getppid() != parent:  # whose end of the pipe another process has a copy of
                os._exit(0)
    finally:
        os._exit(0)


def _detach(keep: int) -> None:
    """In a child: let go of all that is the parent's."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent decides
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    gc.freeze()  # the parent's garbage is the parent's to finalise
    try:
        inherited = {int(name) for name in os.listdir("/dev/fd")}
    except OSError:
        inherited = set(range(1024))
    for descriptor in inherited - {keep}:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    for _stream in range(3):
        os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def _stop(child: _Child) -> None:
    """End one child; it has nothing to lose."""
    child.connection.close()
    with contextlib.suppress(ChildProcessError, ProcessLookupError):  # someone else has collected it
        if os.waitpid(child.pid, os.WNOHANG)[0] == 0:
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)


def _end(children: dict[int, _Child], process: int) -> None:
    """End all children, in the process that made them."""
    while children and os.getpid() == process:
        _stop(children.popitem()[1])


_current_core: Callable[[], int] | None = None
with contextlib.suppress(AttributeError, OSError, TypeError):  # where cores cannot be told or chosen
    _current_core = ctypes.CDLL(None).sched_getcpu if hasattr(os, "sched_setaffinity") else None
