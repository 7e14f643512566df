"""Run somebody else's mechanism: a program of its own, without refdp.

    python -I -B child.py FILE CLASS MEMORY_BYTES

Requests come on stdin, answers go to stdout, both as frames: 8 bytes of length and JSON, 8 bytes of length and
float64 numbers. The subject's own output is kept off both.

G1. With ``seed`` given, whatever numpy, random, os.urandom and torch draw in a run is the same in every run with
    that seed: unseeded generators too.
G2. Where loading the file is quick, every run starts from a freshly loaded one, unless the last run cannot have
    left anything there: no run sees another's state.
G3. Every failure of the subject is an answer.
"""

import inspect
import io
import json
import math
import os
import struct
import sys
import time
import types
import warnings
from contextlib import suppress
from typing import Any

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from child_frozen import Frozen, reseed  # type: ignore[import-not-found]

del sys.path[0]

QUICK = 0.002
SETTINGS = (
    "max_grad_norm",
    "noise_multiplier",
    "n_params",
    "dataset_size",
    "batch_size",
    "epochs",
    "target_epsilon",
    "target_delta",
)


class Subject:
    """The class under audit, loaded again for every run where that is quick."""

    def __init__(self, path: str, name: str, frozen: Frozen) -> None:
        self.path, self.name = path, name
        sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
        with open(path, encoding="utf-8") as file:
            self.code = compile(file.read(), path, "exec")
        self.load()
        frozen.freeze_torch()
        begin = time.perf_counter()
        self.load()
        self.again = time.perf_counter() - begin < QUICK
        self.torch = "torch" in sys.modules

    def load(self) -> None:
        """Run the file in a module of its own."""
        module = types.ModuleType("subject")
        module.__file__ = self.path
        sys.modules["subject"] = module
        exec(self.code, module.__dict__)
        if not hasattr(module, self.name):
            raise AttributeError(f"no class {self.name!r} in the file")
        self.cls = getattr(module, self.name)
        parameters = inspect.signature(self.cls).parameters
        takes_all = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
        self.fresh, self.holds_state = self.names(), any(map(can_change, self.values()))
        self.takes = [s for s in SETTINGS if takes_all or s in parameters]

    def values(self) -> list[Any]:
        """Everything under a name in the file and in its classes."""
        kept = list(vars(sys.modules["subject"]).values())
        for cls in [one for one in kept if isinstance(one, type) and one.__module__ == "subject"]:
            kept += [value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")]
        return kept

    def names(self) -> list[int]:
        """Which objects these are: another list once a name means something else."""
        return [id(one) for one in self.values()]

    def make(self, settings: dict[str, Any]) -> Any:
        """An instance, with the settings that its signature takes."""
        if self.again and (self.holds_state or self.names() != self.fresh):
            self.load()
        return self.cls(**{name: settings[name] for name in self.takes})

    def array(self, numbers: np.ndarray) -> Any:
        """As the subject wants it: a float32 tensor where it loaded torch."""
        if not self.torch:
            return numbers
        torch: Any = sys.modules["torch"]
        return torch.tensor(numbers, dtype=torch.float32)

    def about(self) -> dict[str, Any]:
        """What the parent may want to know."""
        return {
            "release": getattr(self.cls, "release", None),
            "torch": self.torch,
            "declares_sigma": hasattr(self.cls, "get_effective_sigma"),
            "declares_sensitivity": hasattr(self.cls, "get_sensitivity"),
            "has_method": callable(getattr(self.cls, "clip_and_noise", None)),
        }


def can_change(one: Any) -> bool:
    """Whether an object may hold what one run leaves to the next."""
    if isinstance(one, types.FunctionType):
        kept = [*(one.__defaults__ or ()), *(one.__kwdefaults__ or {}).values()]
        kept += [cell.cell_contents for cell in one.__closure__ or () if cell != types.CellType()]
        return bool(vars(one)) or any(map(can_change, kept))
    if isinstance(one, dict) and "__build_class__" in one:  # the builtins
        return False
    plain = (type, types.ModuleType, types.BuiltinFunctionType, type(None), bool, int, float, str, bytes)
    return not isinstance(one, plain)


def play(
    subject: Subject, frozen: Frozen, settings: dict[str, Any], calls: list[Any], seed: int
) -> list[dict[str, Any]]:
    """One instance, its calls in turn: [{"sigma", "sensitivity", "output" or "error"}], ended by an error."""
    frozen.seed(seed)
    told: list[dict[str, Any]] = []
    try:
        mechanism = subject.make(settings)
        for arrays, step, epoch, again in calls:
            if again is not None:
                frozen.seed(again)
                reseed(mechanism, again)
            one = {"sigma": settings["noise_multiplier"], "sensitivity": settings["max_grad_norm"]}
            told.append(one)
            if hasattr(mechanism, "get_effective_sigma"):
                one["sigma"] = float(mechanism.get_effective_sigma(step, epoch))
            if hasattr(mechanism, "get_sensitivity"):
                one["sensitivity"] = float(mechanism.get_sensitivity(step, epoch))
            given = [subject.array(a.copy()) for a in arrays]
            output = read(mechanism.clip_and_noise(given, step, epoch), arrays, one)
            one.update(counted(mechanism, step, epoch))
            one["output"] = output
    except BaseException as error:
        if not told:
            told.append({"sigma": 0.0, "sensitivity": 0.0})
        told[-1]["error"] = (type(error).__name__ + ": " + " ".join(str(error).split()))[:300]
    return told


def counted(mechanism: Any, step: int, epoch: int) -> dict[str, Any]:
    """What the call released beside gradients, its declared noise and movement; {} where nothing is declared."""
    has = [name for name in ("get_count_noise", "released_count") if hasattr(mechanism, name)]
    if not has:
        return {}
    if len(has) < 2:
        raise AttributeError(f"has {has[0]}: a released count needs both get_count_noise and released_count")
    count = mechanism.released_count
    noise, moves = mechanism.get_count_noise(step, epoch), getattr(mechanism, "count_sensitivity", 0.5)
    if not (0 < noise < math.inf and 0 < moves < math.inf):
        raise ValueError(f"count noise {noise}, count_sensitivity {moves}: must be finite and > 0")
    count = flat64(count() if callable(count) else count).tolist()
    return {"count": count, "count_noise": float(noise), "count_sensitivity": float(moves)}


def as_numpy(one: Any) -> np.ndarray:
    """A tensor or array-like as an array."""
    return one.detach().cpu().numpy() if hasattr(one, "detach") else np.asarray(one)


def flat64(one: Any) -> np.ndarray:
    """The same, flat and float64."""
    return np.asarray(as_numpy(one), dtype=np.float64).ravel()


def read(released: Any, arrays: list[np.ndarray], one: dict[str, Any]) -> np.ndarray:
    """What was released as one flat float64 array; what is no list of gradients raises."""
    if not isinstance(released, (list, tuple)):
        raise TypeError(f"returned {type(released).__name__}, not a list of arrays")
    if len(released) != len(arrays):
        raise ValueError(f"returned {len(released)} arrays for {len(arrays)} parameters")
    flat = []
    for out, given in zip(released, arrays, strict=True):
        out = as_numpy(out)
        if out.size != given[0:1].size and out.shape != given.shape[1:]:
            raise ValueError(f"returned shape {out.shape} for a parameter of shape {given.shape[1:]}")
        one["eps"] = max(
            one.get("eps", 0.0), float(np.finfo(out.dtype).eps) if out.dtype.kind == "f" else 2e-16
        )
        flat.append(flat64(out))
    return np.concatenate(flat)


def answer(
    subject: Subject, frozen: Frozen, asked: dict[str, Any], numbers: np.ndarray
) -> tuple[dict[str, Any], np.ndarray]:
    """Play every run of the request under each of its seeds."""
    told, outputs, at = [], [], 0
    for run in asked["runs"]:
        calls = []
        for call in run["calls"]:
            arrays = []
            for shape in call["shapes"]:
                size = int(np.prod(shape))
                arrays.append(numbers[at : at + size].reshape(shape))
                at += size
            calls.append((arrays, call["step"], call["epoch"], call.get("seed")))
        settings = dict(asked["settings"], **run.get("settings", {}))
        settings["n_params"] = sum(int(np.prod(a.shape[1:])) for a in calls[0][0])
        for seed in run["seeds"]:
            played = play(subject, frozen, settings, calls, seed)
            for one in played:
                if "output" in one:
                    outputs.append(one["output"])
                    one["output"] = int(one["output"].size)
            told.append(played)
    return {"status": "ok", "played": told}, np.concatenate(outputs) if outputs else np.empty(0)


def frame_in(file: Any) -> tuple[Any, np.ndarray]:
    """(JSON, numbers); (None, nothing) at the end."""
    size = file.read(8)
    if len(size) < 8:
        return None, np.empty(0)
    asked = json.loads(file.read(struct.unpack("<q", size)[0]))
    length = struct.unpack("<q", file.read(8))[0]
    return asked, np.frombuffer(file.read(length), dtype="<f8").astype(np.float64)


def frame_out(file: Any, document: dict[str, Any], numbers: Any = ()) -> None:
    """Send both."""
    text = json.dumps(document).encode()
    body = np.asarray(numbers, dtype="<f8").tobytes()
    file.write(struct.pack("<q", len(text)) + text + struct.pack("<q", len(body)) + body)
    file.flush()


def limit(memory: int) -> None:
    """No more address space than this, no long files, no core dumps."""
    import resource

    with suppress(OSError, ValueError):  # systems that know no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 26, 1 << 26))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Load, then answer until nobody asks."""
    path, name, memory = sys.argv[1], sys.argv[2], int(sys.argv[3])
    asked_from, told_to = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    sys.stdin, sys.stdout = io.StringIO(""), os.fdopen(nowhere, "w")
    np.seterr(all="ignore")
    warnings.simplefilter("ignore")
    limit(memory)
    frozen = Frozen()
    try:
        subject = Subject(path, name, frozen)
    except BaseException as error:
        cause = type(error).__name__ + ": " + " ".join(str(error).split())[:300]
        frame_out(told_to, {"status": "failed", "cause": cause})
        os._exit(0)
    frame_out(told_to, {"status": "ok", "about": subject.about()})
    while True:
        asked, numbers = frame_in(asked_from)
        if asked is None:
            os._exit(0)
        frame_out(told_to, *answer(subject, frozen, asked, numbers))


if __name__ == "__main__":
    main()
