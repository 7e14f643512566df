"""Sweeps: a grid of runs, its records, its summary, its pictures."""
