"""Audit refdp's own training: plant canaries, train, and score how much each looks like a member.

AuditConfig   every choice of an audit, made before it starts (``refdp-audit-run/1``)
prepare       the plan, the data with a slot for each canary, the weights to begin with
run_many      train and score, run after run, in several processes
pooled        the runs' scores as ``Scores`` for the estimators
canaries      kinds of canaries, one a file
faults        known violations, built in on purpose, that an audit must find

Order of things: an audit's choices, its claim and the estimator that decides are written to its directory first.
"""

from refdp.audit.runs.config import AuditConfig
from refdp.audit.runs.pool import pooled
from refdp.audit.runs.runner import run_many, run_one
from refdp.audit.runs.setup import Setup, prepare

__all__ = ["AuditConfig", "Setup", "pooled", "prepare", "run_many", "run_one"]
