"""How well a rendering explains the photo it was made from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..detect.recognition import cosine_distances, descriptor
from ..exchange import Reconstruction
from ..exchange.passes import Passes
from ..exchange.reconstruction import HAIR_KINDS
from ..geometry import srgb
from ..photo.encode import decode
from .measures import psnr, ssim
from .view import View

Float = NDArray[np.float32]

#: Behind the rendering when a face recogniser looks at it: nothing of the photo is left then.
_BACKGROUND = 0.5
#: Of the width of the landmarks: gaps between strands that are no skin.
_BETWEEN_STRANDS = 0.02


def photo_in_view(reconstruction: Reconstruction, view: View) -> tuple[Float, NDArray[np.bool_]]:
    """(H, W, 3) sRGB 0..1 of the part of the photo that ``view`` shows, and (H, W) where it is."""
    photo = decode(reconstruction.photo)
    # Both have the same camera centre and axes: between them lie only scale and shift.
    place = view.camera_matrix @ np.linalg.inv(reconstruction.camera_matrix)
    scale = float(place[0, 0])
    if scale < 0.5:  # smooth before leaving out pixels
        photo = cv2.GaussianBlur(photo, (0, 0), 0.4 / scale)
    inside = np.full(photo.shape[:2], 255, np.uint8)
    shown = cv2.warpAffine(photo, place[:2], view.size, flags=cv2.INTER_LINEAR)
    there = cv2.warpAffine(inside, place[:2], view.size, flags=cv2.INTER_LINEAR) > 254
    return shown.astype(np.float32) / 255, there


def explained(reconstruction: Reconstruction, passes: Passes) -> Float:
    """(H, W, 3) sRGB 0..1: the pass that claims to be the photo.

    The texture in the fitted light, or as it is where it still holds the photo's light.
    """
    lit = reconstruction.texture_mode == "albedo"
    return srgb.encode(passes.shaded if lit else passes.unlit)


def face_mask(reconstruction: Reconstruction, view: View) -> NDArray[np.bool_]:
    """(H, W) inside the hull of the 68 fitted landmarks."""
    points = view.project(reconstruction.landmarks3d)
    hull = cv2.convexHull(points.astype(np.float32))
    mask = np.zeros(view.size[::-1], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 1)
    return mask > 0


def under_hair(reconstruction: Reconstruction, view: View, depth: NDArray) -> NDArray[np.bool_]:
    """(H, W) where strands of the head's hair are before the surface at ``depth`` (H, W) mm: there
    the photo shows no skin, and the surface none of what the photo shows."""
    out = np.zeros(depth.shape, np.uint8)
    points, kind = reconstruction.hair_points, reconstruction.hair_kind
    if kind.size:  # else all is the head's
        points = points[kind == HAIR_KINDS.index("hair")]
    if not len(points):
        return out > 0
    flat = points.reshape(-1, 3).astype(np.float64)
    pixels = np.rint(view.project(flat)).astype(int)
    inside = ((pixels >= 0) & (pixels < view.size)).all(axis=1)
    before = np.zeros(len(flat), bool)
    columns, rows = pixels[inside].T
    before[inside] = view.to_camera(flat[inside])[:, 2] < depth[rows, columns]
    ends = pixels.reshape(*points.shape[:2], 2)
    seen = before.reshape(points.shape[:2])
    seen = seen[:, 1:] & seen[:, :-1]
    pieces = np.stack([ends[:, :-1][seen], ends[:, 1:][seen]], axis=1)
    cv2.polylines(out, list(pieces.astype(np.int32)), False, 1)
    width = max(
        1, round(_BETWEEN_STRANDS * float(np.ptp(view.project(reconstruction.landmarks3d)[:, 0])))
    )
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    return cv2.morphologyEx(out, cv2.MORPH_CLOSE, kernel) > 0


def photo_measures(
    reconstruction: Reconstruction, passes: Passes, view: View
) -> tuple[dict[str, float], list[str], dict[str, Float]]:
    """The measures of the group "photo", sentences on what is missing, and pictures by name.

    ``passes`` are those of the Blender scene.  Raises :class:`~..errors.ModelError` where dlib's
    weights are missing.
    """
    box = reconstruction.face_box
    side = float(np.sqrt(max((box[2] - box[0]) * (box[3] - box[1]), 1e-6)))
    values = {"landmarks_percent": 100 * reconstruction.landmark_error / side}
    if reconstruction.texture_mode == "none":
        return values, ["Without a texture the colours are compared with nothing."], {}
    photo, there = photo_in_view(reconstruction, view)
    rendering = explained(reconstruction, passes)
    mask = face_mask(reconstruction, view) & passes.covered & there
    mask &= ~under_hair(reconstruction, view, passes.depth)
    if not mask.any():
        return values, ["The photo does not show the face."], {}
    shown = np.where(passes.covered[..., None], rendering, photo)
    values["photo_psnr_db"] = psnr(photo, shown, mask)
    values["photo_ssim"] = ssim(photo, shown, mask)
    notes = []
    flip = flip_map(photo, shown)
    if flip is None:
        notes.append("FLIP is not compared: flip-evaluator is not here (it has no build for 3.14).")
    else:
        values["photo_flip"] = float(flip[mask].mean())
    values["descriptor_distance"] = _recognised(reconstruction, photo, rendering, passes, view)
    return values, notes, {"photo": photo, "rendering": shown}


def flip_map(reference: Float, test: Float) -> Float | None:
    """(H, W) FLIP (Andersson et al. 2020) of sRGB pictures (H, W, 3), 0..1; None without it."""
    try:
        import flip_evaluator
    except ImportError:
        return None
    pictures = (np.ascontiguousarray(picture, np.float32) for picture in (reference, test))
    found, _, _ = flip_evaluator.evaluate(*pictures, "LDR", applyMagma=False)
    return np.asarray(found, np.float32)[..., 0]


def _recognised(
    reconstruction: Reconstruction, photo: Float, rendering: Float, passes: Passes, view: View
) -> float:
    """1 - cosine of dlib's descriptors of photo and rendering."""
    alone = np.where(passes.covered[..., None], rendering, np.float32(_BACKGROUND))
    place = view.camera_matrix @ np.linalg.inv(reconstruction.camera_matrix)
    detected = reconstruction.landmarks2d_detected @ place[:2, :2].T + place[:2, 2]
    fitted = view.project(reconstruction.landmarks3d)
    of_photo, of_rendering = (
        descriptor(np.rint(255 * picture).astype(np.uint8), points)
        for picture, points in ((photo, detected), (alone, fitted))
    )
    return float(cosine_distances(of_photo[None], of_rendering[None])[0, 0])
