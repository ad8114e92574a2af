"""The webcam in the Live Capture panel: a stand-in for the backend that sends and tells."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import pytest
from reconstruct_face.operators.live import LIVE
from reconstruct_face.scene import expression, webcam
from reconstruct_face.scene.build import build_scene

from tests.add_on import registered
from tests.synthetic_reconstruction import make_reconstruction

BUTTONS = bpy.ops.reconstruct_face
#: Sends a packet of the VMC protocol made by hand, tells of it, and waits for the end of its input.
STAND_IN = """
import json, socket, sys
sys.path.insert(0, {root!r})
from tests import live_packets
arguments = dict(zip(sys.argv[2::2], sys.argv[3::2]))
if arguments["--camera"] == "9":
    print(json.dumps({{"error": "There is no camera 9.", "code": "photo"}}), flush=True)
    sys.exit(3)
host, port = arguments["--to"].split(":")
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.sendto(live_packets.vmc({{"jawOpen": 0.625}}, 1.0, (0, 0, 0, 1)), (host, int(port)))
told = {{"rate": 24.5, "latency": 0.03, "seen": True, "frames": 1}}
print(json.dumps(told), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _add_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN.format(root=str(Path(__file__).parents[1])))
    real = webcam.Webcam
    command = [sys.executable, str(script)]
    monkeypatch.setattr(webcam, "Webcam", lambda camera, port: real(camera, port, command))
    with registered():
        yield
        LIVE.end()


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < end
        LIVE.step()
        time.sleep(0.01)


def test_the_head_follows_the_camera_and_the_process_ends_with_it() -> None:
    head = build_scene(make_reconstruction(rows=8, columns=10), name="Ada", set_active=True).head
    expression.reset(head)
    settings = bpy.context.scene.reconstruct_face_live
    settings.app = "WEBCAM"
    assert BUTTONS.live_start() == {"FINISHED"}
    camera = LIVE.webcam
    assert camera is not None and not camera.told.started
    until(lambda: expression.values_of(head)["jawOpen"] == pytest.approx(0.625))
    until(lambda: camera.told.started)
    assert camera.told.rate == 24.5 and camera.told.seen and not camera.told.failure
    assert LIVE.faces is not None and LIVE.faces.listener.address == "127.0.0.1"
    child = camera._child
    assert child is not None and child.alive
    assert BUTTONS.live_stop() == {"FINISHED"}
    assert LIVE.webcam is None and not child.alive
    assert expression.values_of(head)["jawOpen"] == 0


def test_a_camera_that_is_not_there_is_told_in_the_panel() -> None:
    head = build_scene(make_reconstruction(rows=8, columns=10), name="Ada", set_active=True).head
    assert head is not None
    settings = bpy.context.scene.reconstruct_face_live
    settings.app, settings.camera = "WEBCAM", 9
    assert BUTTONS.live_start() == {"FINISHED"}
    camera = LIVE.webcam
    assert camera is not None
    until(lambda: camera.told.failure != "")
    assert camera.told.failure == "There is no camera 9."
    LIVE.step()
    assert camera.told.failure == "There is no camera 9.", "how it ended is no other sentence"


def test_choosing_the_camera_leaves_the_port_alone() -> None:
    settings = bpy.context.scene.reconstruct_face_live
    settings.app = "VMC"
    assert settings.port == 39539
    settings.app = "WEBCAM"
    assert settings.port == 39539
