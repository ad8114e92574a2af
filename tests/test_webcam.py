"""A camera's face live: made films, whose curves are known, in place of a camera."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.animate.source import open_source
from reconstruct_face.backend.animate.webcam import (
    WEIGHT_QUICKLY,
    CameraFeed,
    LiveFace,
    OneEuro,
    Pace,
    Shot,
    stream,
)
from reconstruct_face.backend.errors import OptionError, PhotoError
from reconstruct_face.backend.geometry.rotation import from_euler
from reconstruct_face.backend.live import vmc
from reconstruct_face.backend.live.listener import Listener
from reconstruct_face.backend.live.packet import FacePacket
from reconstruct_face.backend.model import load_model

from tests.animate_clip import RATE, Film, film
from tests.errors import raises

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return film(tmp_path_factory.mktemp("film") / "made.mp4", frames=80, blank=4)


def test_a_packet_is_read_as_it_was_meant() -> None:
    turn = from_euler(0.4, -0.2, 0.1)
    face = FacePacket("webcam", {"jawOpen": 0.25, "eyeBlinkLeft": 1.0}, turn, 12.5)
    (found,) = vmc.Collector().read(vmc.packet(face))
    assert found.weights == face.weights and found.time == 12.5
    assert found.rotation is not None and np.allclose(found.rotation, turn, atol=1e-6)
    (without,) = vmc.Collector().read(vmc.packet(FacePacket("webcam", {"jawOpen": 0.5})))
    assert without.rotation is None and without.time is None


def test_every_weight_and_a_turn_fit_into_a_packet_that_is_listened_to() -> None:
    names = load_model().expression_names[:52]
    face = FacePacket("webcam", dict.fromkeys(names, 0.125), from_euler(0.1, 0.2, 0.3), 1e5)
    listener = Listener("127.0.0.1", 0)
    listener.feed(vmc.packet(face), "127.0.0.1")
    (frame,) = listener.take()
    assert listener.counts.bad == 0 and len(frame.packet.weights) == 52


def test_smoothing_calms_noise_and_follows_a_blink() -> None:
    rng = np.random.default_rng(2)
    calm, noisy = OneEuro(WEIGHT_QUICKLY), 0.3 + 0.01 * rng.normal(size=(90, 1))
    out = np.array([calm(value, k / 30) for k, value in enumerate(noisy)])
    assert out[30:].std() < 0.55 * noisy[30:].std()
    assert abs(out[30:].mean() - 0.3) < 0.005
    lid, quick = np.interp(np.arange(60), [30, 33, 35, 40], [0, 1, 1, 0]), OneEuro(WEIGHT_QUICKLY)
    closed = np.array([quick(np.array([value]), k / 30)[0] for k, value in enumerate(lid)])
    assert closed.max() > 0.8 and closed.argmax() - 35 <= 1
    assert (np.diff(closed)[36:] <= 0).all(), "it does not swing"


@pytest.mark.seconds
def test_the_curves_of_a_film_come_live(made: Film) -> None:
    """Frame by frame, whatever the machine's pace: jaw, smiles and turns as they were drawn."""
    face, source = LiveFace(), open_source(made.path)
    got: dict[int, FacePacket] = {}
    for frame in source.frames():
        assert frame.pixels is not None
        packet = face.see(Shot(frame.pixels, 100 + frame.time))
        if packet is not None:
            got[frame.index] = packet
    assert face.ready and min(got) >= 4, "nothing is seen where nobody is"
    assert len(got) > 0.9 * (80 - 4)
    at, names = np.array(sorted(got)), load_model().expression_names
    for name, least in (("jawOpen", 0.8), ("mouthSmileLeft", 0.8), ("mouthSmileRight", 0.8)):
        truth = made.weights[at, names.index(name)]
        found = np.array([got[k].weights[name] for k in at])
        assert np.corrcoef(truth, found)[0, 1] > least, name
    yaw = np.array([np.arctan2(got[k].rotation[0, 2], -got[k].rotation[2, 2]) for k in at])
    known = np.array([np.arctan2(made.cameras[k].rotation[0, 2],
                                 -made.cameras[k].rotation[2, 2]) for k in at])  # fmt: skip
    assert np.corrcoef(yaw, known)[0, 1] > 0.8
    assert np.degrees(np.abs(yaw - known)).mean() < 4


@pytest.mark.seconds
def test_a_video_is_played_in_its_own_time_and_the_newest_frame_counts(made: Film) -> None:
    feed, start = CameraFeed(made.path), time.monotonic()
    shots = []
    for shot in feed.shots():
        shots.append(shot)
        time.sleep(0.15)  # someone slower than the camera
    lasted = time.monotonic() - start
    feed.close()
    length = 80 / RATE
    assert length - 0.2 < lasted < length + 2.0
    assert 5 <= len(shots) <= length / 0.15 + 3
    assert feed.dropped + len(shots) >= 78
    assert all(b.time > a.time for a, b in zip(shots, shots[1:], strict=False))


class _Deaf(LiveFace):
    """Sees somebody in every second frame."""

    def __init__(self) -> None:
        self.count = 0

    def see(self, shot: Shot) -> FacePacket | None:
        self.count += 1
        return FacePacket("webcam", {"jawOpen": 0.5}) if self.count % 2 else None


@pytest.mark.seconds
def test_nothing_is_sent_where_no_face_is_seen_and_the_pace_is_told(made: Film) -> None:
    feed, sent, told = CameraFeed(made.path, again=True), [], []

    def tell(pace: Pace) -> None:
        told.append((pace.rate, pace.frames, pace.looked_at))
        if len(told) == 3:
            feed._ended.set()

    pace = stream(feed, _Deaf(), sent.append, tell, every=0.5)
    feed.close()
    assert len(sent) == pace.frames and abs(pace.looked_at - 2 * pace.frames) <= 1
    assert all(5 < rate < 0.6 * RATE for rate, *_ in told), told


def test_a_camera_that_is_not_there_and_a_film_that_is_none(tmp_path: Path) -> None:
    with raises(PhotoError, 97):
        CameraFeed(97)
    (tmp_path / "none.mp4").write_bytes(b"no film")
    with raises(PhotoError, "none.mp4"):
        CameraFeed(tmp_path / "none.mp4")


class _Unplugged:
    """OpenCV's capture of a camera that is pulled out after two pictures."""

    def __init__(self) -> None:
        self.left, self.released = 2, False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.zeros((8, 8, 3), np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


def test_a_camera_that_is_unplugged_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from reconstruct_face.backend.animate import webcam

    camera = _Unplugged()
    monkeypatch.setattr(webcam.cv2, "VideoCapture", lambda number: camera)
    monkeypatch.setattr(webcam, "GONE_S", 0.2)
    feed = CameraFeed(3)
    with raises(PhotoError, 3):
        for _ in feed.shots():
            pass
    feed.close()
    assert camera.released


@pytest.mark.slow
def test_the_command_sends_what_live_capture_hears(made: Film) -> None:
    listener = Listener("127.0.0.1", 0)
    listener.start()
    backend = [sys.executable, "-P", "-m", "reconstruct_face.backend"]
    to = f"127.0.0.1:{listener.port}"
    command = [*backend, "live", "--camera", str(made.path), "--again", "--to", to, "--json"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        end = time.monotonic() + 90
        while listener.counts.frames < 20:
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.05)
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert {"rate", "latency", "seen", "frames"} == set(lines[-1])
        process.stdin.close()  # as when its parent has died
        process.wait(5)
    finally:
        process.kill()
        process.wait()
        listener.stop()
    assert listener.counts.bad == 0
    assert len(listener.take()[-1].packet.weights) == 52


def test_addresses_that_are_none_are_told() -> None:
    from reconstruct_face.backend.cli.live import _host_and_port

    assert _host_and_port("localhost:39539") == ("127.0.0.1", 39539)
    for text, fact in (("here", "here"), ("127.0.0.1:0", 0), ("1.2.3:5", "1.2.3:5")):
        with raises(OptionError, fact):
            _host_and_port(text)
