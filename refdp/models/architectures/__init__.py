"""The model architectures, one a file; each registers itself under its name."""
