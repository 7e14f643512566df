"""Checks of what this machine computes: no test runner, no files, half a minute on the host."""
