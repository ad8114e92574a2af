"""Several photos of one person to one ``Reconstruction``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .. import heap
from ..assembly import assemble, hair_of, hair_seen, shared_texture, shot_of, view_of_fit
from ..clock import Clock
from ..detect import Detector
from ..errors import FaceError, NoFaceError, OptionError
from ..exchange import Reconstruction
from ..exchange.formats import names_picture
from ..exchange.options import Options
from ..exchange.views import MOST_PHOTOS, PhotoView
from ..fit.evidence import Evidence
from ..fit.observation import Refined
from ..fit.result import FaceFit
from ..fit.together.fits import fit_of, fit_together
from ..geometry.chunks import each
from ..model import FaceModel, load_model
from ..photo import Photo
from ..pipeline import beside, warm_fit, warm_texture_of
from ..texture import Shot, most_shots
from .looking import Given, Seen, View, looked_at, view_of
from .resting import with_resting_brows
from .same import SAME_PERSON, chosen_faces, same_picture

#: Degrees between two photos from which on they show different sides.
_APART = 30.0

Progress = Callable[[float, str], None]
LeftOut = tuple[Given, str]


def reconstruct_person(
    photos: Sequence[str | Path | Photo],
    options: Options | None = None,
    progress: Progress | None = None,
    detector: Detector | None = None,
    *,
    corrected: Sequence[Sequence[Sequence[float]] | None] | None = None,
) -> Reconstruction:
    """One head of the person whom ``photos`` show: 2 to 30 paths or photos, or one video.

    The best photo is the head's own, the others are its ``views`` in the order given
    (``provenance["photos"]``, file names, the best one first).  Photos that show somebody else, no
    face, or the same picture again are left out: each has a sentence in ``warnings`` and in
    ``provenance["left_out"]``.  Where one photo is left the head is that photo's.  ``corrected``
    are, per photo, landmarks set by hand as in ``Options.corrected``.  ``detector`` replaces
    dlib's.

    Raises :class:`OptionError` for a number of photos or options that cannot be,
    :class:`NoFaceError` where no photo shows a face, and what reading photos and models raise.
    """
    # As for a single photo: the systems are small, and BLAS threads only wait.
    with threadpool_limits(limits=1, user_api="blas"):
        return _Person(options or Options(), progress, detector).of(photos, corrected)


@dataclass
class _Person:
    options: Options
    progress: Progress | None
    detector: Detector | None

    def of(
        self,
        photos: Sequence[str | Path | Photo],
        corrected: Sequence[Sequence[Sequence[float]] | None] | None,
    ) -> Reconstruction:
        clock, options = Clock(), self.options
        if options.face not in ("largest", 1):
            raise OptionError(
                "Of several photos the face is taken that all of them show; leave the face's "
                "number out."
            )
        given, notes, path = _given(photos, corrected, self._report(0.0, 0.1))
        with beside(warm_fit, options), clock("detect"):
            model = load_model(options.model, options.expressions)
            seen, failed = self._looked_at(given, model)
        left: list[LeftOut] = [(one, str(error)) for one, error in failed]
        with clock("fit"), beside(warm_texture_of, options):
            views, more = self._views(seen, model)
            left += more
            if not views:
                raise NoFaceError(left[0][1] if left else "No photo shows a face.")
            refined = self._fitted(views, model)
        heap.trim()
        main = max(range(len(views)), key=lambda i: (views[i].quality, -views[i].given.number))
        order = [main, *(i for i in range(len(views)) if i != main)]
        head = self._assembled([views[i] for i in order], [refined[i] for i in order], model, clock)
        head.warnings = (*head.warnings, *notes, *_sentences(views, left))
        if path is not None:
            head.photo_path = str(path)
        head.provenance["photos"] = [views[i].given.name for i in order]
        head.provenance["left_out"] = [[one.name, sentence] for one, sentence in left]
        return head

    def _looked_at(
        self, given: Sequence[Given], model: FaceModel
    ) -> tuple[list[Seen], list[tuple[Given, FaceError]]]:
        report = self._report(0.1, 0.35)
        told = [0]

        def said() -> None:
            report(told[0] / len(given), f"Looking at photo {min(told[0] + 1, len(given))}")
            told[0] += 1

        return looked_at(given, model, self.options, self.detector, said)

    def _views(self, seen: Sequence[Seen], model: FaceModel) -> tuple[list[View], list[LeftOut]]:
        """One face per photo that shows the person, by itself, and what is left out."""
        left: list[LeftOut] = []
        areas = [[face.detection.area for face in one.faces] for one in seen]
        places, away = chosen_faces([one.persons for one in seen], areas)
        report = self._report(0.35, 0.5)
        views: list[View] = []
        wanted: list[tuple[Seen, int]] = []
        for one, place, distance in zip(seen, places, away, strict=True):
            if distance >= SAME_PERSON and not self.options.force_person:
                left.append((one.given, _stranger(one, distance)))
            else:
                wanted.append((one, place))
        report(0.0, "Fitting each photo by itself")

        def alone(one: tuple[Seen, int]) -> View | FaceError:
            try:
                return view_of(*one, model, self.options)
            except FaceError as error:
                return error

        for (one, _), view in zip(wanted, each(alone, wanted), strict=True):
            if isinstance(view, FaceError):
                left.append((one.given, str(view)))
            elif (first := _known(view, views)) is not None:
                left.append((one.given, _twice(one.given, first.given)))
            else:
                views.append(view)
        return with_resting_brows(views, model), left

    def _fitted(self, views: Sequence[View], model: FaceModel) -> list[Refined]:
        self._report(0.5, 0.7)(0.0, "Fitting one head to all photos")
        sights = [view.sight for view in views]
        return fit_together(sights, model, self.options, [view.weight for view in views])

    def _assembled(
        self,
        views: Sequence[View],
        refined: Sequence[Refined],
        model: FaceModel,
        clock: Clock,
    ) -> Reconstruction:
        """The head, the first of ``views`` being its own."""
        options, report = self.options, self._report(0.7, 1.0)
        textured = _for_texture(views, refined, most_shots(options.texture_size))
        fits: dict[int, FaceFit] = {}
        further: dict[int, PhotoView] = {}

        def shown(i: int) -> Evidence:
            """Photo ``i``, read again: its fit and, but for the first, its view are kept."""
            evidence = views[i].sight.evidence
            sight = replace(views[i].sight, evidence=evidence.of_photo(views[i].given.read()))
            fits[i] = fit_of(sight, model, refined[i])
            if i:
                further[i] = view_of_fit(sight.evidence, model, fits[i], _share(views, i))
            return sight.evidence

        def shot(i: int) -> Shot:
            evidence = own if i == 0 else shown(i)
            hair = partial(hair_seen, evidence, model, fits[i], options)
            return shot_of(evidence, model, fits[i], _share(views, i), hair)

        with clock("texture"):
            report(0.0, "Making the texture")
            own = shown(0)
            texture = None
            if options.texture != "none":
                shots = [partial(shot, i) for i in textured]
                texture, lights = shared_texture(shots, model, fits[0], options)
            each(shown, [i for i in range(len(views)) if i not in fits])
            if texture is not None:
                for i, light in zip(textured[1:], lights[1:], strict=True):
                    further[i] = replace(further[i], sh_light=light)
        evidence, fit = own, fits[0]
        hair: Any = ({}, ())
        if options.hair != "none":
            with clock("hair"):
                report(0.8, "Growing the hair")
                hair = hair_of(evidence, model, fit, texture, options)
        head = assemble(evidence, model, fit, texture, options, clock, hair)
        return replace(head, views=tuple(further[i] for i in range(1, len(views)))).validate()

    def _report(self, start: float, end: float) -> Progress:
        def report(part: float, step: str) -> None:
            if self.progress is not None:
                self.progress(start + (end - start) * part, step)

        return report


def _for_texture(views: Sequence[View], refined: Sequence[Refined], most: int) -> list[int]:
    """The photos that the texture is made of: the first, then those that count most and show the
    head from elsewhere."""
    yaws = [one.state.camera.euler_degrees[0] for one in refined]
    chosen, left = [0], list(range(1, len(views)))
    while left and len(chosen) < most:

        def worth(i: int) -> float:
            apart = min(abs(yaws[i] - yaws[other]) for other in chosen)
            return views[i].weight + min(apart / _APART, 1.0)

        best = max(left, key=worth)
        left.remove(best)
        chosen.append(best)
    return chosen


def _share(views: Sequence[View], i: int) -> float:
    """0..1 how much photo ``i`` counts beside the one that counts most."""
    return views[i].weight / max(view.weight for view in views)


def _given(
    photos: Sequence[str | Path | Photo],
    corrected: Sequence[Sequence[Sequence[float]] | None] | None,
    progress: Progress,
) -> tuple[list[Given], list[str], Path | None]:
    """The photos, what is to be said of them, and the video whose frames they are."""
    if isinstance(photos, str | Path):
        photos = [photos]
    path = None
    notes: list[str] = []
    if len(photos) == 1 and not isinstance(photos[0], Photo):
        first = Path(photos[0])
        if first.is_dir() or not names_picture(first.name):
            from .frames import best_frames

            path = first
            photos, notes = best_frames(first, progress)
    if not 1 <= len(photos) <= MOST_PHOTOS:
        raise OptionError(
            f"{len(photos)} photos were given for one person; give 2 to {MOST_PHOTOS}."
        )
    marks = [None] * len(photos) if corrected is None else list(corrected)
    if len(marks) != len(photos):
        raise OptionError(
            f"Corrected landmarks of {len(marks)} photos were given for {len(photos)} photos."
        )
    given = []
    for number, (photo, points) in enumerate(zip(photos, marks, strict=True)):
        read = photo if isinstance(photo, Photo) else None
        given.append(Given(number, Path(photo.path if read else photo), read, points))  # pyright: ignore
    return given, notes, path


def _known(view: View, before: Sequence[View]) -> View | None:
    """The one of ``before`` that is the same picture."""
    for other in before:
        marks, others = view.sight.evidence.marks, other.sight.evidence.marks
        if view.digest == other.digest or same_picture(marks, others, view.person, other.person):
            return other
    return None


def _stranger(one: Seen, distance: float) -> str:
    if not np.isfinite(distance):
        return f"The face in {one.given.name} cannot be compared with the others."
    return (
        f"{one.given.name} seems to show somebody else (distance {distance:.2f}, one person's "
        f"photos lie within {SAME_PERSON:.1f}) and was left out; Take Every Photo (--force-person) "
        "takes it too."
    )


def _twice(one: Given, first: Given) -> str:
    return f"{one.name} shows all but the same picture as {first.name} and was counted once."


def _sentences(views: Sequence[View], left: Sequence[LeftOut]) -> list[str]:
    said = [sentence for _, sentence in left]
    if len(views) == 1:
        said.append(
            f"Only {views[0].given.name} could be used, so the head is that of a single photo."
        )
    doubtful = [view.given.name for view in views if view.weight < 0.5]
    if doubtful and len(views) > 1:
        said.append(f"Hard to read and counted for less: {', '.join(doubtful)}.")
    return said
