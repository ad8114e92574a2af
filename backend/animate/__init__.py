"""A video of a face to a head and its motion: see :mod:`.job`."""
