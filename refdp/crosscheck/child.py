"""Ask one peer one question: run under the peer's own interpreter, where refdp is not installed.

    python -I child.py PEER_FILE NAME MEMORY_BYTES LARGEST_FILE_BYTES < case.json > answer.json

Standard library only. The peer's own output goes to stderr; stdout carries one JSON document:
{"status": "ok", "version", "answer", "seconds", "import_seconds"} or {"status": ..., "cause": one line}.
"""

import json
import os
import runpy
import sys
import time


def main() -> None:
    """Limit, load, answer; every failure is an answer too."""
    peer_file, name, memory, largest_file = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    case = json.load(sys.stdin)
    found: dict = {"version": None}
    try:
        limit(memory, largest_file)
        peer = runpy.run_path(peer_file)
        begin = time.perf_counter()
        try:
            found["version"] = str(peer["load"]())
        except ImportError as error:
            found.update(status="not installed", cause=one_line(error))
        else:
            loaded = time.perf_counter()
            answer = peer["answer"](name, case)
            found["import_seconds"] = loaded - begin
            found["seconds"] = time.perf_counter() - loaded
            found.update(status="ok", answer=answer)
    except NotImplementedError as error:
        found.update(status="unsupported", cause=one_line(error))
    except MemoryError as error:
        found.update(status="out of memory", cause=one_line(error) or "MemoryError")
    except BaseException as error:
        found.update(status="crashed", cause=type(error).__name__ + ": " + one_line(error))
    found["peak_memory_bytes"] = peak_memory()
    try:
        text = json.dumps(found)
    except (TypeError, ValueError, RecursionError) as error:
        text = json.dumps({"status": "crashed", "cause": "its answer is not JSON: " + one_line(error)})
    out.write(text)
    out.flush()
    os._exit(0)  # whatever threads or exit handlers the peer left behind


def limit(memory: int, largest_file: int) -> None:
    """No more address space than this, and no longer file (a peer that prints without end)."""
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (OSError, ValueError) as error:  # systems that know no such limit
        print("no memory limit here:", error, file=sys.stderr)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def peak_memory() -> int:
    """Largest resident size of this program, without the one that started it; 0 where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


def one_line(error: BaseException) -> str:
    """The error's text on one line, shortened."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."


if __name__ == "__main__":
    main()
