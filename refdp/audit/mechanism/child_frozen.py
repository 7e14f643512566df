"""All randomness of the subject from one seed: a part of ``child.py``, loaded by it from beside it."""

import os
import random
import sys
from typing import Any

import numpy as np
import numpy.random.bit_generator as bit_generator


class Frozen:
    """All randomness from one seed (``seed``), by way of every door that numpy, random and os leave open."""

    def __init__(self) -> None:
        self.stream = random.Random(0)
        vars(bit_generator)["randbits"] = self.stream.getrandbits
        os.urandom = vars(random)["_urandom"] = self.stream.randbytes

    def seed(self, seed: int) -> None:
        """Start all streams anew."""
        self.stream.seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        if "torch" in sys.modules:
            torch: Any = sys.modules["torch"]
            torch.manual_seed(seed)

    def freeze_torch(self) -> None:
        """Where torch is loaded: what its generators would take from the system comes from here too."""
        if "torch" not in sys.modules:
            return
        torch: Any = sys.modules["torch"]
        stream = self.stream

        class Generator(torch.Generator):
            def seed(self) -> int:
                seed = stream.getrandbits(63)
                self.manual_seed(seed)
                return seed

        def seed() -> int:
            return int(torch.manual_seed(stream.getrandbits(63)).initial_seed())

        torch.Generator = Generator
        torch.seed = torch.random.seed = seed


def reseed(mechanism: Any, seed: int) -> None:
    """Start the generators that the instance or its module keeps anew."""
    kept = [*vars(mechanism).values(), *vars(sys.modules["subject"]).values()]
    for one in kept:
        if isinstance(one, np.random.Generator):
            one.bit_generator.state = type(one.bit_generator)(seed).state
        elif isinstance(one, np.random.RandomState | random.Random):
            one.seed(seed)
        elif type(one).__name__ == "Generator" and hasattr(one, "manual_seed"):
            one.manual_seed(seed)
