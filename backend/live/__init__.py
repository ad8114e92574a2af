"""Faces that apps send over the network while they are filmed: packets to weights and a pose.

Standard library and numpy only, because Blender reads them itself.  Every packet comes from a
stranger: its size is bounded, its numbers are finite, nothing of it is evaluated, and one that is
no packet is dropped and counted.
"""
