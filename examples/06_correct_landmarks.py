"""Fit again with a landmark set by hand, where the detector was wrong.

    python examples/06_correct_landmarks.py photo.jpg head.blend 8 260.0 305.5

sets landmark 8, the tip of the chin, to these pixels of the upright photo.  Landmarks are iBUG's
68, counted from 0.  In Blender: blender --background --python ... -- photo.jpg head.blend 8 260 305
"""

import sys

import bpy

try:
    from bl_ext.user_default.reconstruct_face import reconstruct
except ImportError:
    from reconstruct_face import reconstruct

photo, out, index, x, y = sys.argv[-5:]
point = (int(index), float(x), float(y))
before = reconstruct(photo, name="before")
after = reconstruct(photo, name="after", corrected=[point], set_active=True)
for head in (before, after):
    fitted = head["landmarks2d"][2 * point[0] : 2 * point[0] + 2]
    print(f"{head.name}: landmark {index} at {fitted[0]:.1f}, {fitted[1]:.1f}")
after.location.x = 0.25  # metres
bpy.ops.wm.save_as_mainfile(filepath=out)
