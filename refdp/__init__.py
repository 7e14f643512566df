"""refdp: reference DP-SGD and a privacy accountant that bounds epsilon from both sides."""

__version__ = "0.1.0"
