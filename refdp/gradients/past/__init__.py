"""Weights at which gradients are taken, one form a file."""
