"""The inference backend: photo in, :class:`~.exchange.Reconstruction` out.

Never imports ``bpy``.  Sub-packages follow the flow of a photo: ``photo`` (read), ``detect``,
``align`` (landmarks, FFHQ crop), ``fit`` (evidence, camera, identity, expression), ``texture``, and
``exchange`` (what crosses to Blender).  ``pipeline.reconstruct`` ties them together.

This file imports nothing, so that the Blender side can import ``backend.exchange`` and
``backend.errors`` without pulling in OpenCV or dlib.
"""
