"""Photo to ``Reconstruction``: the one call behind the command line, the worker and Blender.

read -> detect -> landmarks -> FFHQ crop -> estimate -> texture -> ``Reconstruction``
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from .detect import Detector
from .errors import NoFaceError
from .exchange import MaterialSlot, Reconstruction
from .exchange.options import Options
from .fit.confidence import Confidence, assess
from .fit.corrections import Corrections
from .fit.faces import Face, default_predictor, detect_faces, with_landmarks
from .fit.with_network import FaceFit, fit_face, regressor_for
from .fit.without_network import fit_on_photo
from .model import FaceModel, load_model
from .photo import Photo, read_photo
from .photo.encode import encode_jpeg, encode_png
from .texture import Texture, build_texture, warm_texture

if TYPE_CHECKING:  # torch is imported by those who need it
    from .original.opinion import OpinionGiver

Progress = Callable[[float, str], None]

POOR_FIT = 0.04  #: mean landmark error as a part of the face box's side


class _Clock:
    """Seconds per named step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start


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
    clock = _Clock()
    with clock("read"):
        report(0.0, "Reading the photo")
        if not isinstance(photo, Photo):
            photo = read_photo(photo)
    loading = threading.Thread(target=warm_up, args=(options,))
    loading.start()
    try:
        faces = _find_faces(photo, options, detector, clock, report)
    finally:
        # Also when no face is found: a process that ends while native code loads is aborted.
        loading.join()
    model = load_model(options.model, options.expressions)
    results = []
    for i, face in enumerate(faces):
        start = 0.3 + 0.7 * i / len(faces)
        own = _Clock()
        own.seconds = dict(clock.seconds)
        try:
            results.append(
                _reconstruct_face(photo, face, model, options, own, start, 0.7 / len(faces), report)
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
    try:
        if options.landmarks:
            default_predictor().warm()
        model = load_model(options.model, options.expressions)
        if options.estimate == "network" and (regressor := regressor_for(options.model)):
            regressor.warm()
        if options.texture != "none":
            warm_texture(model, options.texture_size)
    except Exception:  # noqa: BLE001, S110 - met again, and reported, by the step itself
        pass


def _find_faces(
    photo: Photo, options: Options, detector: Detector | None, clock: _Clock, report: Progress
) -> list[Face]:
    with clock("detect"):
        report(0.05, "Finding faces")
        faces = detect_faces(photo, options.face, detector, options.thorough)
    if options.landmarks:
        with clock("landmarks"):
            report(0.2, "Finding landmarks")
            faces = [with_landmarks(photo, face) for face in faces]
    return faces


def _opinion_giver(network: str, model: FaceModel) -> OpinionGiver | None:
    if not network:
        return None
    from .original.opinion import OpinionGiver

    return OpinionGiver(network, model)


def _reconstruct_face(
    photo: Photo,
    face: Face,
    model: FaceModel,
    options: Options,
    clock: _Clock,
    start: float,
    share: float,
    report: Progress,
) -> Reconstruction:
    with clock("fit"):
        report(start, "Fitting the head")
        refined = options.estimate == "network"
        regressor = regressor_for(options.model) if refined else None
        corrections = Corrections(options.corrected, face.side)
        giver = _opinion_giver(options.network, model)
        if giver or (refined and regressor is None):  # a model that no network of ours is for
            fit = fit_on_photo(model, photo, face, options.quality, corrections, giver)
        else:
            fit = fit_face(model, photo, face, regressor, options.quality, corrections)
    with clock("texture"):
        report(start + 0.3 * share, "Making the texture")
        texture = texture_of(model, photo, fit, options)
    return assemble(model, photo, face, fit, texture, options, clock.seconds)


def assemble(
    model: FaceModel,
    photo: Photo,
    face: Face,
    fit: FaceFit,
    texture: Texture | None,
    options: Options,
    timings: dict[str, float] | None = None,
) -> Reconstruction:
    """The :class:`Reconstruction` of what was found about ``face``."""
    vertices = model.vertices(fit.identity, fit.expression)
    clock = _Clock()
    clock.seconds = dict(timings or {})
    with clock("encode"):
        encoded = encode_png(texture.image) if texture else np.empty(0, np.uint8)
        photo_bytes, crop_bytes = encode_jpeg(photo.pixels), encode_png(fit.crop.image)
    height, width = photo.pixels.shape[:2]
    confidence = _confidence(face, fit)
    warnings = (*photo.notes, *confidence.reasons, *_warnings(face, fit, photo))
    warnings += texture.warnings if texture else ()
    return Reconstruction(
        vertices_neutral=model.vertices(fit.identity),
        vertices_posed=vertices,
        faces=model.faces,
        polygons=model.polygons,
        polygon_material=model.polygon_material,
        uv=model.uv,
        uv_polygons=model.uv_polygons,
        identity=fit.identity,
        expression=fit.expression,
        expression_names=model.expression_names,
        expression_range=model.expression_range,
        expression_basis=model.expression_basis,
        albedo=texture.albedo_coefficients if texture else fit.albedo,
        camera_matrix=fit.camera.camera_matrix,
        rotation=fit.camera.rotation,
        translation=fit.camera.translation,
        image_size=(width, height),
        landmarks68=fit.landmarks68,
        landmarks3d=fit.landmarks3d,
        landmarks2d=fit.camera.project(fit.landmarks3d).astype(np.float32),
        landmarks2d_detected=fit.detected,
        face_box=np.asarray(face.detection.box, np.float32),
        sh_light=texture.sh_light if texture else fit.sh_light,
        texture_mode=options.texture,
        texture=encoded,
        photo=photo_bytes,
        crop=crop_bytes,
        materials=tuple(MaterialSlot(kind, kind) for kind in model.material_kinds),
        model={
            "name": model.name,
            "version": model.header["version"],
            "licence": model.header["licence"],
            "sha256": model.header["sha256"],
        },
        photo_path=str(photo.path),
        face_index=face.number,
        warnings=warnings,
        timings=clock.seconds,
        versions=_versions(),
        provenance={
            "options": options.to_dict(),
            "estimate": fit.source,
            "confidence": round(confidence.score, 3),
            "licences": {
                "face model": model.header["licence"],
                **({"landmarks": default_predictor().licence} if options.landmarks else {}),
            },
        },
    ).validate()


def texture_of(
    model: FaceModel,
    photo: Photo,
    fit: FaceFit,
    options: Options,
) -> Texture | None:
    """The texture of one fit to one photo; None where none is wanted."""
    if options.texture == "none":
        return None
    camera = fit.camera
    return build_texture(
        model,
        photo.pixels,
        model.vertices(fit.identity, fit.expression),
        camera.camera_matrix,
        camera.rotation,
        camera.translation,
        mode=options.texture,
        size=options.texture_size,
        landmarks2d=fit.observed,
        grey=photo.grey,
    )


def _confidence(face: Face, fit: FaceFit) -> Confidence:
    return assess(
        fit.camera.euler_degrees[0],
        face.side,
        spread=face.spread,
        disagreement=fit.disagreement,
        network_sigma=fit.network_sigma,
        inlier=fit.inlier,
        residual=fit.residual,
    )


def _warnings(face: Face, fit: FaceFit, photo: Photo) -> Iterator[str]:
    height, width = photo.pixels.shape[:2]
    x, y = fit.detected.T
    outside = np.count_nonzero((x < 0) | (y < 0) | (x > width - 1) | (y > height - 1))
    if outside > 3:
        yield f"The face is cut off by the picture's edge ({outside} of 68 landmarks lie outside)."
    if fit.error_px > POOR_FIT * face.side:
        yield (
            f"The head fits the landmarks poorly ({fit.error_px / face.side:.1%} of the face's "
            "size); check the preview."
        )


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    from importlib import metadata

    names = ("reconstruct-face", "numpy", "scipy", "opencv-python-headless", "dlib-bin")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a folder, without being installed
            found[name] = "unknown"
    return found
