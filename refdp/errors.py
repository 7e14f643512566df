"""The one error type users meet: what was given, its value, the rule, the remedy, in one line."""


class RefDPError(ValueError):
    """Bad usage or bad input. The command line prints its text as one line and exits with 2."""


class BudgetError(RefDPError):
    """A privacy budget would be exceeded. The command line exits with 3."""


class MissingExtraError(RefDPError, ImportError):
    """An optional dependency is not installed; the text names the extra that brings it."""
