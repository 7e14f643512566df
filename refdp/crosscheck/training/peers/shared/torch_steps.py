"""What peers that run torch share: the model with the given weights, batches, and their arrays; needs torch, numpy."""

from __future__ import annotations

import runpy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_models
import trace_files
from torch import Tensor, nn


class Run:
    """A case in torch.

    Attributes:
        steps: what each starts from.
        model: in training mode, with the given weights.
        names: of its parameters, in its order.
        recording: the trace.
    """

    def __init__(self, case: Mapping[str, Any], method: str, version: str) -> None:
        torch.set_num_threads(1)
        self.steps, self._meta = trace_files.read(case["inputs"], case.get("steps", 1))
        self.model = _model(case, self.steps[0])
        given = {name: torch.from_numpy(values) for name, values in self.steps[0].params.items()}
        self.names = [name for name, _ in self.model.named_parameters()]
        if set(given) != set(self.names):
            raise ValueError(
                f"parameters {sorted(set(given) ^ set(self.names))} are not both in model and inputs"
            )
        self.model.to(next(iter(given.values())).dtype).load_state_dict(given, strict=False)
        self.model.train()
        layout = self._meta.get("layout")
        meta = {
            **self._meta,
            "framework": method.partition("-")[0],
            "version": version,
            "method": method,
            "torch": torch.__version__,
        }
        if layout is not None:
            meta["layout"] = "channels-first"
        self.recording = trace_files.Recording(case.get("stages", list(trace_files.STAGES)), meta)

    def batch(self, step: trace_files.Step) -> tuple[Tensor, Tensor]:
        """x channels-first and contiguous, in the weights' type where it is floating; y."""
        x = step.x
        if x.ndim == 4 and self._meta.get("layout") == "channels-last":
            x = np.moveaxis(x, -1, 1)
        found = torch.from_numpy(x.copy())  # a copy: its strides are then those of its shape
        kind = next(self.model.parameters()).dtype
        return found.to(kind) if found.is_floating_point() else found, torch.from_numpy(step.y.copy())

    def arrays(self, values: Iterable[Tensor]) -> dict[str, np.ndarray]:
        """By the parameters' names, in their order: copies."""
        return {name: one.detach().numpy().copy() for name, one in zip(self.names, values, strict=True)}

    def parameters(self) -> dict[str, np.ndarray]:
        """The weights as they are now."""
        return self.arrays(self.model.parameters())


def _model(case: Mapping[str, Any], first: trace_files.Step) -> nn.Module:
    if "module" in case:
        describer = runpy.run_path(str(Path(__file__).parents[1] / "describe_torch.py"))
        module: nn.Module = describer["load_module"](case["module"])
        return module
    if case["model"] not in torch_models.MODELS:
        known = ", ".join(torch_models.MODELS)
        raise NotImplementedError(
            f"model {case['model']!r} is not written in torch here; written are {known}"
        )
    build, natural, classes, options = torch_models.MODELS[case["model"]]
    biases = [values for name, values in first.params.items() if name.endswith("bias")]
    return build(
        natural[-1] if first.x.ndim == 4 else first.x.shape[1],
        len(biases[-1]) if biases else classes,
        **options,
    )
