"""s0's three mechanisms under that benchmark's own interface, their accounting corrected. numpy in, numpy out.

Each module holds one class ``DPMechanism``; here they have names of their own. docs/s0.md says what was wrong and how
to use them.
"""

from refdp.dpmechanism.base import Mechanism, NoiseMultiplierWarning
from refdp.dpmechanism.plan import SAMPLINGS, NoisePlan
from refdp.dpmechanism.radial_mix_0b import DPMechanism as RadialMix0bMechanism
from refdp.dpmechanism.radial_mix_0c import DPMechanism as RadialMix0cMechanism
from refdp.dpmechanism.water_filling import DPMechanism as WaterFillingMechanism

__all__ = [
    "SAMPLINGS",
    "Mechanism",
    "NoiseMultiplierWarning",
    "NoisePlan",
    "RadialMix0bMechanism",
    "RadialMix0cMechanism",
    "WaterFillingMechanism",
]
