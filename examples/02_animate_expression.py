"""A head that blinks, opens its mouth and smiles: keyframes on its shape keys.

python examples/02_animate_expression.py photo.jpg animated.blend
blender --background --python examples/02_animate_expression.py -- photo.jpg animated.blend
"""

import sys

import bpy

try:
    from bl_ext.user_default.reconstruct_face import reconstruct
except ImportError:
    from reconstruct_face import reconstruct

#: Shape key to its value at some frames.
MOTION = {
    "eyeBlinkLeft": {1: 0.0, 10: 0.0, 13: 1.0, 17: 0.0},
    "eyeBlinkRight": {1: 0.0, 10: 0.0, 13: 1.0, 17: 0.0},
    "jawOpen": {1: 0.0, 20: 0.0, 30: 0.7, 40: 0.0},
    "mouthSmileLeft": {1: 0.0, 40: 0.0, 55: 0.8},
    "mouthSmileRight": {1: 0.0, 40: 0.0, 55: 0.7},
}

photo, out = sys.argv[-2:]
head = reconstruct(photo, set_active=True)
keys = head.data.shape_keys.key_blocks
for name, values in MOTION.items():
    for frame, value in values.items():
        keys[name].value = value
        keys[name].keyframe_insert("value", frame=frame)

head.users_scene[0].frame_end = 60
bpy.ops.wm.save_as_mainfile(filepath=out)
