"""Networks with hand-written forward and per-sample backward passes, found by name."""

from typing import Protocol

from refdp.models.network import Network, Parameter
from refdp.registry import Registry


class Architecture(Protocol):
    """A registered model: its hyper-parameters, from which a network for some data is built."""

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Network:
        """The network for samples of that shape (channels-last) and that many classes."""


models: Registry[Architecture] = Registry("model", "refdp.models.architectures")

__all__ = ["Architecture", "Network", "Parameter", "models"]
