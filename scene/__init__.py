"""The Blender side: a ``Reconstruction`` becomes a head, a camera, lights, files and pictures.

Plain functions over numpy arrays and ``bpy``; operators, the worker and scripts are thin shells
around them.  ``coordinates`` -> ``materials`` -> ``mesh`` / ``camera`` / ``light`` -> ``build`` ->
``export`` / ``render`` -> ``worker`` / ``batch`` / ``api``.

Importing this package imports nothing, so that ``scene.backend_process`` also serves a process
without ``bpy``.
"""
