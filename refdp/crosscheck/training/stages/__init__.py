"""One stage a file, in the order of a step: ``judge(view, tolerance) -> Stage``."""
