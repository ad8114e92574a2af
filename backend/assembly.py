"""A fit of a face, with its texture, as the :class:`Reconstruction` that crosses to Blender."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clock import Clock
from .exchange import MaterialSlot, Reconstruction
from .exchange.hair import as_bytes, on_steps
from .exchange.options import Options
from .exchange.reconstruction import BUST, HAIR_KINDS
from .exchange.views import PhotoView
from .fit import Evidence, FaceFit
from .fit.confidence import confidence_of, warnings_of
from .fit.faces import default_predictor
from .geometry.polylines import of_count
from .geometry.triangles import angle_weighted_normals
from .hair import SeenHair, Strands, make_beard, make_brows, make_hair, see_hair
from .hair.outline import turn_of
from .kept import kept
from .model import FaceModel
from .model.bust import Bust, load_bust
from .model.contour import landmark_points
from .model.own import OwnHead, own_head
from .photo.encode import decode, encode_jpeg, encode_png
from .texture import (
    Shot,
    Texture,
    build_texture_of,
    fold_parts,
    fold_picture,
    skin_maps,
    wrinkle_pictures,
)
from .texture.bust import bust_normals, bust_texture
from .texture.layout import layout_of

#: Strands by their kind, and sentences about what stood in their way.
Hair = tuple[Mapping[str, Strands], tuple[str, ...]]
_SHUFFLED = 13
_NO_DETAIL = "The detail of skin is read from the texture; without one there is none."


def texture_of(
    evidence: Evidence,
    model: FaceModel,
    fit: FaceFit,
    options: Options,
    hair: Callable[[], SeenHair | None] | None = None,
) -> Texture | None:
    """The texture of one fit to one photo; None where none is wanted.

    ``hair`` gives what :func:`hair_seen` does: asked as late as can be, that it can be looked for
    meanwhile.
    """
    if options.texture == "none":
        return None
    shot = partial(shot_of, evidence, model, fit, hair=hair)
    return shared_texture([shot], model, fit, options)[0]


def hair_seen(
    evidence: Evidence, model: FaceModel, fit: FaceFit, options: Options
) -> SeenHair | None:
    """What hair the photo shows; None where the head is to have none."""
    if options.hair == "none":
        return None
    posed = fit.camera.to_camera(own_head(model, fit.identity, fit.expression).posed)
    return see_hair(
        model, evidence.photo.pixels, posed, fit.camera.camera_matrix, options.texture_size
    )


def shot_of(
    evidence: Evidence,
    model: FaceModel,
    fit: FaceFit,
    weight: float = 1.0,
    hair: Callable[[], SeenHair | None] | None = None,
) -> Shot:
    """A photo and how the head of ``fit`` stands in it; ``weight`` as of :class:`Shot`, ``hair`` as
    of :func:`texture_of`."""
    camera = fit.camera
    head = own_head(model, fit.identity, fit.expression)

    def under_hair() -> NDArray | None:
        seen = hair() if hair is not None else None
        return None if seen is None else seen.over(model, camera.to_camera(head.posed))

    return Shot(
        evidence.photo.pixels,
        head.posed,
        camera.camera_matrix,
        camera.rotation,
        camera.translation,
        landmarks2d=fit.observed,
        grey=evidence.photo.grey,
        covered=None if evidence.covering is None else evidence.covering.photo,
        vertices_neutral=head.neutral,
        weight=weight,
        under_hair=under_hair,
    )


def shared_texture(
    shots: Sequence[Callable[[], Shot]], model: FaceModel, fit: FaceFit, options: Options
) -> tuple[Texture, NDArray[np.float32]]:
    """One texture of all ``shots``, and the light of each (N, 9, 3); see
    :func:`~.texture.build_texture_of`.  ``fit`` is that of the first one.

    Raises ValueError where ``options`` want no texture.
    """
    size = options.texture_size
    texture, lights = build_texture_of(
        model, shots, mode=options.texture, size=size, relief=options.detail
    )
    if texture.folds is None:
        return texture, lights
    head = own_head(model, fit.identity, fit.expression)
    known = (head.neutral, head.expression_basis, fit.expression)
    parts = fold_parts(model, size, texture.folds, *known)
    return replace(texture, fold_parts=parts), lights


def hair_of(
    evidence: Evidence,
    model: FaceModel,
    fit: FaceFit,
    texture: Texture | None | Callable[[], Texture | None],
    options: Options,
    seen: SeenHair | None = None,
) -> Hair:
    """The strands that the options ask for, by ``HAIR_KINDS``: see :func:`.hair.make_hair`,
    :func:`.hair.make_brows` and :func:`.hair.make_beard`.

    ``texture``, or what gives it: the head's hair grows before that is asked, for its light, and
    brows and beard beside it.  ``seen`` is what :func:`hair_seen` gave, if that was asked.
    """
    if options.hair == "none":
        return {}, ()
    head = own_head(model, fit.identity, fit.expression)

    def made() -> Texture | None:
        return texture() if callable(texture) else texture

    def light() -> NDArray:
        # Where the texture holds the light, the head is lit evenly, and so is its hair.
        if options.texture == "photo":
            return np.zeros((9, 3), np.float32)
        painted = made()
        return fit.sh_light if painted is None else painted.sh_light

    with ThreadPoolExecutor(1) as beside:
        short = beside.submit(lambda: _short_hair(evidence, model, fit, head, made(), options))
        found, said = _head_hair(evidence, model, fit, head, light, options, seen)
    strands = {"hair": found, **short.result()}
    return {kind: one for kind, one in strands.items() if one is not None}, said


def _short_hair(
    evidence: Evidence,
    model: FaceModel,
    fit: FaceFit,
    head: OwnHead,
    texture: Texture | None,
    options: Options,
) -> dict[str, Strands | None]:
    """Brows and beard, as far as the options ask for them."""
    found: dict[str, Strands | None] = {}
    if texture is None:
        return found
    layout = layout_of(model, options.texture_size)
    if options.brows:
        turn = turn_of(fit.camera)
        found["brows"] = make_brows(model, layout, head.neutral, texture.image, turn)
    if options.beard:
        lit = options.texture == "photo"
        shot = shot_of(evidence, model, fit)
        shading = fit.sh_light if lit else texture.sh_light
        found["beard"] = make_beard(model, layout, shot, shading, lit=lit)
    return found


def _head_hair(
    evidence: Evidence,
    model: FaceModel,
    fit: FaceFit,
    head: OwnHead,
    light: Callable[[], NDArray],
    options: Options,
    seen: SeenHair | None,
) -> tuple[Strands | None, tuple[str, ...]]:
    return make_hair(
        model,
        evidence.photo.pixels,
        head.neutral,
        head.posed,
        fit.camera,
        light,
        options.hair,
        options.texture_size,
        density=options.hair_density / 100,
        length=options.hair_length / 100,
        colour=None if options.hair_colour == "photo" else options.hair_colour,
        shown=seen,
    )


def assemble(
    evidence: Evidence,
    model: FaceModel,
    fit: FaceFit,
    texture: Texture | None,
    options: Options,
    clock: Clock | None = None,
    hair: Hair = ({}, ()),
    pictures: Mapping[str, NDArray] | None = None,
) -> Reconstruction:
    """The :class:`Reconstruction` of what was found about a face; ``clock`` timed it so far.

    ``hair`` is what :func:`hair_of` gave, ``pictures`` what :func:`pictures_of`, if it was asked.
    """
    photo = evidence.photo
    clock = Clock() if clock is None else clock.copy()
    confidence = confidence_of(evidence, fit)
    warnings = (*photo.notes, *confidence.reasons, *warnings_of(evidence, fit))
    warnings += texture.warnings if texture else ()
    strands, about_hair = hair
    warnings += about_hair
    if options.detail and texture is None:
        warnings += (_NO_DETAIL,)
    head = own_head(model, fit.identity, fit.expression)
    with clock("encode"):
        pictures = pictures or pictures_of(evidence, model, fit, texture)
    more = _of_photo(evidence, model, fit, head)
    more.update(pictures)
    if strands:
        more.update(_hair(model, strands))
    made = Reconstruction(
        vertices_neutral=head.neutral,
        vertices_posed=head.posed,
        faces=model.faces,
        polygons=model.polygons,
        polygon_material=model.polygon_material,
        uv=model.uv,
        uv_polygons=model.uv_polygons,
        identity=fit.identity,
        expression_names=model.expression_names,
        expression_range=model.expression_range,
        expression_basis=head.expression_basis,
        albedo=texture.albedo_coefficients if texture else fit.albedo,
        sh_light=texture.sh_light if texture else fit.sh_light,
        texture_mode=options.texture,
        materials=tuple(MaterialSlot(kind, kind) for kind in model.material_kinds),
        model={
            "name": model.name,
            "version": model.header["version"],
            "licence": model.header["licence"],
            "sha256": model.header["sha256"],
        },
        warnings=warnings,
        timings=clock.seconds,
        versions=_versions(),
        provenance={
            "options": asdict(options),
            "estimate": fit.source,
            "confidence": round(confidence.score, 3),
            "licences": {
                "face model": model.header["licence"],
                **({"landmarks": default_predictor().licence} if options.landmarks else {}),
            },
        },
        **regions_of(model),
        **more,
    ).validate()
    if not options.bust:
        return made
    return with_bust(made, model, texture.image if texture else None)


def pictures_of(
    evidence: Evidence, model: FaceModel, fit: FaceFit, texture: Texture | None
) -> dict[str, NDArray]:
    """The pictures of a :class:`Reconstruction`, encoded, and what goes with its maps, by the names
    of its fields."""
    with ThreadPoolExecutor(1) as beside:
        # OpenCV lets go of the GIL, and all others together take as long as this one.
        image = None if texture is None else beside.submit(encode_png, texture.image)
        found: dict[str, NDArray] = {
            "photo": encode_jpeg(evidence.photo.pixels),
            "crop": encode_png(fit.crop.image),
        }
        if texture is not None:
            found |= _maps(model, texture)
    found["texture"] = np.empty(0, np.uint8) if image is None else image.result()
    return found


def regions_of(model: FaceModel) -> dict[str, Any]:
    """The model's masks of the skin, by the names of ``Reconstruction``."""
    names = tuple(name for name in REGIONS if name in model.mask_names)
    masks = [model.vertex_masks[model.mask_names.index(name)] for name in names]
    return {"regions": np.stack(masks), "region_names": names} if names else {}


def view_of_fit(evidence: Evidence, model: FaceModel, fit: FaceFit, weight: float) -> PhotoView:
    """A further photo of the person whose head is fitted to it; ``weight`` as the view has it."""
    head = own_head(model, fit.identity, fit.expression)
    return PhotoView(
        **_of_photo(evidence, model, fit, head),
        sh_light=fit.sh_light,
        photo=encode_jpeg(evidence.photo.pixels),
        weight=weight,
    )


def _of_photo(evidence: Evidence, model: FaceModel, fit: FaceFit, head: OwnHead) -> dict[str, Any]:
    """What is known of each photo, by the names that ``Reconstruction`` and ``PhotoView`` share."""
    landmarks = (fit.landmarks3d + _moved_landmarks(model, fit, head)).astype(np.float32)
    return {
        "expression": fit.expression,
        "camera_matrix": fit.camera.camera_matrix,
        "rotation": fit.camera.rotation,
        "translation": fit.camera.translation,
        "image_size": evidence.image_size,
        "landmarks68": fit.landmarks68,
        "landmarks3d": landmarks,
        "landmarks2d": fit.camera.project(landmarks).astype(np.float32),
        "landmarks2d_detected": fit.detected,
        "face_box": np.asarray(evidence.face.detection.box, np.float32),
        "photo_path": str(evidence.photo.path),
        "face_index": evidence.face.number,
    }


#: Masks of a face model that are regions of the skin; others are materials of their own.
REGIONS = ("face", "scalp", "ears", "neck", "brows", "lids", "nose", "lips", "beard")
#: A bust's texture coordinates lie in the next tile: pictures repeat, and places on the head, where
#: strands of hair are rooted, stay unique.
BUST_UV_SHIFT = np.array([1, 0], np.float32)


def with_bust(
    head: Reconstruction, model: FaceModel, image: NDArray[np.uint8] | None = None
) -> Reconstruction:
    """``head``, of the default face ``model``, with neck, shoulders and upper chest below it.

    Vertices, polygons, texture coordinates and a material are appended: what the head's indices
    mean stays.  A bust has the identity's shape only, and no expression.  ``image`` (S, S, 3) is
    the head's texture, where it is at hand.  Raises :class:`ModelError` where ``model`` has none.
    """
    bust, count = load_bust(model), len(head.vertices_neutral)
    below = bust.vertices(head.identity)
    made = replace(
        head,
        vertices_neutral=np.r_[head.vertices_neutral, below],
        vertices_posed=np.r_[head.vertices_posed, below],
        polygons=np.r_[head.polygons, bust.polygons_after(count)],
        polygon_material=np.r_[
            head.polygon_material, np.full(len(bust.polygons), len(head.materials), np.uint8)
        ],
        uv=np.r_[head.uv, bust.uv + BUST_UV_SHIFT],
        uv_polygons=np.r_[head.uv_polygons, bust.polygons + np.int32(len(head.uv))],
        expression_basis=np.concatenate(
            [
                head.expression_basis,
                np.zeros((len(head.expression_basis), len(below), 3), np.float32),
            ],
            axis=1,
        ),
        materials=(*head.materials, MaterialSlot(BUST, BUST)),
        regions=np.pad(head.regions, ((0, 0), (0, len(below) if head.regions.size else 0))),
    )
    return replace(made, **bust_pictures(made, model, image)).validate()


def warm_bust(model: FaceModel, size: int) -> None:
    """Work out what :func:`with_bust` needs and does not depend on the photo."""
    _bust_relief(load_bust(model), size)


@kept(maxsize=2)
def _bust_relief(bust: Bust, size: int) -> NDArray[np.uint8]:
    """The normal map of all busts beside textures of a ``size``, encoded."""
    return encode_jpeg(bust_normals(bust, size))


def bust_pictures(
    head: Reconstruction, model: FaceModel, image: NDArray[np.uint8] | None = None
) -> dict[str, NDArray[np.uint8]]:
    """The pictures of the bust that ``head`` has, encoded, by the names of their fields.

    ``image`` as in :func:`with_bust`.  None where the head has no texture.
    """
    if not head.texture.size:
        return {}
    image = decode(head.texture) if image is None else image
    normals = angle_weighted_normals(head.vertices_posed.astype(np.float64), head.polygons)
    light = head.sh_light if head.texture_mode == "photo" else None
    bust = load_bust(model)
    colour = bust_texture(model, bust, image, head.albedo, normals, light)
    return {
        "bust_texture": encode_png(colour),
        "bust_normal_map": _bust_relief(bust, len(image)),
    }


def _hair(model: FaceModel, strands: Mapping[str, Strands]) -> dict[str, NDArray]:
    """All ``strands``, mixed, by the names of their fields: the first of them stand for all."""
    count, colours = (
        max(getattr(one, name).shape[1] for one in strands.values())
        for name in ("points", "colour")
    )
    rows = []
    for kind, one in strands.items():
        number = np.full(len(one), HAIR_KINDS.index(kind), np.uint8)
        uv = one.root_uv(model.uv, model.uv_faces)
        colour = as_bytes(of_count(one.colour, colours))
        rows.append((on_steps(of_count(one.points, count)), uv, colour, one.radius, number))
    total = sum(map(len, strands.values()))
    # The head's own are in random order already.
    order = np.random.default_rng(_SHUFFLED).permutation(total) if len(rows) > 1 else slice(None)
    names = ("hair_points", "hair_uv", "hair_colour", "hair_radius", "hair_kind")
    return {
        name: np.concatenate(parts)[order]
        for name, parts in zip(names, zip(*rows, strict=True), strict=True)
    }


def _maps(model: FaceModel, texture: Texture) -> dict[str, NDArray]:
    """The maps of the skin, encoded, and what goes with them, by the names of their fields."""
    skin = skin_maps(model, texture.image, texture.coverage, texture.displacement)
    size = len(texture.image)
    maps: dict[str, NDArray] = {
        "normal_map": encode_jpeg(skin.normal),
        "roughness_map": encode_jpeg(skin.roughness),
        "specular_map": encode_jpeg(skin.specular),
    }
    if texture.displacement is not None:
        # Steps of a micrometre, which files hold in a third of the room.
        maps["displacement"] = np.rint(skin.height * 1024).astype(np.float32) / 1024
    wrinkles = wrinkle_pictures(model, size)
    if wrinkles is not None:
        maps["wrinkles_right"], maps["wrinkles_left"] = wrinkles
    if texture.folds is not None and texture.fold_parts is not None and texture.fold_parts.any():
        maps["folds"] = encode_png(fold_picture(model, size, texture.folds))
        maps["fold_parts"] = texture.fold_parts
    return maps


def _moved_landmarks(model: FaceModel, fit: FaceFit, head: OwnHead) -> NDArray:
    """(68, 3) mm by which the landmarks of ``head`` lie elsewhere than those of the fit: its lids
    close by themselves."""
    fitted = model.vertices(fit.identity, fit.expression)
    own, other = (landmark_points(model, v, fit.landmarks68) for v in (head.posed, fitted))
    return own - other


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
