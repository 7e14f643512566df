"""What an audit of this size can show, before it is run and after.

Sizes                how many canaries of each kind, in how many runs
power                ceiling, bound to be expected and smallest epsilon refutable, of one estimator
larger               the same for experiments with more canaries
canaries_needed      how many canaries it takes before a claim can be refuted at all
"""

from refdp.audit.power.experiment import Sizes
from refdp.audit.power.measure import Power, larger, power
from refdp.audit.power.needed import canaries_needed

__all__ = ["Power", "Sizes", "canaries_needed", "larger", "power"]
