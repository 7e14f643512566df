"""Published programs run again, draw for draw, from numpy alone.

A published seed lets anyone draw the program's noise again and subtract it: what is replayed here is private towards
nobody. For research only.
"""
