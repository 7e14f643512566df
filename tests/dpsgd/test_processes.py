"""Worker processes: the same bits as one process, whatever happens to them, and nothing of them stays."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from refdp import processes
from refdp.errors import RefDPError
from refdp.processes import Workers

LIMIT = 20.0  # seconds: for machines under load; nothing waits this long unless it fails
SIZE = 1000
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def multiply(task: int, out: np.ndarray) -> int:
    """A task's product, and who did it."""
    rng = np.random.default_rng(task)
    rows = rng.standard_normal((40, SIZE)).astype(np.float32)
    out[:] = rows.T @ rng.standard_normal(40).astype(np.float32)
    return os.getpid()


@contextlib.contextmanager
def of(serve: Callable[[Any, np.ndarray], Any], count: int = 2, **more: Any) -> Iterator[Workers]:
    workers = Workers(serve, count, SIZE, **more)
    try:
        yield workers
    finally:
        workers.close()


def expected(tasks: list[int]) -> list[np.ndarray]:
    found = [np.empty(SIZE) for _ in tasks]
    for task, out in zip(tasks, found, strict=True):
        multiply(task, out)
    return found


def gives(workers: Workers, tasks: list[int]) -> list[int]:
    """Runs ``multiply``, checks the bits and returns who did each task."""
    got = workers.run(tasks)
    for (total, _), right in zip(got, expected(tasks), strict=True):
        assert total.dtype == np.float64
        np.testing.assert_array_equal(total, right)
    return [reply for _, reply in got]


def is_gone(pid: int) -> bool:
    """Ended, and collected by us."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@forks
@pytest.mark.parametrize("count", [1, 2, 3])
def test_sums_are_those_of_one_process_to_the_bit(count: int) -> None:
    with of(multiply, count) as workers:
        assert workers.alive == 1
        for round_ in range(3):
            who = gives(workers, [10 * round_ + k for k in range(count)])
            assert who[0] == os.getpid()
            assert len(set(who)) == count == workers.alive
        if count > 2:
            assert gives(workers, [5, 6]) == who[:2]
        assert workers.run([]) == []


def test_work_for_one_forks_nothing() -> None:
    with of(multiply) as workers:
        assert workers.run([]) == []
        assert gives(workers, [1]) == [os.getpid()]
        assert workers.alive == 1


def test_shared_arrays_reach_every_worker_and_begin_as_zeros() -> None:
    def serve(task: int, out: np.ndarray) -> float:
        out[:] = workers.shared["weights"][task]
        return float(workers.shared["rate"][()])

    shared = {"weights": ((2, SIZE), np.float32), "rate": ((), np.float64), "none": ((0, 3), np.int64)}
    with of(serve, shared=shared) as workers:
        weights = workers.shared["weights"]
        assert weights.dtype == np.float32
        assert workers.shared["none"].shape == (0, 3)
        assert not weights.any()
        for rate in (0.5, 0.25):
            weights[:] = np.arange(2 * SIZE, dtype=np.float32).reshape(2, SIZE) * rate
            workers.shared["rate"][()] = rate
            got = workers.run([0, 1])
            assert [reply for _, reply in got] == [rate, rate]
            np.testing.assert_array_equal([total for total, _ in got], weights)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((0, 5), "workers"), ((True, 5), "workers"), ((2, -1), "size"), ((1.0, 5), "workers")],
)
def test_bad_arguments(arguments: tuple[Any, Any], name: str) -> None:
    with pytest.raises(RefDPError, match=f"{name} = "):
        Workers(multiply, *arguments)


def test_more_tasks_than_workers_are_refused() -> None:
    with of(multiply) as workers, pytest.raises(RefDPError, match="tasks = 3: must be at most the 2 workers"):
        workers.run([1, 2, 3])


class Awkward(Exception):
    """Cannot be made from its own arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one}-{two}")


@forks
def test_an_exception_comes_back_after_all_have_ended_and_the_workers_go_on() -> None:
    def serve(task: Any, out: np.ndarray) -> Any:
        if isinstance(task, int):
            return multiply(task, out)
        raise task if isinstance(task, Exception) else Awkward(3, 4)

    with of(serve, 3) as workers:
        who = gives(workers, [1, 2, 3])
        with pytest.raises(KeyError, match="here"):
            workers.run([KeyError("here"), 2, ValueError("there")])
        with pytest.raises(ZeroDivisionError, match="there") as caught:
            workers.run([1, ZeroDivisionError("there"), KeyError("third")])
        assert "in a worker process" in caught.value.__notes__[0]
        assert "serve" in caught.value.__notes__[0]
        with pytest.raises(RefDPError, match=r"Awkward\('3-4'\): cannot be sent"):
            workers.run([1, "awkward", 3])
        assert gives(workers, [4, 5, 6]) == who


@forks
def test_a_reply_or_a_task_that_cannot_be_pickled() -> None:
    with of(lambda task, out: (lambda: None) if task == "bad" else task) as workers:
        with pytest.raises(RefDPError, match="reply: cannot be sent"):
            workers.run([1, "bad"])
        with pytest.raises(Exception, match="pickle"):
            workers.run([1, lambda: None])
        assert [reply for _, reply in workers.run([1, 2])] == [1, 2]
        assert workers.alive == 2


@forks
@pytest.mark.parametrize("when", ["idle", "at work", "leaves"])
def test_a_dead_worker_s_task_is_done_here_with_the_same_bits(when: str) -> None:
    parent, doomed = os.getpid(), [False]

    def serve(task: tuple[int, bool], out: np.ndarray) -> int:
        if task[1] and os.getpid() != parent:
            out[:] = np.nan  # half done
            if when == "leaves":
                raise SystemExit
            os.kill(os.getpid(), signal.SIGKILL)
        return multiply(task[0], out)

    with of(serve, 3) as workers:
        who = [reply for _, reply in workers.run([(k, False) for k in range(3)])]
        if when == "idle":
            os.kill(who[1], signal.SIGKILL)
        doomed = [False, when != "idle", False]
        for _ in range(2):
            got = workers.run(list(zip([7, 8, 9], doomed, strict=True)))
            np.testing.assert_array_equal([total for total, _ in got], expected([7, 8, 9]))
            assert [reply for _, reply in got] == [parent, parent, who[2]]
            assert workers.alive == 2
        assert is_gone(who[1])


@forks
def test_close_ends_the_children_and_may_be_called_twice() -> None:
    workers = Workers(multiply, 3, SIZE)
    workers.close()
    who = gives(workers, [1, 2, 3])
    workers.close()
    workers.close()
    assert [is_gone(pid) for pid in who] == [False, True, True]
    assert workers.alive == 1
    again = gives(workers, [1, 2, 3])
    assert len({*who, *again}) == 5
    workers.close()


class Owner:
    """Holds workers that serve by its own method, as a trainer does."""

    def __init__(self) -> None:
        self.workers = Workers(self.serve, 2, SIZE)

    def serve(self, task: int, out: np.ndarray) -> int:
        return multiply(task, out)


@forks
def test_children_end_when_their_owner_is_freed() -> None:
    gc.disable()  # the owner is in no cycle
    try:
        owner = Owner()
        child = gives(owner.workers, [1, 2])[1]
        assert not is_gone(child)
        del owner
        assert is_gone(child)
    finally:
        gc.enable()


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("missing", ["fork", "processes", "permission", "memory", "all but one"])
def test_without_forks_or_memory_all_is_done_here(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fork, calls = getattr(os, "fork", None), []
    if missing == "fork":
        monkeypatch.delattr(os, "fork", raising=False)
    elif missing == "processes":
        monkeypatch.setattr(os, "fork", raising(BlockingIOError(11, "Resource temporarily unavailable")))
    elif missing == "permission":
        monkeypatch.setattr(os, "fork", raising(RuntimeError("an audit hook says no")))
    elif missing == "memory":
        monkeypatch.setattr(mmap, "mmap", raising(OSError(12, "Cannot allocate memory")))
    elif fork is not None:

        def one() -> int:
            calls.append(1)
            if len(calls) > 1:
                raise BlockingIOError
            return int(fork())

        monkeypatch.setattr(os, "fork", one)
    with of(multiply, 3) as workers:
        for _ in range(2):
            who = gives(workers, [1, 2, 3])
        assert len(set(who)) == workers.alive == (2 if missing == "all but one" and fork else 1)


@forks
def test_a_child_that_cannot_start_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a library's lock was held by another thread at the fork."""
    monkeypatch.setattr(processes, "_START", 0.05)
    monkeypatch.setattr(processes, "_detach", lambda keep: time.sleep(60))
    with of(multiply) as workers:
        assert set(gives(workers, [1, 2])) == {os.getpid()}
        assert workers.alive == 1


@forks
def test_python_s_warning_about_threads_and_forks_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes with 3.12, and tests make errors of warnings."""
    fork = os.fork

    def warned() -> int:
        pid = fork()
        if pid:
            warnings.warn(
                "multi-threaded, use of fork() may lead to deadlocks", DeprecationWarning, stacklevel=2
            )
        return pid

    monkeypatch.setattr(os, "fork", warned)
    with of(multiply) as workers:
        gives(workers, [1, 2])
        assert workers.alive == 2


@forks
def test_cores_and_blas_threads_are_left_as_they_were() -> None:
    def serve(task: Any, out: np.ndarray) -> Any:
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        return {info["num_threads"] for info in blas()}, cores

    def blas() -> list[dict[str, Any]]:
        return [info for info in threadpool_info() if info["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"), of(serve) as workers:
        threads, before = [info["num_threads"] for info in blas()], serve(None, np.empty(0))[1]
        for _ in range(2):
            (_, (mine, my_cores)), (_, (its, its_cores)) = workers.run([0, 0])
            assert mine <= {1}
            assert its <= {1}
            assert my_cores == before
            assert len(its_cores) == max(len(before) - 1, min(len(before), 1))
            assert its_cores <= before
            assert [info["num_threads"] for info in blas()] == threads
            assert serve(None, np.empty(0))[1] == before


@forks
def test_an_interrupt_ends_the_children_and_later_rounds_work() -> None:
    parent, children = os.getpid(), []

    def serve(task: Any, out: np.ndarray) -> int:
        if task == "interrupted":
            if os.getpid() == parent:
                raise KeyboardInterrupt
            time.sleep(60)
        return os.getpid()

    with of(serve) as workers:
        children.append(workers.run([1, 2])[1][1])
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            workers.run(["interrupted"] * 2)
        assert time.monotonic() - begun < LIMIT
        assert is_gone(children[0])
        assert workers.alive == 1
        children.append(workers.run([1, 2])[1][1])
        os.kill(children[1], signal.SIGINT)  # a terminal sends it to all
        assert workers.run([1, 2])[1][1] == children[1] != parent


@forks
def test_two_callers_at_once_and_a_forked_copy_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, go_on, caught = threading.Event(), threading.Event(), []

    def serve(task: Any, out: np.ndarray) -> None:
        inside.set()
        assert go_on.wait(LIMIT)

    with of(serve) as workers:
        thread = threading.Thread(target=lambda: caught.append(workers.run([1])))
        thread.start()
        assert inside.wait(LIMIT)
        for call in (lambda: workers.run([1]), workers.close):
            with pytest.raises(RefDPError, match="at work for another caller"):
                call()
        go_on.set()
        thread.join(LIMIT)
        assert len(caught) == 1
        with monkeypatch.context() as patch:
            patch.setattr(workers, "_process", -1)
            with pytest.raises(RefDPError, match="belong to the process that made them"):
                workers.run([1])


@forks
def test_a_child_keeps_no_lock_of_its_parent_s(tmp_path: Path) -> None:
    with of(multiply) as workers:
        with open(tmp_path / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            gives(workers, [1, 2])
        with open(tmp_path / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


SCRIPT = """
import atexit, fcntl, os, signal, sys, time
import numpy as np
from refdp import processes

def serve(task, out):
    if task:
        global file  # locked as long as the child lives
        file = open(task, "w")
        fcntl.flock(file, fcntl.LOCK_EX)
        print("a child prints")
        os.write(2, b"and writes")

atexit.register(print, "ends")
print("begins")
processes._LOOK = 0.05 if sys.argv[2] == "copied" else 60
workers = processes.Workers(serve, 2, 5)
workers.run([None, sys.argv[1]])
if sys.argv[2] == "copied" and (pid := os.fork()) == 0:
    os.closerange(1, 3)
    time.sleep(60)
    os._exit(0)
if sys.argv[2] != "exits":
    print(pid if sys.argv[2] == "copied" else 0, flush=True)
    time.sleep(60)
"""


@forks
@pytest.mark.parametrize("how", ["exits", "killed", "copied"])
def test_no_child_outlives_its_parent_or_says_a_word(how: str, tmp_path: Path) -> None:
    """``copied``: another fork of the parent, which lives on, holds the pipes' ends too."""
    lock, copy = tmp_path / "lock", 0
    run = [sys.executable, "-c", SCRIPT, str(lock), how]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}  # a child has a copy of what is not written yet
    pipe = subprocess.PIPE
    with subprocess.Popen(run, stdout=pipe, stderr=pipe, text=True, env=buffered) as parent:
        assert parent.stdout is not None
        said = []
        try:
            if how != "exits":
                said = [parent.stdout.readline(), "ends\n"]
                copy = int(parent.stdout.readline())
                assert not is_free(lock)
                parent.kill()
            rest, errors = parent.communicate(timeout=LIMIT)
            end = time.monotonic() + LIMIT
            while not is_free(lock):
                assert time.monotonic() < end, "the child lives on"
                time.sleep(0.005)
        finally:
            if copy:
                os.kill(copy, signal.SIGKILL)
    assert [*said, *rest.splitlines(keepends=True)] == ["begins\n", "ends\n"]
    assert errors == ""


def is_free(lock: Path) -> bool:
    with open(lock, "w") as file, contextlib.suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
