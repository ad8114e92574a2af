"""Synthetic pictures by the batch, drawn in torch: many times faster where there is a GPU.

What is drawn of random numbers is the same as for :mod:`..picture`, made by numpy in worker
processes (:mod:`.scene`); triangles, light and camera are worked out on the device.
"""
