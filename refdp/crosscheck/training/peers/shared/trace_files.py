"""Inputs and traces as .npz files, for peers: needs numpy and nothing of refdp. The format is docs/traces.md's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

STAGES = ("grad_sample", "norms", "clipped_sum", "noised_sum", "param_after")
_SETTINGS = ("clip_norm", "noise_multiplier", "learning_rate", "momentum", "expected_batch_size", "seed")
_STEP = re.compile(r"step(\d+)/(.+)")


class Step:
    """What one step starts from.

    Attributes:
        x, y: the batch, as the file has it.
        params: weights by name; those of the first step, else empty.
        settings: clip_norm, noise_multiplier, learning_rate, momentum, expected_batch_size and seed, where given; the
            same in every step.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.x, self.y = arrays["x"], arrays["y"]
        self.params = {key[6:]: values for key, values in arrays.items() if key.startswith("param/")}
        self.settings = {key: arrays[key].item() for key in _SETTINGS if key in arrays}


def read(path: str, steps: int) -> tuple[list[Step], dict[str, Any]]:
    """The first so many steps, and meta. What stands at the top of the file holds for each."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    meta = json.loads(str(arrays.pop("meta"))) if "meta" in arrays else {}
    common = {key: values for key, values in arrays.items() if not _STEP.fullmatch(key)}
    numbered: dict[int, dict[str, np.ndarray]] = {}
    for key, values in arrays.items():
        if found := _STEP.fullmatch(key):
            numbered.setdefault(int(found[1]), {})[found[2]] = values
    each = [Step(common | numbered.get(number, {})) for number in range(max(1, len(numbered)))]
    if steps > len(each):
        raise NotImplementedError(f"{steps} steps asked for, the inputs hold {len(each)}")
    if any(step.settings != each[0].settings for step in each):
        raise NotImplementedError("settings that change between steps: no peer is asked to change its own")
    return each[:steps], meta


class Recording:
    """A trace as it grows: ``add`` step after step, then ``write``."""

    def __init__(self, stages: list[str], meta: dict[str, Any]) -> None:
        unknown = sorted(set(stages) - set(STAGES))
        if unknown:
            raise NotImplementedError(f"stages {unknown}: known are {', '.join(STAGES)}")
        self.stages, self._meta, self._steps = tuple(stages), meta, 0
        self._arrays: dict[str, np.ndarray] = {}

    def add(self, x: np.ndarray, y: np.ndarray, settings: Mapping[str, Any], **stages: Any) -> None:
        """One step: its batch as the framework saw it, and by kind an array, or arrays by parameter.

        ``param`` is always kept, other kinds where they were asked for.
        """
        found: dict[str, Any] = {"x": x, "y": y, "step": self._steps, **settings}
        for kind, values in stages.items():
            if kind != "param" and kind not in self.stages:
                continue
            if isinstance(values, Mapping):
                found |= {f"{kind}/{name}": array for name, array in values.items()}
            elif values is not None:
                found[kind] = values
        noised = stages.get("noised_sum") or {}
        if any(np.asarray(array).dtype != np.float32 for array in noised.values()):
            found.pop("generator", None)  # only float32 noise can be drawn again
        self._arrays |= {f"step{self._steps}/{key}": np.array(value) for key, value in found.items()}
        self._steps += 1

    def write(self, path: str) -> dict[str, str]:
        """The answer that names the file."""
        np.savez(path, meta=np.array(json.dumps(self._meta)), **self._arrays)  # type: ignore[arg-type]
        return {"trace": path}
