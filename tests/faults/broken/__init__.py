"""Runs inside the shop's own processes: the only part of tests/faults/ that knows its code."""
