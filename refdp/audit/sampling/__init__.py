"""Tell from recorded batches how they were drawn, and from canaries' scores whether each was drawn equally often."""

from refdp.audit.sampling.batches import Batches
from refdp.audit.sampling.verdict import CLAIMS, CONSISTENT, REFUTED, SamplerTest, examine

__all__ = ["CLAIMS", "CONSISTENT", "REFUTED", "Batches", "SamplerTest", "examine"]
