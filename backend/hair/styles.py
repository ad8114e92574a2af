"""What hair looks like, as numbers: the ready styles, and how strands run in each.

The flow is one of a source line on the scalp, a parting or just the crown, from which hair runs to
all sides, with weights for falling, for being combed back and for standing off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Of the mean head, brows to chin.
FACE_MM = 130.0


@dataclass(frozen=True)
class Style:
    """Lengths and heights in mm, of a head :data:`FACE_MM` from brows to chin."""

    top: float  #: length on top
    side: float  #: length at the sides and the nape
    volume: float  #: how high the outermost hair stands above the skin, on top
    side_volume: float
    part: float | None = None  #: x of the parting in half widths of the head; None: the crown only
    down: float = 1.0  #: weights of the directions: falling,
    back: float = 0.0  #: combed back,
    out: float = 0.0  #: standing off
    wild: float = 0.25  #: how far strands go their own way
    fringe: float | None = None  #: hair over the forehead ends so far above the brows, in faces
    opening: float = 58.0  #: degrees to either side that long hair leaves free of the face
    wave: float = 0.0  #: radius of the wave or curl
    pitch: float = 60.0  #: mm along the strand per turn of it
    clump: float = 0.45  #: how far strands gather in locks at their tips, 0..1
    lock: int = 24  #: strands that are one lock
    jitter: float = 0.15  #: relative spread of the lengths
    tied: bool = False  #: gathered at the back and rolled into a bun
    knot: tuple[float, float, float] | None = None  #: where in the photo, head coordinates
    flyaways: float = 0.04  #: share of hairs that leave the outline which the photo shows
    strands: int = 16_000
    points: int = 16
    radius: float = 0.075  #: half the thickness of a strand, which stands for several hairs
    ends: float | None = None  #: where all hair is cut, in faces below the chin
    taper: float = 0.0  #: up to so far above the lower hairline hair is cut closer and closer


#: By the names of the option ``hair``.
STYLES: dict[str, Style] = {
    "crop": Style(14, 8, 7, 3.5, down=0.35, out=0.7, wild=0.3, clump=0.2, strands=20_000,
                  radius=0.07, points=8, taper=30),
    "side-part": Style(85, 28, 17, 7, part=0.42, down=0.25, back=0.9, out=0.2, wild=0.2,
                       clump=0.5, taper=60),
    "bob": Style(215, 190, 16, 15, part=0.15, back=0.35, wild=0.12, opening=62, ends=0.02,
                 jitter=0.05, points=20),
    "long-straight": Style(420, 400, 13, 13, part=0.0, back=0.35, wild=0.12, opening=60,
                           ends=0.85, jitter=0.04, points=22),
    "long-wavy": Style(420, 400, 20, 22, part=-0.3, back=0.35, wild=0.25, opening=58, wave=7.0,
                       pitch=75, clump=0.7, lock=40, ends=0.8, jitter=0.05, points=36,
                       strands=11_000, radius=0.085),
    "curly": Style(170, 160, 32, 30, part=0.1, down=0.7, back=0.2, out=0.4, wild=0.25,
                   opening=55, wave=6.0, pitch=30, clump=0.85, points=32, strands=13_000),
    "afro": Style(62, 56, 55, 48, down=0.0, out=1.6, wild=0.9, wave=3.2, pitch=13, clump=0.35,
                  jitter=0.12, points=28, strands=18_000, radius=0.1),
    "bun": Style(230, 220, 7, 5, down=0.0, back=1.0, wild=0.06, tied=True, clump=0.5,
                 strands=15_000, points=20),
}  # fmt: skip


def scaled(style: Style, face: float) -> Style:
    """``style`` for a head of ``face`` mm from brows to chin."""
    factor = face / FACE_MM
    lengths = ("top", "side", "volume", "side_volume", "wave", "pitch", "taper")
    return replace(style, **{name: getattr(style, name) * factor for name in lengths})
