"""What users do with a phone that films a face: listen, rest, record, stop."""

from __future__ import annotations

import math
import socket
import sys
from collections.abc import Iterator

import bpy
from scenarios import opened_panels
from steps import finish, pick, press, values
from user import PACKAGE, User

HOME = "127.0.0.1"


def live(user: User) -> Iterator[float]:
    """A head follows packets of three apps, and what it did becomes keyframes that undo takes."""
    sys.path.insert(0, str(user.project))
    from tests import live_packets as packets

    opened_panels("RECONSTRUCT_FACE_PT_animation", "RECONSTRUCT_FACE_PT_live")
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    name = user.heads()[0].name
    before = values(user.heads()[0])
    settings = bpy.context.scene.reconstruct_face_live
    settings.address = HOME
    yield from user.scroll(30)
    yield from user.find("reconstruct_face.live_start", across=(0.5,))
    user.check(user.at is not None, "there is a button that listens")
    yield from user.screenshot("live capture")
    yield from user.mouse("click", 1)
    yield 1.0
    live_module = sys.modules[f"{PACKAGE}.operators.live"]
    faces = live_module.LIVE.faces
    user.check(faces is not None, "it listens")
    if faces is None:
        return
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port = faces.listener.port
    user.stalls.enter("live")
    for frame in range(150):
        weight = 0.5 - 0.5 * math.cos(frame / 10)
        turn = (0.3 * math.sin(frame / 20), 0.0, 0.0)
        data = packets.live_link({"jawOpen": weight, "mouthSmileLeft": weight}, frame, head=turn)
        sender.sendto(data, (HOME, port))
        yield 1 / 60
    yield 0.5
    head = bpy.data.objects[name]
    user.check(abs(values(head)["jawOpen"] - weight) < 0.01, "the head shows the last packet")
    user.stalls.enter("live shown")
    yield from user.screenshot("following")
    bpy.context.view_layer.objects.active = head
    user.check(bpy.ops.reconstruct_face.live_record() == {"FINISHED"}, "it records")
    for frame in range(60):
        sender.sendto(packets.live_link({"jawOpen": frame / 60}, 1000 + frame), (HOME, port))
        yield 1 / 60
    yield 0.5
    yield from user.screenshot("recording")
    yield from user.scroll(30)
    yield from user.find("reconstruct_face.live_keyframes", across=(0.5,))
    user.check(user.at is not None, "there is a button that ends the recording")
    yield from user.mouse("click", 1)
    yield 1.0
    head = bpy.data.objects[name]
    animation = head.data.shape_keys.animation_data
    user.check(animation is not None and animation.action is not None, "keyframes are made")
    user.found["reports"] = user.reports()
    for data in (
        packets.ifacialmocap({"jawOpen": 0.4}, (0, 0, 0, 0, 0, 0), second=True),
        packets.vmc({"JawOpen": 0.6}, 1.0, (0.0, 0.0, 0.0, 1.0)),
        b"not a packet",
    ):
        sender.sendto(data, (HOME, port))
    yield 1.0
    user.check(len(faces.faces) == 3, f"three faces were heard: {list(faces.faces)}")
    user.check(faces.listener.counts.bad == 1, "and a packet that is none was counted")
    yield from user.screenshot("three apps")
    user.check(bpy.ops.reconstruct_face.live_stop() == {"FINISHED"}, "it stops")
    override = {"window": user.window, "area": user.view}
    with bpy.context.temp_override(**override):
        bpy.ops.ed.undo()
    yield 0.5
    head = bpy.data.objects[name]
    animation = head.data.shape_keys.animation_data
    user.check(animation is None or animation.action is None, "undo takes the keyframes away")
    after = values(head)
    moved = [key for key, value in before.items() if abs(after[key] - value) > 0.001]
    user.check(not moved, f"and the expression is as before: {moved}")
    yield from user.screenshot("stopped")
