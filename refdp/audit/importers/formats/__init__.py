"""Kinds of record, one a file; each registers itself."""
