"""Synthetic pictures by the batch, drawn in torch: many times faster where there is a GPU.

The random scenes are those of :mod:`..scene`, made by numpy in worker processes; triangles, light
and camera are worked out on the device.
"""
