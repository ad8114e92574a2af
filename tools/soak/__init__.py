"""Processes that are killed, interrupted and many: nothing lost, nothing twice, nothing left."""
