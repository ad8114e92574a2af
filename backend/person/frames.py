"""The best frames of a video, as photos of a person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..animate.identity import candidates, choose, main_person
from ..animate.source import open_source
from ..photo import Photo


def best_frames(
    video: Path, progress: Callable[[float, str], None] | None = None
) -> tuple[list[Photo], list[str]]:
    """Sharp frames of ``video`` in which the person who is seen most is seen from different sides,
    and what was noted while it was read.

    Raises :class:`~..errors.PhotoError` where it cannot be read, :class:`~..errors.NoFaceError`
    where it shows no face.
    """
    source = open_source(video)
    chosen = choose(main_person(candidates(source, progress), source))
    photos = [
        Photo(one.pixels, video.with_name(f"{video.name}, frame {one.index + 1}"), None, False)
        for one in chosen
    ]
    return photos, list(source.notes)
