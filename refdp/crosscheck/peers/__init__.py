"""Other accountants, one file a package: found by themselves, read without running them.

A file here runs under the interpreter in which its package lives, where refdp is not installed: it imports the
standard library, and its package inside its functions. It has

    PACKAGE      name of the package, as it is installed
    ACCOUNTANTS  {name: {"side", "schemes", "relations", ...}} as a literal; see ``Accountant`` (discovery.py)
    load()       import the package; return its version
    answer(accountant, case)    a dict with at least one of "epsilon", "lower", "upper"

and raises NotImplementedError, with the reason, for what the package has no answer for. ``case`` is
    {"delta", "neighboring", "events": [{"scheme", "rate", ..., "steps": [[noise multiplier, count], ...]}, ...]}
with every schedule expanded and a full batch as rate 1. An accountant that works by Renyi DP adds "orders" (its grid),
"rdp" (of the whole, at each of them), "order" (the chosen one) and "cells": [{"rate", "noise_multiplier", "rdp"}],
one step's RDP at each order.
"""
