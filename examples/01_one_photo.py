"""One photo to one head, saved as a .blend file.

    python examples/01_one_photo.py photo.jpg head.blend
    blender --background --python examples/01_one_photo.py -- photo.jpg head.blend

In Blender the extension has to be installed; as Python, that is the project's ``.venv``.
"""

import sys

import bpy

try:
    from bl_ext.user_default.reconstruct_face import reconstruct
except ImportError:
    from reconstruct_face import reconstruct

photo, out = sys.argv[-2:]
head = reconstruct(photo, set_active=True, progress=lambda fraction, step: print(step))

# The photo's expression, a little happier, looking at us.
keys = head.data.shape_keys.key_blocks
for side in ("Left", "Right"):
    keys[f"mouthSmile{side}"].value += 0.3
    keys[f"eyeBlink{side}"].value = 0.0

# Where it came from, and what it is to be read with care for.
print(head["reconstruction"])
bpy.ops.wm.save_as_mainfile(filepath=out)
