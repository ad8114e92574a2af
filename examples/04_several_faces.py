"""Everybody in a group photo, side by side, each with a neutral face.

python examples/04_several_faces.py group.jpg group.blend
blender --background --python examples/04_several_faces.py -- group.jpg group.blend
"""

import sys

import bpy

try:
    from bl_ext.user_default.reconstruct_face import reconstruct
except ImportError:
    from reconstruct_face import reconstruct

photo, out = sys.argv[-2:]
heads = reconstruct(photo, face="all")  # the largest in the photo first
for number, head in enumerate(heads):
    head.location.x = 0.25 * number  # metres
    for key in head.data.shape_keys.key_blocks[1:]:
        key.value = 0.0
print(f"{len(heads)} heads: {', '.join(head.name for head in heads)}")
bpy.ops.wm.save_as_mainfile(filepath=out)
