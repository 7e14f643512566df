"""The five models in torch, with the weights and the batch that were given."""

from __future__ import annotations

import os
import statistics
import time

import torch
import torch_models  # refdp/crosscheck/training/peers/shared
from torch import Tensor, nn

from peer_steps.base import Step
from peer_steps.inputs import Inputs

_CORES = len(os.sched_getaffinity(0))


class TorchStep(Step):
    """A step that torch computes, with a thread a core; or with one, where ``tune`` finds that faster."""

    def __init__(self, inputs: Inputs) -> None:
        self.versions = {"torch": torch.__version__}
        torch.set_num_threads(_CORES)
        torch.manual_seed(0)
        self._model, self._x, self._y = _ready(inputs)

    def parameters(self) -> int:
        return sum(values.numel() for values in self._model.parameters())

    def tune(self) -> str:
        best = min((1, _CORES), key=self._seconds)
        torch.set_num_threads(best)
        return "1 thread" if best == 1 else f"{best} threads"

    def _seconds(self, threads: int) -> float:
        """The median of at least three steps, and of those that half a second has room for."""
        torch.set_num_threads(threads)
        self.step()
        found: list[float] = []
        while len(found) < 3 or sum(found) < 0.5:
            begun = time.perf_counter()
            self.step()
            found.append(time.perf_counter() - begun)
        return statistics.median(found)


def _ready(inputs: Inputs) -> tuple[nn.Module, Tensor, Tensor]:
    """(model, records channels-first, labels)."""
    build, input_shape, classes, options = torch_models.MODELS[inputs.model]
    model = build(input_shape[-1], classes, **options)
    model.load_state_dict({name: torch.from_numpy(values) for name, values in inputs.weights.items()})
    return model, torch.from_numpy(inputs.channels_first), torch.from_numpy(inputs.y)
