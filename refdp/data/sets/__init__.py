"""One data set a module; the registry imports them all on first use."""
