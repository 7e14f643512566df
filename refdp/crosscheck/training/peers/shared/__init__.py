"""What several peers' files load by path (``sys.path``), since refdp is not installed where they run."""
