"""Photo to ``Reconstruction``: the one call behind the command line, the worker and Blender.

read -> faces -> evidence -> fit -> texture -> hair -> ``Reconstruction``
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from threadpoolctl import threadpool_limits

from . import heap
from .assembly import assemble, hair_of, hair_seen, pictures_of, texture_of, warm_bust
from .clock import Clock
from .detect import Detector
from .errors import NoFaceError
from .exchange import Reconstruction
from .exchange.options import Options
from .fit import fit, gather
from .fit.faces import Face, default_predictor, detect_faces, with_landmarks
from .fit.reading import regressor_for
from .model import DEFAULT_MODEL, FaceModel, load_model
from .network import face_landmarker
from .network.regions import regions_of
from .photo import Photo, read_photo
from .texture import Texture, warm_texture

Progress = Callable[[float, str], None]


def reconstruct(
    photo: str | Path | Photo,
    options: Options | None = None,
    progress: Progress | None = None,
    detector: Detector | None = None,
) -> list[Reconstruction]:
    """Reconstruct the chosen face(s) of ``photo``, a path or a photo already read; largest first.

    ``progress(fraction, step)`` is called before each step.  ``detector`` replaces dlib's.

    Raises :class:`~.errors.PhotoError`, :class:`~.errors.NoFaceError`,
    :class:`~.errors.ModelError`, each with one sentence for the user.
    """
    # The systems solved here are small: a second BLAS thread only waits, and on a busy machine
    # makes the fit twenty times slower.
    with threadpool_limits(limits=1, user_api="blas"):
        return _reconstruct(photo, options or Options(), progress, detector)


def _reconstruct(
    photo: str | Path | Photo,
    options: Options,
    progress: Progress | None,
    detector: Detector | None,
) -> list[Reconstruction]:
    report = progress or (lambda fraction, step: None)
    clock = Clock()
    with clock("read"):
        report(0.0, "Reading the photo")
        if not isinstance(photo, Photo):
            photo = read_photo(photo)
    with beside(warm_fit, options):
        faces = _find_faces(photo, options, detector, clock, report)
    model = load_model(options.model, options.expressions)
    results = []
    with beside(warm_texture_of, options):
        for i, face in enumerate(faces):
            start, share = 0.3 + 0.7 * i / len(faces), 0.7 / len(faces)
            own = clock.copy()
            try:
                results.append(
                    _reconstruct_face(photo, face, model, options, own, start, share, report)
                )
            except NoFaceError:
                # One of several that cannot be used does not take the others along.
                if not results and face is faces[-1]:
                    raise
    return results


def warm_up(options: Options | None = None) -> None:
    """Load what every photo needs: network, predictor weights, face model, texture layout.

    Failures are left to the step that needs the thing, which has the sentence for the user.
    """
    options = options or Options()
    with suppress(Exception):
        warm_fit(options)
        warm_texture_of(options)


def warm_fit(options: Options) -> None:
    """Load what the fit needs."""
    if options.landmarks:
        default_predictor().warm()
    load_model(options.model, options.expressions)
    regressor = regressor_for(DEFAULT_MODEL)  # imported models start from it too
    if options.estimate == "network" and not options.network and regressor is not None:
        regressor.warm()
        regions_of(regressor.model)
        face_landmarker.warm()


def warm_texture_of(options: Options) -> None:
    """Load and work out what the texture needs."""
    if options.texture != "none":
        model = load_model(options.model, options.expressions)
        warm_texture(model, options.texture_size)
        if options.bust:
            warm_bust(model, options.texture_size)


@contextmanager
def beside(work: Callable[[Options], None], options: Options) -> Iterator[None]:
    """``work`` on a thread of its own meanwhile; its errors are met again by who needs its result.

    It is waited for after an error too: a process that ends while native code loads is aborted.
    """

    def quietly() -> None:
        with suppress(Exception):
            work(options)

    thread = threading.Thread(target=quietly)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _find_faces(
    photo: Photo, options: Options, detector: Detector | None, clock: Clock, report: Progress
) -> list[Face]:
    with clock("detect"):
        report(0.05, "Finding faces")
        faces = detect_faces(photo, options.face, detector, options.thorough)
    if options.landmarks:
        with clock("landmarks"):
            report(0.2, "Finding landmarks")
            faces = [with_landmarks(photo, face) for face in faces]
    return faces


def _reconstruct_face(
    photo: Photo,
    face: Face,
    model: FaceModel,
    options: Options,
    clock: Clock,
    start: float,
    share: float,
    report: Progress,
) -> Reconstruction:
    with clock("fit"):
        report(start, "Fitting the head")
        evidence = gather(photo, face, model, options)
        found = fit(evidence, model, options)
    heap.trim()  # the texture takes most, so that what the fit has freed shall not lie below it
    # Hair needs nothing of the texture but its light, at its end, and that needs nothing but where
    # hair is seen: it grows on a thread meanwhile, and while pictures are encoded.
    made: Future[Texture | None] = Future()
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(hair_seen, evidence, model, found, options)
        growing = pool.submit(
            lambda: hair_of(evidence, model, found, made.result, options, seen.result())
        )
        with clock("texture"):
            report(start + 0.3 * share, "Making the texture")
            try:
                made.set_result(texture_of(evidence, model, found, options, seen.result))
            except BaseException as error:
                made.set_exception(error)
                raise
        with clock("encode"):
            pictures = pictures_of(evidence, model, found, made.result())
        if options.hair != "none":
            with clock("hair"):  # what is left of it
                report(start + 0.8 * share, "Growing the hair")
                growing.result()
    texture, hair = made.result(), growing.result()
    return assemble(evidence, model, found, texture, options, clock, hair, pictures)
