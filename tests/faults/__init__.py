"""Faults in the running stack, and a checker that knows nothing of its code but database and pages."""
