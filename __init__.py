"""Reconstruct Face: one photo to a textured, animatable 3D head.

The root of the project is the Blender extension.  Importing it imports nothing else, so that the
backend's processes, which have no ``bpy``, can import ``reconstruct_face.backend``.
"""


def register() -> None:
    """Add the operators and the sidebar to Blender."""
    from . import operators, panels

    operators.register()
    panels.register()


def unregister() -> None:
    """Remove what :func:`register` added."""
    from . import operators, panels

    panels.unregister()
    operators.unregister()
