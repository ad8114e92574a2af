"""From EXIF: the focal length in pixels, for the camera estimate, and the colour space."""

from __future__ import annotations

import math

from PIL import ExifTags, Image

# Diagonal of a 36 x 24 mm frame.  CIPA DCG-001 defines FocalLengthIn35mmFilm by equal diagonal
# angle of view, so the diagonal, not the width, carries over to 4:3 and 16:9 pictures.
FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)  # 43.27

# 10 mm to 1000 mm in full-frame terms; outside of it the tag is rubbish or a telescope's.
_PLAUSIBLE_RATIO = (10.0 / FULL_FRAME_DIAGONAL_MM, 1000.0 / FULL_FRAME_DIAGONAL_MM)

# Millimetres per FocalPlaneResolutionUnit (EXIF 2.32, tag 0xA210; 4 and 5 are common extensions).
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}


def focal_in_pixels(exif: Image.Exif, width: int, height: int) -> float | None:
    """Focal length in pixels of a picture of ``width`` x ``height`` pixels, or None if unknown.

    With FocalLengthIn35mmFilm f35:        f = f35 * hypot(width, height) / 43.27.
    Else with FocalLength F (mm) and FocalPlaneXResolution r (pixels per unit of u mm):
    the sensor is S = ExifImageWidth * u / r mm wide and f = F / S * (the picture's long side,
    when ExifImageWidth is).  ``width`` and ``height`` may be given in either order (a picture
    turned upright keeps its focal length), and may be smaller than the file's (a reduced picture).

    None as well when the proportions recorded by the camera are not the picture's, which tells
    that it was cropped, or when the value is outside 10..1000 mm in full-frame terms.
    """
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    camera_size = (_number(tags, 0xA002), _number(tags, 0xA003))  # ExifImageWidth, Height
    long_side, short_side = max(width, height), min(width, height)
    if min(camera_size) > 0:
        proportion = max(camera_size) / min(camera_size)
        if abs(proportion * short_side / long_side - 1.0) > 0.03:
            return None
    diagonal = math.hypot(width, height)
    focal = _number(tags, 0xA405) * diagonal / FULL_FRAME_DIAGONAL_MM  # FocalLengthIn35mmFilm
    if focal <= 0:
        focal = _from_focal_plane(tags, camera_size, long_side, short_side)
    low, high = _PLAUSIBLE_RATIO
    return focal if low * diagonal <= focal <= high * diagonal else None


def is_adobe_rgb(exif: Image.Exif) -> bool:
    """Whether the pixels are Adobe RGB (1998), as cameras say it without a profile.

    ColorSpace "uncalibrated" with the interoperability index R03 (DCF 2.0), or ColorSpace 2, which
    some write.
    """
    space = exif.get_ifd(ExifTags.IFD.Exif).get(0xA001)
    index = exif.get_ifd(ExifTags.IFD.Interop).get(1, "")
    if isinstance(index, bytes):
        index = index.decode("ascii", "replace")
    return space == 2 or (space == 0xFFFF and str(index).startswith("R03"))


def _from_focal_plane(
    tags: dict[int, object], camera_size: tuple[float, float], long_side: int, short_side: int
) -> float:
    """FocalLength over the pixel pitch, or 0 when a tag is missing."""
    focal_mm = _number(tags, 0x920A)
    per_unit = _number(tags, 0xA20E)  # FocalPlaneXResolution
    unit_mm = _UNIT_MM.get(int(_number(tags, 0xA210, 2.0)), 0.0)
    if min(focal_mm, per_unit, unit_mm, *camera_size) <= 0:
        return 0.0
    sensor_width_mm = camera_size[0] * unit_mm / per_unit
    along = long_side if camera_size[0] >= camera_size[1] else short_side
    return focal_mm / sensor_width_mm * along


def _number(tags: dict[int, object], tag: int, default: float = 0.0) -> float:
    """A tag as a finite float; files hold strings, 0/0 rationals and tuples in these places."""
    try:
        value = float(tags.get(tag, default))  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return default
    return value if math.isfinite(value) else default
