"""A head that moves as a motion file says, to a .blend and an animated .glb beside it.

    python examples/07_motion_file.py photo.jpg take.csv animated.blend
    blender --background --python examples/07_motion_file.py -- photo.jpg take.csv animated.blend

The motion may be Live Link Face's CSV, this project's CSV or .npz (``animate`` makes one from a
video), or a list of phonemes with times.
"""

import importlib
import sys
from pathlib import Path

import bpy

try:
    package = importlib.import_module("bl_ext.user_default.reconstruct_face")
except ImportError:
    package = importlib.import_module("reconstruct_face")


def module(name: str):
    """A module of the extension, wherever Blender has put it."""
    return importlib.import_module(f"{package.__name__}.{name}")


photo, take, out = sys.argv[-3:]
head = package.reconstruct(photo, set_active=True)
motion = module("backend.motion").read_motion_file(take)
apply = module("scene.animation.apply")
sound = apply.audio_of(motion)
done = apply.apply_motion(head, motion, start_frame=1, tolerance=0.01, audio=sound)
for note in done.notes:
    print(note)
print(f"{len(done.names)} shape keys, {done.keyframes} keyframes, frames 1 to {done.frames[1]:g}")
head.users_scene[0].frame_end = int(done.frames[1])
found = module("scene.build").head_scene_of(head)
folder, name = Path(out).absolute().parent, Path(out).stem
module("scene.animation.export").export_animation(found, folder, name, ["glb"])
bpy.ops.wm.save_as_mainfile(filepath=out)
