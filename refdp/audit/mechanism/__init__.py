"""Attack a clipping and noise mechanism written by somebody else.

Settings   what it is told, and what it is held to
attack     every check within a time limit: an Attack
replay     measure a saved counterexample again
"""

from refdp.audit.mechanism.attack import Attack, attack, replay
from refdp.audit.mechanism.settings import Settings

__all__ = ["Attack", "Settings", "attack", "replay"]
