"""Any PIL mode and colour profile to 8-bit sRGB."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms

from ..geometry.srgb import encode_bytes, from_primaries

_SRGB = ImageCms.createProfile("sRGB")
# The colour space an ICC profile declares and the PIL mode whose pixels it describes.
_PROFILE_MODE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}

#: Adobe RGB (1998), version 2005-05: linear light of every byte, and it in sRGB's primaries.
_ADOBE_LINEAR = ((np.arange(256) / 255) ** (563 / 256)).astype(np.float32)
_ADOBE_TO_SRGB = from_primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)).astype(np.float32)


def to_srgb(
    image: Image.Image, profile: bytes | None, adobe_rgb: bool = False
) -> tuple[Image.Image, list[str]]:
    """``image`` as mode RGB in sRGB, transparency laid over white, and notes on what was done.

    ``adobe_rgb``: what colour pixels without a profile are.

    A profile is applied with relative colorimetric intent and black point compensation (what
    viewers do: in-gamut colours stay exact); a broken one is noted and ignored.
    """
    notes: list[str] = []
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode in ("RGB", "L", "1") and "transparency" in image.info:  # one PNG key colour
        image = image.convert("RGBA")
    alpha = image.getchannel("A") if image.mode in ("LA", "PA", "RGBA") else None
    if alpha is not None:
        image = image.convert("L" if image.mode == "LA" else "RGB")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if profile:
        image = _apply_profile(image, profile, notes)
    elif adobe_rgb and image.mode == "RGB":
        light = cv2.transform(cv2.LUT(np.asarray(image), _ADOBE_LINEAR), _ADOBE_TO_SRGB)
        image = Image.fromarray(encode_bytes(light))
        notes.append("colours were converted from Adobe RGB to sRGB")
    image = image.convert("RGB")
    if alpha is not None and alpha.histogram()[255] < image.width * image.height:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
        notes.append("the transparent parts were laid over white")
    return image, notes


def _apply_profile(image: Image.Image, data: bytes, notes: list[str]) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        name = ImageCms.getProfileDescription(profile).strip() or "unnamed"
        core: Any = profile.profile
        mode = _PROFILE_MODE.get(core.xcolor_space.strip())
        if mode is None or (mode == "CMYK") != (image.mode == "CMYK"):
            notes.append(f"the colour profile '{name}' is not for this kind of picture; ignored")
            return image
        if mode == "RGB" and name.startswith("sRGB"):
            return image
        converted = ImageCms.profileToProfile(
            image.convert(mode),
            profile,
            _SRGB,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        notes.append("the embedded colour profile is broken and was ignored")
        return image
    notes.append(f"colours were converted from '{name}' to sRGB")
    return converted if converted is not None else image
