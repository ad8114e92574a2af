"""The ``Reconstruction`` dataclass: one face of one photo, ready for Blender.

Conventions, stated once for both sides:

* Head coordinates: millimetres, x to the head's left, y up, z forward out of the face.
* Camera coordinates (OpenCV): x right, y down, z forward;
  ``x_camera = rotation @ x_head + translation``.
* Pixels of the upright photo: (0, 0) is the *centre* of the top-left pixel, x right, y down;
  ``(u, v, 1) ~ camera_matrix @ x_camera`` (Hartley and Zisserman 2004, eq. 6.8).
* UV: (0, 0) is the bottom-left corner of the texture, v up, as in Blender and OBJ.
* Colours of encoded pictures are sRGB; ``sh_light`` multiplies linear-light albedo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, check_arrays, check_range
from ..bounded import Damaged
from ..errors import ExchangeError
from .views import ARRAYS as OF_PHOTO
from .views import PhotoView, check_camera, check_views

Float = NDArray[np.float32]
Int = NDArray[np.int32]
Bytes = NDArray[np.uint8]

#: What the arrays have to be.  Axes: V vertices, F triangles, P polygons of C corners, U texture
#: coordinates, K identity, E expression and A albedo components, and bytes of pictures.
ARRAYS = {
    "vertices_neutral": Member("f4", ("V", 3)),
    "vertices_posed": Member("f4", ("V", 3)),
    "faces": Member("i4", ("F", 3)),
    "polygons": Member("i4", ("P", "C")),
    "polygon_material": Member("u1", ("P",)),
    "uv": Member("f4", ("U", 2)),
    "uv_polygons": Member("i4", ("P", "C")),
    "identity": Member("f4", ("K",)),
    **OF_PHOTO,
    "expression_range": Member("f4", ("E", 2)),
    "expression_basis": Member("f4", ("E", "V", 3)),
    "albedo": Member("f4", ("A",)),
    "texture": Member("u1", ("T",)),
    "photo": Member("u1", ("J",)),
    "crop": Member("u1", ("I",)),
    # Files of versions before 0.2 lack these.
    "normal_map": Member("u1", ("N",), optional=True),
    "roughness_map": Member("u1", ("R",), optional=True),
    "specular_map": Member("u1", ("S",), optional=True),
    "wrinkles_right": Member("u1", ("WR",), optional=True),
    "wrinkles_left": Member("u1", ("WL",), optional=True),
    "bust_texture": Member("u1", ("BT",), optional=True),
    "bust_normal_map": Member("u1", ("BN",), optional=True),
    "folds": Member("u1", ("O",), optional=True),
    "fold_parts": Member("f4", ("H", "EF"), optional=True),
    "hair_points": Member("f4", ("HS", "HP", 3), optional=True),
    "hair_uv": Member("f4", ("HS", 2), optional=True),
    "hair_colour": Member("f4", ("HS", "HC", 3), optional=True),
    "hair_radius": Member("f4", ("HS",), optional=True),
    "hair_kind": Member("u1", ("HK",), optional=True),
    "displacement": Member("f4", ("D", "D"), optional=True),
    "regions": Member("u1", ("G", "GV"), optional=True),
}
#: Of hair: the most strands, the most points of one, and how far from the head's middle they are,
#: mm.  Several times what this program makes.
MOST_STRANDS, MOST_HAIR_POINTS, LONGEST_HAIR_MM = 200_000, 128, 3000.0
#: What hair is, by its number in ``hair_kind``.
HAIR_KINDS = ("hair", "brows", "beard")
TEXTURE_MODES = ("albedo", "photo", "none")
#: Expressions that each head has by itself, so that lids and lips meet; the others are its face
#: model's.
OWN_BLINKS = ("eyeBlinkRight", "eyeBlinkLeft")
OWN_LIPS = (
    "mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthRollUpper",
    "mouthRollLower", "mouthShrugLower", "mouthPressLeft", "mouthPressRight", "cheekPuff",
    "mouthClose",
)  # fmt: skip
OWN_EXPRESSIONS = (*OWN_BLINKS, *OWN_LIPS)
#: Kinds of material that one looks through or between: polygons of these are no triangles of
#: ``faces``, so that fit, texture, preview and verification see what lies behind them.
SEEN_THROUGH = ("cornea", "lashes", "tear")
#: The kind of material of what continues the head below its neck.  No photo is compared with it:
#: its polygons are no triangles of ``faces`` either.
BUST = "bust"


def _no_picture() -> Bytes:
    return np.empty(0, np.uint8)


def opaque(material: NDArray[np.uint8], kinds: Sequence[str]) -> NDArray[np.bool_]:
    """(P,) which polygons, whose ``material`` (P,) indexes ``kinds``, are the head as a photo shows
    it: neither ``SEEN_THROUGH`` nor ``BUST``."""
    return ~np.array([kind in (*SEEN_THROUGH, BUST) for kind in kinds], bool)[material]


@dataclass(frozen=True)
class MaterialSlot:
    """A material of the mesh; ``kind`` is one of skin, eye, iris, cornea, lashes, teeth, tongue,
    mouth or bust.

    An "eye" is the white, with the iris painted on it where there is no "iris".  A "bust" has
    pictures of its own, ``bust_texture`` and ``bust_normal_map``.
    """

    name: str
    kind: str


@dataclass
class Reconstruction:
    """One reconstructed head.  V vertices, P polygons, F triangles, U texture coordinates.

    The camera fields describe the *given photo*, upright (EXIF orientation applied), at its full
    size, so a Blender camera built from them lines up with it.
    """

    # geometry, head coordinates, mm
    vertices_neutral: Float  #: (V, 3) identity only
    vertices_posed: Float  #: (V, 3) identity and the photo's expression; not rotated
    faces: Int  #: (F, 3) triangles of the :attr:`opaque` polygons, outward counter-clockwise
    polygons: Int  #: (P, 3 | 4) the polygons to build the mesh from
    polygon_material: NDArray[np.uint8]  #: (P,) index into ``materials``
    uv: Float  #: (U, 2)
    uv_polygons: Int  #: (P, 3 | 4) indices into ``uv``

    # coefficients
    identity: Float  #: (K,) in standard deviations
    expression: Float  #: (E,) blendshape weights, or standard deviations for a PCA basis
    expression_names: tuple[str, ...]  #: E shape key names
    expression_range: Float  #: (E, 2) lowest and highest value of each shape key
    expression_basis: Float  #: (E, V, 3) displacement in mm of each shape key at 1
    albedo: Float  #: (A,) albedo coefficients in standard deviations; may be empty

    # view
    camera_matrix: NDArray[np.float64]  #: (3, 3) pixels
    rotation: NDArray[np.float64]  #: (3, 3) head to camera
    translation: NDArray[np.float64]  #: (3,) mm
    image_size: tuple[int, int]  #: width, height of the upright photo in pixels
    landmarks68: Int  #: (68,) nearest vertex ids in iBUG order, the jaw line as seen in this view
    landmarks3d: Float  #: (68, 3) the exact points on the posed surface, head coordinates, mm
    landmarks2d: Float  #: (68, 2) ``landmarks3d`` projected, pixels
    landmarks2d_detected: Float  #: (68, 2) what the detector saw, pixels
    face_box: Float  #: (4,) detected box x0, y0, x1, y1, pixels

    # appearance
    sh_light: Float  #: (9, 3) irradiance spherical harmonics, head coordinates, linear RGB
    texture_mode: str  #: "albedo", "photo" or "none"
    texture: Bytes  #: encoded PNG, sRGB; empty when ``texture_mode`` is "none"
    photo: Bytes  #: the upright photo, encoded JPEG, sRGB
    crop: Bytes  #: the FFHQ crop the estimate used, encoded PNG, 224 x 224

    # about
    materials: tuple[MaterialSlot, ...]
    model: dict[str, Any]  #: name, version, licence, sha256 of the face model
    photo_path: str = ""  #: where the photo is; files hold its name only
    face_index: int = 1  #: number of this face in the photo, 1 is the largest
    warnings: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)  #: seconds per step
    versions: dict[str, str] = field(default_factory=dict)  #: software that made this
    provenance: dict[str, Any] = field(default_factory=dict)  #: options, licences, sources

    # the skin's surface, encoded pictures in the texture's layout; empty where there is no texture
    normal_map: Bytes = field(default_factory=_no_picture)  #: tangent space, x along u, y along v
    roughness_map: Bytes = field(default_factory=_no_picture)  #: grey, 255 is 1
    specular_map: Bytes = field(default_factory=_no_picture)  #: grey, of "Specular IOR Level"
    #: of the face's halves, see ``wrinkles.py``; empty without ARKit's shapes too
    wrinkles_right: Bytes = field(default_factory=_no_picture)
    wrinkles_left: Bytes = field(default_factory=_no_picture)
    #: of polygons of the kind "bust", whose ``uv`` are in these pictures; empty without a bust
    bust_texture: Bytes = field(default_factory=_no_picture)  #: encoded PNG, sRGB
    bust_normal_map: Bytes = field(default_factory=_no_picture)  #: as ``normal_map``
    #: what the photo's expression folded and the texture lacks, see ``wrinkles.py``: encoded PNG,
    #: red for the right half of the face, green for the left
    folds: Bytes = field(default_factory=_no_picture)
    #: (2, E) what each shape key gives back of either half's folds at 1; empty without them
    fold_parts: Float = field(default_factory=lambda: np.empty((0, 0), np.float32))
    # hair: HS strands of HP points, empty without any
    #: (HS, HP, 3) from root to tip on the neutral head, head coordinates, mm
    hair_points: Float = field(default_factory=lambda: np.empty((0, 0, 3), np.float32))
    #: (HS, 2) texture coordinates of the roots, each within one triangle of the skin
    hair_uv: Float = field(default_factory=lambda: np.empty((0, 2), np.float32))
    #: (HS, HC, 3) linear RGB at HC even steps from root to tip, two at least, of a Principled Hair
    #: of the Chiang model
    hair_colour: Float = field(default_factory=lambda: np.empty((0, 2, 3), np.float32))
    hair_radius: Float = field(default_factory=lambda: np.empty(0, np.float32))  #: (HS,) mm
    #: (HS,) index into :data:`HAIR_KINDS`; empty where all is the head's
    hair_kind: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    #: (D, D) mm along the neutral head's normals, in the texture's layout, row 0 at v = 1: what is
    #: finer than the mesh; empty without it.  ``normal_map`` shows it too
    displacement: Float = field(default_factory=lambda: np.empty((0, 0), np.float32))
    #: (G, V) 0..255 how far each vertex is in each region of the face; empty without any
    regions: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 0), np.uint8))
    region_names: tuple[str, ...] = ()  #: G names, such as "lips"
    #: further photos of the person; the fields above are of the first one
    views: tuple[PhotoView, ...] = ()

    @property
    def photo_name(self) -> str:
        """The photo's file name without its folder: what goes into files that are handed on."""
        # The path may come from another system: take Windows separators too.
        return PurePath(self.photo_path.replace("\\", "/")).name

    @property
    def opaque(self) -> NDArray[np.bool_]:
        """(P,) the polygons of the head that hide what is behind them, see :func:`opaque`."""
        return opaque(self.polygon_material, [slot.kind for slot in self.materials])

    @property
    def head_count(self) -> int:
        """How many vertices, the first, are the head's; a bust's come after them."""
        of_bust = np.array([slot.kind == BUST for slot in self.materials], bool)
        head = self.polygons[~of_bust[self.polygon_material]]
        return int(head.max()) + 1 if of_bust.any() and len(head) else len(self.vertices_neutral)

    @property
    def folds_shown(self) -> Float:
        """(2,) 0..1 how much of either half's ``folds`` the expression gives back."""
        if not self.folds.size:
            return np.zeros(2, np.float32)
        return np.clip(self.fold_parts @ self.expression, 0, 1)

    @property
    def landmark_error(self) -> float:
        """Mean distance between fitted and detected landmarks in pixels of the photo."""
        gap = np.linalg.norm(self.landmarks2d - self.landmarks2d_detected, axis=1)
        return float(gap.mean())

    def seen_in(self, number: int) -> Reconstruction:
        """This head as photo ``number`` of the person shows it: 0 is the photo of the fields of
        this one, the others are ``views``.

        Expression, camera, light, landmarks and photo are that photo's; shape, colour and hair are
        the person's.  Further photos have no ``crop``, and a head that one of them shows has no
        ``views``.  Raises IndexError where there is no such photo.
        """
        if number == 0:
            return self
        if not 0 < number <= len(self.views):
            raise IndexError(f"photo {number} of {len(self.views) + 1}")
        view = self.views[number - 1]
        moved = np.tensordot(view.expression, self.expression_basis, axes=1)
        posed = (self.vertices_neutral + moved).astype(np.float32)
        told = {name: getattr(view, name) for name in view.of_reconstruction()}
        return replace(self, vertices_posed=posed, crop=_no_picture(), views=(), **told)

    def validate(self) -> Reconstruction:
        """Return self, or raise :class:`ExchangeError` naming the first field that does not fit."""
        try:
            self.check()
        except Damaged as error:
            raise ExchangeError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        return self

    def check(self) -> None:
        """Raise :class:`Damaged` naming the first field that does not fit."""
        lengths = check_arrays({name: getattr(self, name) for name in ARRAYS}, ARRAYS)
        if lengths["C"] not in (3, 4):
            raise Damaged(f"'polygons' has shape {self.polygons.shape}, not of 3 or 4 corners")
        if len(self.expression_names) != lengths["E"]:
            raise Damaged(
                f"'expression_names' has {len(self.expression_names)} names for {lengths['E']} "
                "shapes"
            )
        if self.folds.size and self.fold_parts.shape != (2, lengths["E"]):
            raise Damaged(
                f"'fold_parts' has shape {self.fold_parts.shape}, not (2, {lengths['E']})"
            )
        if self.regions.size and self.regions.shape != (len(self.region_names), lengths["V"]):
            raise Damaged(
                f"'regions' has shape {self.regions.shape}, not ({len(self.region_names)}, "
                f"{lengths['V']})"
            )
        self._check_hair()
        check_views(self.views, lengths["V"], lengths["E"])
        for name, limit in (("faces", "V"), ("polygons", "V"), ("uv_polygons", "U")):
            check_range(name, getattr(self, name), lengths[limit])
        check_range("landmarks68", self.landmarks68, lengths["V"])
        if self.polygon_material.size and self.polygon_material.max() >= len(self.materials):
            raise Damaged(
                f"'polygon_material' names slot {self.polygon_material.max()} of "
                f"{len(self.materials)} materials"
            )
        check_camera(self.camera_matrix, self.rotation)
        if self.texture_mode not in TEXTURE_MODES:
            raise Damaged(f"'texture_mode' is {self.texture_mode!r:.40}")

    def _check_hair(self) -> None:
        strands, points = self.hair_points.shape[:2]
        if not strands:
            return
        if strands > MOST_STRANDS or not 2 <= points <= MOST_HAIR_POINTS:
            raise Damaged(
                f"'hair_points' has {strands} strands of {points} points; up to {MOST_STRANDS} of "
                f"2 to {MOST_HAIR_POINTS} can be"
            )
        if not 2 <= self.hair_colour.shape[1] <= MOST_HAIR_POINTS:
            raise Damaged(
                f"'hair_colour' has {self.hair_colour.shape[1]} colours a strand; 2 to "
                f"{MOST_HAIR_POINTS} can be"
            )
        if np.abs(self.hair_points).max() > LONGEST_HAIR_MM:
            raise Damaged(f"'hair_points' is more than {LONGEST_HAIR_MM:.0f} mm from the head")
        if min(self.hair_radius.min(), self.hair_colour.min()) < 0:
            raise Damaged("'hair_radius' or 'hair_colour' has a number below 0")
        if self.hair_kind.size not in (0, strands):
            raise Damaged(f"'hair_kind' has {self.hair_kind.size} numbers for {strands} strands")
        if self.hair_kind.size and self.hair_kind.max() >= len(HAIR_KINDS):
            raise Damaged(f"'hair_kind' names kind {self.hair_kind.max()} of {len(HAIR_KINDS)}")
