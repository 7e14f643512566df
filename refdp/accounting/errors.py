"""Errors of the accounting package, which stands alone."""


class AccountingError(ValueError):
    """Input that has no answer: what was given, its value, the rule, the remedy, in one line."""


class UnsupportedEventError(AccountingError):
    """A ledger holds something this accountant has no proven bound for; the text names it."""
