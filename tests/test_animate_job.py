"""A whole film to a motion, against the curves it was drawn from; stopped and gone on with."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
from reconstruct_face.backend.animate import appearance, job
from reconstruct_face.backend.animate.frames import follow
from reconstruct_face.backend.animate.job import Animated, AnimateOptions, animate
from reconstruct_face.backend.animate.prepared import Prepared, load_prepared
from reconstruct_face.backend.animate.sheet import write_sheet
from reconstruct_face.backend.animate.source import Frame, open_source
from reconstruct_face.backend.errors import Cancelled, NoFaceError
from reconstruct_face.backend.exchange import load_reconstruction
from reconstruct_face.backend.exchange.motion import Motion, load_motion
from reconstruct_face.backend.exchange.own_pictures import is_own
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.pipeline import Options
from threadpoolctl import threadpool_limits

from tests import animate_clip as clips

FRAMES, BLANK, CHUNK = 64, 6, 16
pytestmark = pytest.mark.slow


@dataclass
class Run:
    """A film that was stopped after two and a half chunks and gone on with."""

    film: clips.Film
    done: Animated
    motion: Motion
    prepared: Prepared
    stopped_at: list[str]
    first_words: str


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("animate")
    film = clips.film(folder / "film.mp4", FRAMES, BLANK)
    options = AnimateOptions(reconstruction=Options(texture_size=512, quality="fast"))
    steps: list[str] = []

    def stop(part: float, step: str) -> None:
        steps.append(step)
        if step.startswith("Frame 40 "):
            raise Cancelled("Cancelled.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "CHUNK", CHUNK)
        patch.setattr(appearance, "SAMPLES", 300)
        with pytest.raises(Cancelled):
            animate(film.path, folder / "m.npz", options=options, progress=stop)
        assert not (folder / "m.npz").exists()
        prepared = load_prepared(folder / ".m.parts")
        words: list[str] = []
        done = animate(
            film.path,
            folder / "m.npz",
            options=options,
            progress=lambda part, step: words.append(step),
        )
    return Run(film, done, load_motion(done.motion), prepared, steps, words[0])


def found(run: Run, name: str) -> np.ndarray:
    names = run.motion.names
    sides = [n for n in names if n in (name, f"{name}Left", f"{name}Right")]
    return run.motion.weights[:, [names.index(n) for n in sides]].mean(axis=1)


def true(run: Run, name: str) -> np.ndarray:
    names = load_model().expression_names
    sides = [n for n in names if n in (name, f"{name}Left", f"{name}Right")]
    return run.film.weights[:, [names.index(n) for n in sides]].mean(axis=1)


@pytest.mark.parametrize(
    ("name", "least"), [("jawOpen", 0.85), ("eyeBlink", 0.85), ("mouthSmile", 0.85)]
)
def test_curves_are_those_the_film_was_drawn_from(run, name, least):
    a, b = true(run, name)[BLANK:], found(run, name)[BLANK:]
    alike = {k: np.corrcoef(a[4:-4], b[4 + k : len(b) - 4 + k])[0, 1] for k in range(-3, 4)}
    assert alike[0] > least
    # The vertex of the parabola through the best and its neighbours: not a frame early or late.
    best = max(alike, key=lambda k: alike[k])
    before, middle, after = (alike[k] for k in (best - 1, best, best + 1))
    late = best + (before - after) / (before - 2 * middle + after) / 2
    assert abs(late) < 0.75


def test_every_blink_is_there(run):
    for middle in (0.22, 0.5, 0.78):
        at = round(middle * FRAMES)
        assert found(run, "eyeBlink")[at - 2 : at + 3].max() > 0.5


def test_head_turns_as_the_film_says(run):
    turns = []
    assert run.motion.rotation is not None
    for i in range(BLANK, FRAMES):
        camera = run.film.cameras[i]
        assert camera is not None
        gap = run.motion.rotation[i].T @ camera.rotation
        turns.append(np.degrees(np.arccos(np.clip((np.trace(gap) - 1) / 2, -1, 1))))
    assert np.median(turns) < 6


def test_times_and_lost_frames_are_the_films(run):
    assert np.allclose(run.motion.times, np.arange(FRAMES) / clips.RATE, atol=1e-3)
    assert run.motion.frame_rate == 30.0
    # Looked for in every fifth frame while it was not there.
    first = int(np.flatnonzero(run.motion.valid)[0])
    assert BLANK <= first < BLANK + 5
    assert run.motion.valid[first:].all()
    assert np.allclose(run.motion.weights[0], run.motion.weights[first], atol=0.05)
    assert any("filled in" in note for note in run.done.notes)


def test_a_run_that_was_stopped_goes_on_where_it_was_and_ends_the_same(run):
    assert run.stopped_at[-1].startswith("Frame 40 ")
    # Two chunks were kept: 32 frames.
    assert run.first_words.startswith("Frame 35 ")
    source = open_source(run.film.path)
    with threadpool_limits(limits=1, user_api="blas"):  # as the run itself: sums are rounded alike
        whole = [result for result, _ in follow(source, run.prepared)]
    chunk = job._chunk(whole, {}, source, last=True)
    expected = job._joined(source, run.prepared, [chunk], AnimateOptions())
    # On a busy machine digits have differed (1e-4 of a weight); why was not found out.
    assert np.allclose(expected.weights, run.motion.weights, atol=2e-3)
    assert expected.rotation is not None and expected.translation is not None
    assert np.allclose(expected.rotation, run.motion.rotation, atol=1e-3)
    assert np.allclose(expected.translation, run.motion.translation, atol=0.5)


def test_the_head_is_a_normal_reconstruction_of_the_person(run, tmp_path):
    head = load_reconstruction(run.done.reconstruction)
    assert head.expression_names == run.motion.names
    model = load_model()
    # Nearer to the person than the mean head is, in the middle of the face.
    ids = model.landmarks68[17:]
    person = model.vertices(run.film.person.identity)[ids]

    def apart(shape: np.ndarray) -> float:
        gap = shape[ids] - person
        return float(np.linalg.norm(gap - gap.mean(axis=0), axis=1).mean())

    assert apart(head.vertices_neutral) < apart(model.mean)
    sheet = write_sheet(tmp_path / "s.jpg", open_source(run.film.path), run.motion, head, 16)
    assert sheet.stat().st_size > 10_000 and is_own(sheet)


def test_nothing_is_left_beside_the_results(run):
    assert {path.name for path in run.done.motion.parent.iterdir()} == {
        "film.mp4",
        "m.npz",
        "m_head.npz",
    }
    json.dumps(run.motion.header)


def test_memory_does_not_grow_with_the_frames(run):
    source = open_source(run.film.path)
    pictures = [frame.pixels for frame in source.frames()][BLANK : BLANK + 16]

    class Long:
        notes: list[str] = []

        def __init__(self, count: int) -> None:
            self.count = count

        def frames(self, start: int = 0):
            for i in range(start, self.count):
                yield Frame(i, i / 30, pictures[i % 16].copy())

    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in follow(Long(count), run.prepared, every=10**9):  # type: ignore[arg-type]
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(8)
    short, long = peak(20), peak(80)
    # One frame more is 250 KB.
    assert long - short < 1_000_000


def test_a_film_without_a_face_is_refused_in_one_sentence(tmp_path):
    wall = np.full((120, 160, 3), 120, np.uint8)
    path = clips.write(tmp_path / "wall.mp4", [wall] * 12)
    with pytest.raises(NoFaceError, match="No face was found in wall.mp4"):
        animate(path, tmp_path / "m.npz")
    assert not (tmp_path / "m.npz").exists()


def test_a_head_that_is_given_is_kept_and_landmarks_alone_give_a_motion_too(run, tmp_path):
    given = load_reconstruction(run.done.reconstruction)
    options = AnimateOptions(
        appearance=False, reconstruction=Options(texture_size=512, quality="fast")
    )
    done = animate(run.film.path, tmp_path / "m.npz", head=run.done.reconstruction, options=options)
    head, motion = load_reconstruction(done.reconstruction), load_motion(done.motion)
    assert np.array_equal(head.identity, given.identity)
    assert np.array_equal(head.texture, given.texture)
    jaw = motion.weights[BLANK:, motion.names.index("jawOpen")]
    assert np.corrcoef(true(run, "jawOpen")[BLANK:], jaw)[0, 1] > 0.7
