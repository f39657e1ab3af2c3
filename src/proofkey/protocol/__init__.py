"""The rules: pure functions over frozen facts; no I/O, clock, randomness or await."""
