"""Reconstruct while Blender goes on: a job, looked at by a timer.

Run it in Blender's text editor with a photo's path in PHOTO, or:

    blender --python examples/05_beside_blender.py -- photo.jpg
    python examples/05_beside_blender.py photo.jpg
"""

import sys

import bpy

try:
    from bl_ext.user_default.reconstruct_face.scene import api, jobs
except ImportError:
    from reconstruct_face.scene import api, jobs

PHOTO = sys.argv[-1]
job = jobs.start_reconstruction(PHOTO, quality="fast")


def look():
    """Called by Blender ten times a second; job.cancel() would end it within half a second."""
    if not job.poll():
        print(f"{job.fraction:4.0%} {job.step}")
        return 0.1
    if job.state == "done":
        heads = api.add_heads(job.result(), set_active=True)
        print("added", ", ".join(head.name for head in heads))
    else:
        print(job.state, job.error or "")
    return None


if bpy.app.background:  # there Blender's timers do not run: wait
    api.add_heads(job.wait(lambda fraction, step: print(f"{fraction:4.0%} {step}")))
else:
    bpy.app.timers.register(look)
