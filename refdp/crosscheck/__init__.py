"""refdp beside other accountants: each asked in a process of its own, judged by refdp's enclosure, and explained.

assert_valid_epsilon    one assertion, for a framework's own test suite
check.crosscheck        ledgers through every accountant there is; the command is ``refdp crosscheck accountant``

Adding an accountant is one file in ``peers``, adding a cause of disagreement one in ``reasons``.
"""

from refdp.crosscheck.assertion import assert_valid_epsilon, likely_cause

__all__ = ["assert_valid_epsilon", "likely_cause"]
