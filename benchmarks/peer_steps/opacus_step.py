"""Opacus: per-sample gradients by hooks, or ghost clipping. Layers it has no rule for fall back to functorch."""

from __future__ import annotations

import numpy as np
import opacus
import torch
from opacus.grad_sample import GradSampleModule, GradSampleModuleFastGradientClipping
from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping
from torch import nn

from peer_steps.base import Step
from peer_steps.inputs import LEARNING_RATE, Inputs
from peer_steps.torch_common import TorchStep


def make(mode: str, inputs: Inputs) -> Step:
    """mode: hooks or ghost."""
    return OpacusStep(inputs, mode == "ghost")


class OpacusStep(TorchStep):
    """The objects that PrivacyEngine.make_private makes, without its data loader."""

    def __init__(self, inputs: Inputs, ghost: bool) -> None:
        super().__init__(inputs)
        self.versions["opacus"] = opacus.__version__
        kind = DPOptimizerFastGradientClipping if ghost else DPOptimizer
        self._optimizer = kind(
            torch.optim.SGD(self._model.parameters(), lr=LEARNING_RATE),
            noise_multiplier=1.0,
            max_grad_norm=inputs.clip,
            expected_batch_size=len(inputs.x),
        )
        loss = nn.CrossEntropyLoss()
        if ghost:
            self._wrapped = GradSampleModuleFastGradientClipping(
                self._model, max_grad_norm=inputs.clip, use_ghost_clipping=True
            )
            loss = DPLossFastGradientClipping(self._wrapped, self._optimizer, loss, "mean")
        else:
            self._wrapped = GradSampleModule(self._model)
        self._ghost, self._loss = ghost, loss

    def _backward(self) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        self._loss(self._wrapped(self._x), self._y).backward()

    def step(self) -> None:
        self._backward()
        self._optimizer.step()

    def clipped_sum(self) -> dict[str, np.ndarray]:
        self._backward()
        if self._ghost:
            self._optimizer.accumulate()
        else:
            self._optimizer.clip_and_accumulate()
        return {name: values.summed_grad.detach().numpy() for name, values in self._model.named_parameters()}
