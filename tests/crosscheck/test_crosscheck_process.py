"""A peer that hangs, crashes, eats memory or prints garbage is cut off in its own process and reported as that."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_peers import fake

from refdp.crosscheck.discovery import accountants, chosen
from refdp.crosscheck.process import STATUSES, Outcome, ask
from refdp.errors import RefDPError

CASE = {
    "delta": 1e-5,
    "neighboring": "add-remove",
    "events": [{"scheme": "poisson", "rate": 0.1, "steps": [[1.0, 3]]}],
}


def put(
    folder: Path, body: str, *, timeout: float = 20, memory: int = 2**30, load: str = 'return "1"'
) -> Outcome:
    return ask(fake(folder, body, load=load), CASE, sys.executable, timeout=timeout, memory=memory)


def test_an_answer_arrives_with_version_time_and_memory(tmp_path: Path) -> None:
    got = put(tmp_path, 'return {"epsilon": case["events"][0]["steps"][0][1] + 0.5}', load='return "1.2.3"')
    assert (got.status, got.cause, got.version, got.answer) == ("ok", None, "1.2.3", {"epsilon": 3.5})
    assert 0 <= got.seconds < 5
    assert 2**20 < got.peak_memory_bytes < 2**28


def test_the_peak_is_the_peers_own(tmp_path: Path) -> None:
    """Not that of the process which started it (a forked child begins with its parent's peak)."""
    ballast = bytearray(200 * 2**20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    assert put(tmp_path, 'return {"epsilon": 1.0}').peak_memory_bytes < 2**27
    big = put(
        tmp_path, 'x = bytearray(150 * 2**20); x[::4096] = b"x" * len(x[::4096])\nreturn {"epsilon": 1.0}'
    )
    assert big.peak_memory_bytes > 150 * 2**20
    hung = put(tmp_path, "import time; time.sleep(60)", timeout=0.7)
    assert 0 < hung.peak_memory_bytes < 2**27


def test_a_hang_is_cut_off(tmp_path: Path) -> None:
    begin = time.monotonic()
    got = put(tmp_path, "import time\nwhile True: time.sleep(1)", timeout=0.6)
    assert got.status == "timeout"
    assert got.cause == "no answer after 0.6 s"
    assert time.monotonic() - begin < 3


def test_what_a_hanging_peer_started_ends_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    code = f"import time; time.sleep(1.5); open({str(mark)!r}, 'w')"
    body = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {code!r}])\ntime.sleep(60)"
    assert put(tmp_path, body, timeout=0.5).status == "timeout"
    time.sleep(1.6)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("raise RuntimeError('a\\nb')", "RuntimeError: a b"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import os; os._exit(7)", "ended with exit code 7 and no readable answer"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "killed by SIGKILL (perhaps by the system",
        ),
        ("return {'epsilon': {1, 2}}", "its answer is not JSON"),
        ("return 3.0", "ended with exit code 0 and no readable answer"),
        ("import sys; print('the last word', file=sys.stderr); import os; os._exit(1)", "the last word"),
    ],
)
def test_a_crash_is_reported_in_one_line(tmp_path: Path, body: str, cause: str) -> None:
    got = put(tmp_path, body)
    assert got.status == "crashed"
    assert got.cause is not None
    assert cause in got.cause
    assert "\n" not in got.cause
    assert got.answer == {}


def test_memory_is_limited(tmp_path: Path) -> None:
    got = put(tmp_path, "x = bytearray(2 * 2**30)\nreturn {'epsilon': 1.0}", memory=2**29)
    assert got.status == "out of memory"
    assert put(tmp_path, "x = bytearray(2**28)\nreturn {'epsilon': 1.0}", memory=2**30).status == "ok"


def test_chatter_does_not_spoil_the_answer(tmp_path: Path) -> None:
    body = "import os\nprint('garbage', flush=True); os.write(1, b'{\"status\": 3}')\nreturn {'epsilon': 1.0}"
    assert put(tmp_path, body).answer == {"epsilon": 1.0}


def test_a_peer_that_prints_without_end_fills_no_disk(tmp_path: Path) -> None:
    got = put(tmp_path, "while True: print('x' * 2**20)", timeout=20)
    assert got.status == "crashed"
    assert "File too large" in (got.cause or "")


def test_what_is_missing_or_unknown_to_it(tmp_path: Path) -> None:
    assert put(tmp_path, "", load="import no_such_package").status == "not installed"
    got = put(tmp_path, "raise NotImplementedError('knows Poisson only')")
    assert (got.status, got.cause) == ("unsupported", "knows Poisson only")


def test_an_interpreter_that_cannot_start(tmp_path: Path) -> None:
    python = tmp_path / "python"
    got = ask(fake(tmp_path, "return {}"), CASE, str(python), timeout=5, memory=2**30)
    assert got.status == "crashed"
    python.write_text("no program")
    python.chmod(0o755)
    assert ask(fake(tmp_path, "return {}"), CASE, str(python), timeout=5, memory=2**30).status == "crashed"


def test_refdp_is_not_there_and_the_environment_does_not_leak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "leaked.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    got = put(tmp_path, "import sys\nimport leaked\nreturn {'epsilon': 1.0}")
    assert got.status == "crashed"
    assert "leaked" in (got.cause or "")


def test_a_stop_ends_it(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.4, stop.set).start()
    begin = time.monotonic()
    got = ask(
        fake(tmp_path, "import time; time.sleep(60)"),
        CASE,
        sys.executable,
        timeout=60,
        memory=2**30,
        stop=stop,
    )
    assert got.status == "timeout"
    assert time.monotonic() - begin < 5


def test_no_zombies(tmp_path: Path) -> None:
    put(tmp_path, "return {'epsilon': 1.0}")
    try:
        ended, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        ended = 0
    assert ended == 0, "a child has ended and nobody asked for it"


def test_every_status_is_named() -> None:
    assert len(set(STATUSES)) == len(STATUSES)


def test_the_shipped_peers_are_found_without_running_them() -> None:
    known = {each.name: each for each in accountants()}
    assert {"opacus-rdp", "opacus-prv", "opacus-gdp", "dp-accounting-rdp", "dp-accounting-pld"} <= set(known)
    assert {"prv-accountant", "autodp-rdp", "jax-privacy-rdp", "jax-privacy-pld"} <= set(known)
    assert known["opacus-gdp"].side == "estimate"
    assert [each.name for each in chosen(["opacus"], tuple(known.values()))] == [
        "opacus-rdp",
        "opacus-prv",
        "opacus-gdp",
    ]
    with pytest.raises(RefDPError, match="unknown accountant 'nosuch': choose among"):
        chosen(["nosuch"], tuple(known.values()))


def test_a_new_file_is_a_new_peer(tmp_path: Path) -> None:
    fake(tmp_path, "raise SystemExit", package="new", load="raise SystemExit")
    (tmp_path / "bad.py").write_text("raise SystemExit\nPACKAGE = 'bad'\nACCOUNTANTS = {}\n")
    assert [each.name for each in accountants(tmp_path)] == ["new"]
    with pytest.raises(RefDPError, match="side = 'sideways'"):
        fake(tmp_path, "", package="other", side="sideways")
    (tmp_path / "other.py").write_text("PACKAGE = 'other'\n")
    with pytest.raises(RefDPError, match="must assign PACKAGE and ACCOUNTANTS"):
        accountants(tmp_path)
