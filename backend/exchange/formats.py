"""The kinds of files: those that heads are written to, and those that photos are read from.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A kind of file that a head is written to."""

    suffix: str
    label: str
    still: str = ""  #: what a file of a head as it is holds, for people; "": there is none
    animated: str = ""  #: the same of a head that moves


#: By the name that ``--format`` and the export calls take.
_ALL = {
    "glb": Format(
        ".glb",
        "glTF",
        "For game engines and viewers: one file with texture and morph targets",
        "Morph targets with a value for every frame",
    ),
    "fbx": Format(
        ".fbx",
        "FBX",
        "For game engines and other 3D programs: shape keys, texture inside",
        "Shape key channels at the scene's frame rate",
    ),
    "obj": Format(".obj", "OBJ", "The shape as it is now, with its texture beside; no shape keys"),
    "usd": Format(
        ".usdz",
        "USD",
        "A .usdz with texture and blend shapes",
        "A .usdz with animated blend shapes",
    ),
    "vrm": Format(
        ".vrm",
        "VRM",
        "An avatar for VTubing (VRM 1.0): a glTF with expressions and the bones that VRM wants",
    ),
    "abc": Format(".abc", "Alembic", animated="Every frame's vertices; no materials"),
    "blend": Format(".blend", "Blend", "A copy of the whole open file"),
}
#: Of a head as it is; ``scene/export.py`` writes them.
FORMATS = {name: kind for name, kind in _ALL.items() if kind.still}
#: Of a head that moves; ``scene/animation/export.py`` writes them, beside motion files.
ANIMATED_FORMATS = {name: kind for name, kind in _ALL.items() if kind.animated}
#: Those written unless others are asked for.
DEFAULT_FORMATS = ("blend", "glb")
#: Of the switch that makes a .glb smaller, for people: its name, and what it does.
COMPACT_LABEL = "Compact glTF"
COMPACT_TIP = (
    "Numbers of the .glb in 8 and 16 bits (KHR_mesh_quantization), which nearly halves all but its "
    "texture; positions are off by 0.015 mm at most"
)

#: Bytes.  A 200-megapixel phone's picture has 60 MB, a TIFF of 250 megapixels 750.
LARGEST_PHOTO_FILE = 1_000_000_000
#: Pictures that can be read, in words and as file endings.
PHOTO_KINDS = "JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC or AVIF"
PHOTO_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif",
    ".heic", ".heif", ".avif",
)  # fmt: skip


def names_picture(name: str) -> bool:
    """Whether the file ``name`` of a folder is a picture's: no hidden one, as ``._anna.jpg`` is.

    macOS leaves such companions on disks and cards that hold no resource forks.
    """
    return not name.startswith(".") and name.lower().endswith(PHOTO_SUFFIXES)


#: Endings of the files that are taken for videos where photos are expected too.
VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".mts", ".m2ts",
    ".3gp", ".ogv",
)  # fmt: skip


def names_video(name: str) -> bool:
    """Whether the file ``name`` is a video's."""
    return name.lower().endswith(VIDEO_SUFFIXES)
