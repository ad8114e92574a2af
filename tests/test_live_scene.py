"""Live capture in Blender: real packets to a real port, the head that follows, the keyframes."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.live.listener import Listener
from reconstruct_face.operators import live as operators
from reconstruct_face.operators import strings_live as texts
from reconstruct_face.operators.live import LIVE
from reconstruct_face.scene import expression
from reconstruct_face.scene.animation import pose
from reconstruct_face.scene.animation.curves import curves_by_name
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.live import LiveFaces

from tests import live_packets as packets
from tests.add_on import registered
from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction

MADE = make_reconstruction(rows=8, columns=10)
BUTTONS = bpy.ops.reconstruct_face
HOME = "127.0.0.1"


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    with registered():
        yield
        LIVE.end()


def new_head(name: str) -> bpy.types.Object:
    made = build_scene(MADE, name=name, set_active=True).head
    expression.reset(made)
    return made


@pytest.fixture
def head() -> bpy.types.Object:
    return new_head("Ada")


@pytest.fixture
def send() -> Iterator[Callable[..., None]]:
    """Sends a packet to the port that is listened to, and waits until it was heard."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:

        def sending(data: bytes, faces: LiveFaces | None = None) -> None:
            listener = (faces or LIVE.faces).listener
            before = listener.counts.frames + listener.counts.bad
            sender.sendto(data, (HOME, listener.port))
            end = time.monotonic() + 10
            while listener.counts.frames + listener.counts.bad == before:
                assert time.monotonic() < end
                time.sleep(0.001)

        yield sending


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOME, 0))
        return probe.getsockname()[1]


def listen() -> None:
    settings = bpy.context.scene.reconstruct_face_live
    settings.address, settings.port = HOME, free_port()
    assert BUTTONS.live_start() == {"FINISHED"}


def test_nothing_is_listened_to_unless_asked(head: bpy.types.Object) -> None:
    assert LIVE.faces is None
    assert not BUTTONS.live_stop.poll() and not BUTTONS.live_record.poll()
    assert bpy.context.scene.reconstruct_face_live.port == 11111


def test_the_head_follows_and_is_put_back(head: bpy.types.Object, send) -> None:
    expression.set_values(head, {"jawOpen": 0.25})
    before = head.matrix_world.copy()
    listen()
    send(packets.live_link({"jawOpen": 0.75, "eyeBlinkLeft": 0.5}, 1, head=(0.5, 0, 0)))
    assert LIVE.faces.step() == 1
    values = expression.values_of(head)
    assert values["jawOpen"] == pytest.approx(0.75)
    carrier = pose.carrier_of(head)
    bpy.context.view_layer.update()
    turned = head.matrix_world.to_euler().z - before.to_euler().z
    # Yaw to the person's right: from above clockwise, the face looking along -y.
    assert turned == pytest.approx(-0.5, abs=1e-3) and carrier is not None
    assert LIVE.faces.step() == 0, "nothing new"
    assert BUTTONS.live_stop() == {"FINISHED"}
    assert expression.values_of(head)["jawOpen"] == pytest.approx(0.25)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(np.array(head.matrix_world), np.array(before), atol=1e-6)
    assert LIVE.faces is None


def test_a_face_that_is_lost_leaves_the_head_as_it_is(head: bpy.types.Object, send) -> None:
    listen()
    send(packets.live_link({"jawOpen": 0.75}, 1))
    send(packets.live_link(None))
    LIVE.faces.step()
    assert expression.values_of(head)["jawOpen"] == pytest.approx(0.75)
    send(packets.live_link(None))
    assert LIVE.faces.step() == 0
    assert expression.values_of(head)["jawOpen"] == pytest.approx(0.75)
    send(packets.live_link({"jawOpen": 0.5}, 30))
    LIVE.faces.step()
    assert expression.values_of(head)["jawOpen"] == pytest.approx(0.5)


def test_late_packets_do_not_jerk_the_head(head: bpy.types.Object, send) -> None:
    listen()
    for frame, value in ((10, 0.5), (12, 0.75), (11, 0.6)):
        send(packets.live_link({"jawOpen": value}, frame))
        LIVE.faces.step()
    assert expression.values_of(head)["jawOpen"] == pytest.approx(0.75)
    assert LIVE.faces.listener.counts.late == 1


def test_rest_and_gains(head: bpy.types.Object, send) -> None:
    listen()
    assert BUTTONS.live_rest.poll()
    with pytest.raises(RuntimeError, match="No face has been heard"):
        BUTTONS.live_rest()
    send(packets.live_link({"jawOpen": 0.2}, 1))
    LIVE.faces.step()
    assert BUTTONS.live_rest() == {"FINISHED"}
    settings = bpy.context.scene.reconstruct_face_live
    assert len(settings.gains) == 52
    settings.gains["jawOpen"].gain = 1.5
    send(packets.live_link({"jawOpen": 0.6}, 2))
    LIVE.faces.step()
    assert expression.values_of(head)["jawOpen"] == pytest.approx(0.75)


def test_each_face_s_rate_is_told(head: bpy.types.Object, send, monkeypatch) -> None:
    listen()
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    LIVE.step()
    for frame in range(30):
        send(packets.live_link({"jawOpen": 0.1}, frame, name="first"))
        if frame % 2:
            send(packets.live_link({"jawOpen": 0.1}, frame, name="second"))
    now[0] += 1.0
    LIVE.step()
    assert LIVE.rates == {(HOME, "first"): 30.0, (HOME, "second"): 15.0}


def test_two_heads_follow_two_phones(head: bpy.types.Object, send) -> None:
    listen()
    other = new_head("Berta")
    send(packets.live_link({"jawOpen": 0.25}, 1, name="first"))
    LIVE.faces.step()
    send(packets.live_link({"jawOpen": 0.75}, 1, name="second"))
    LIVE.faces.step()
    bpy.context.view_layer.objects.active = other
    assert BUTTONS.live_follow(face=f"{HOME}\tsecond") == {"FINISHED"}
    for name, value in (("first", 0.3), ("second", 0.8)):
        send(packets.live_link({"jawOpen": value}, 2, name=name))
    LIVE.faces.step()
    assert expression.values_of(head)["jawOpen"] == pytest.approx(0.3)
    assert expression.values_of(other)["jawOpen"] == pytest.approx(0.8)
    assert BUTTONS.live_unfollow() == {"FINISHED"}
    assert expression.values_of(other)["jawOpen"] == 0.0


def test_a_recording_becomes_keyframes_at_the_packets_own_times(
    head: bpy.types.Object, send
) -> None:
    """Within half a frame of the scene, whatever was lost or out of order on the way."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 60, 1.0
    animation = scene.reconstruct_face_animation
    animation.start_frame, animation.tolerance = 1, 0.0
    listen()
    assert BUTTONS.live_record() == {"FINISHED"}
    start = 3600 * 60
    frames = [0, 1, 2, 4, 3, 6, 7, 8, 9, 10]  # the fifth is lost
    for frame in frames:
        value = 0.5 + 0.4 * np.sin(frame)
        send(packets.live_link({"jawOpen": value}, start + frame))
        LIVE.faces.step()
    assert BUTTONS.live_keyframes() == {"FINISHED"}
    curve = curves_by_name(head)["jawOpen"]
    for frame in frames:
        assert curve.evaluate(1 + frame) == pytest.approx(0.5 + 0.4 * np.sin(frame), abs=0.01)
    assert head.session_uid not in LIVE.faces.followers, "it plays what was recorded"


def test_nothing_recorded_is_told(head: bpy.types.Object) -> None:
    listen()
    BUTTONS.live_record()
    with pytest.raises(RuntimeError, match="Nothing was heard"):
        BUTTONS.live_keyframes()


def test_a_deleted_head_ends_its_following(head: bpy.types.Object, send) -> None:
    listen()
    bpy.data.objects.remove(head)
    send(packets.live_link({"jawOpen": 0.75}, 1))
    assert LIVE.faces.step() == 0 and not LIVE.faces.followers


def test_another_file_ends_it(head: bpy.types.Object) -> None:
    listen()
    port = LIVE.faces.listener.port
    bpy.ops.wm.read_homefile(use_empty=True)
    assert LIVE.faces is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOME, port))  # free again


def test_bad_settings_are_told(head: bpy.types.Object) -> None:
    settings = bpy.context.scene.reconstruct_face_live
    settings.address = "here"
    with pytest.raises(RuntimeError, match="is no address"):
        BUTTONS.live_start()
    settings.address, settings.only = HOME, "1.2.3.4, nobody"
    with pytest.raises(RuntimeError, match="is no address"):
        BUTTONS.live_start()
    assert LIVE.faces is None
    settings.app = "VMC"
    assert settings.port == 39539


def test_the_ports_are_the_apps() -> None:
    from reconstruct_face.backend.live import ifacialmocap, live_link_face, vmc

    assert operators.PORTS == {
        "LIVE_LINK": live_link_face.PORT,
        "IFACIALMOCAP": ifacialmocap.PORT,
        "VMC": vmc.PORT,
    }
    assert {key for key, *_ in texts.APP_ITEMS} == {*operators.PORTS, "WEBCAM"}


def test_a_head_without_arkits_shapes_is_refused(head: bpy.types.Object) -> None:
    from reconstruct_face.backend.errors import FaceError

    for key in head.data.shape_keys.key_blocks[1:]:
        key.name = f"own {key.name[:3]}"
    with raises(FaceError, "none of ARKit's shape keys"):
        LiveFaces(Listener(HOME, 0)).follow(head)
