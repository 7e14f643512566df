"""The pictures of a sweep, one a file; importing any of them imports matplotlib."""
