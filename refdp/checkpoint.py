"""What a trainer must remember to go on to the bit, as host arrays by name.

``theta``, ``optimizer/*``, ``released/*`` (an adaptive clipping rule's thresholds), ``lr/*`` (what the learning rate
has seen), ``past/*`` (earlier weights, where gradients are averaged over them), ``step``, and the secret root of the
random streams. All but the last was released, or follows from what was.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from refdp.errors import RefDPError


def trainer_state(trainer: Any) -> dict[str, np.ndarray]:
    """Everything a resumed run needs. Holds the secret root of the random streams."""
    to_host = trainer.backend.to_host
    root = np.frombuffer(trainer.streams.root.to_bytes(32, "little"), dtype=np.uint8)
    return {
        "step": np.array(trainer.step),
        trainer.streams.root_name: root,
        "theta": to_host(trainer.theta),
        **{f"optimizer/{name}": to_host(value) for name, value in trainer.memory.items()},
        **{f"released/{name}": value for name, value in trainer.released.items()},
        **{f"lr/{name}": np.array(value) for name, value in trainer.lr_state.items()},
        **{f"past/{k}": to_host(value) for k, value in enumerate(trainer.past)},
    }


def load_trainer_state(trainer: Any, state: dict[str, np.ndarray]) -> None:
    """Bring a trainer to the state of another of the same plan; RefDPError where it does not fit."""
    plan, root_name = trainer.plan, trainer.streams.root_name
    step = state.get("step", np.empty(0))
    whole = step.shape == () and step.dtype.kind == "i"
    memory = 0 if plan.iterates is None else plan.iterates.memory - 1
    kept = min(memory, max(int(step), 0)) if whole else 0
    expected = {"step", root_name, "theta", *(f"optimizer/{name}" for name in trainer.memory)}
    expected |= {f"released/{name}" for name in trainer.released} | {
        f"lr/{name}" for name in trainer.lr_state
    }
    expected |= {f"past/{k}" for k in range(kept)}
    shapes: dict[str, tuple[int, ...]] = {"theta": (plan.network.size,), root_name: (32,)}
    shapes |= {f"past/{k}": (plan.network.size,) for k in range(kept)}
    shapes |= {f"optimizer/{name}": value.shape for name, value in trainer.memory.items()}
    shapes |= {f"released/{name}": value.shape for name, value in trainer.released.items()}
    shapes |= {f"lr/{name}": () for name in trainer.lr_state}
    fits = set(state) == expected and all(state[name].shape == shape for name, shape in shapes.items())
    kinds = {name: "u" if name == root_name else "f" for name in shapes}
    if not fits or any(state[name].dtype.kind != kind for name, kind in kinds.items()):
        raise RefDPError(
            "checkpoint: does not belong to this plan (other model, optimizer, clipping or noise source); start afresh"
        )
    if not whole or not 0 <= int(step) <= plan.steps:
        raise RefDPError(f"checkpoint: step = {step!r}: must be a whole number from 0 to {plan.steps}")
    thresholds = [state[f"released/{name}"] for name in trainer.released]
    rule = plan.clipper
    if not all(((x >= rule.min_clip_norm) & (x <= rule.max_clip_norm)).all() for x in thresholds):
        raise RefDPError("checkpoint: released thresholds out of range; it is damaged, start afresh")
    if trainer.lr_state and not 0 <= float(state["lr/factor"]) <= 1:
        raise RefDPError("checkpoint: lr/factor out of [0, 1]; it is damaged, start afresh")
    if not state[root_name].any() and not trainer.streams.seed_is_known:
        raise RefDPError(f"checkpoint: {root_name} is 0, which is no secret; it is damaged, start afresh")
    root = int.from_bytes(state[root_name].tobytes(), "little")

    def device(name: str) -> Any:
        return trainer.backend.asarray(state[name].astype(trainer.dtype))

    trainer.streams = dataclasses.replace(trainer.streams, root=root)
    trainer.step = int(step)
    trainer.theta = device("theta")
    for name in trainer.memory:
        trainer.memory[name] = device(f"optimizer/{name}")
    trainer.released = {name: state[f"released/{name}"] for name in trainer.released}
    trainer.lr_state = {name: float(state[f"lr/{name}"]) for name in trainer.lr_state}
    trainer.past = [device(f"past/{k}") for k in range(kept)]
