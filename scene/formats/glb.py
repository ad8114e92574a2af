"""What Blender's glTF exporter (4.2 to 5.2) writes, made smaller and put right.

* Morph targets: normals that change by less than can be seen are numerical noise, but they are most
  of the file.  They become 0, and what is left is stored as the glTF specification's sparse
  accessors; targets that leave a part of the head alone share one accessor without any bytes.
* Times: the exporter takes ``fps * fps_base`` for the rate, where it is the quotient: at 29.97
  frames a second an animation is 0.2 percent too fast, and runs away from its sound.
* Shapes of a head that does not move are told here: the exporter takes ten times as long to find
  them, one by one, as to write all else.
* Names: scene and clip get that of the head.
* If asked for: numbers in fewer bits, see ``quantised.py``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import quantised
from .quantised import Stored

#: Ends the names of cards of hair and of what belongs to them.
HAIR_CARDS = "hair cards"
_HEADER, _CHUNK = 12, 8
_FLOAT, _SHORT, _INT = 5126, 5123, 5125
_VERTICES = 34962  # of a buffer view: it holds vertices' attributes
_KINDS = {_FLOAT: "<f4", _SHORT: "<u2", _INT: "<u4", 5121: "u1"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
#: Of a unit normal (0.06 degrees, a quarter of what eight bits of colour show) and of a position
#: in metres: what a shape changes by less counts as nothing.
_NOISE = {"NORMAL": 1e-3, "POSITION": 1e-6}
#: The same where a file should be small and not be rounded: about what ``quantised.py`` rounds by.
_COARSE = {"NORMAL": 4e-3, "POSITION": 2e-5}
#: A ratio of times this close to 1 is what the exporter's own 32 bits give.
_CLOSE = 1e-5


#: Vertex attribute that says which of the mesh's vertices one is; not part of the finished file.
VERTEX = "_VERTEX"


@dataclass(frozen=True, eq=False)
class Shapes:
    """The morph targets of a mesh of V vertices, y up, metres."""

    names: tuple[str, ...]  #: (E,)
    weights: tuple[float, ...]  #: (E,) how far each is on
    positions: NDArray[np.float32]  #: (E, V, 3) what each adds to the vertices
    normals: NDArray[np.float32]  #: (E, V, 3) and to their unit normals


@dataclass(frozen=True)
class Picture:
    """A picture as the file shall have it."""

    name: str
    data: bytes  #: of a PNG or a JPEG

    def entry(self, view: int) -> dict[str, Any]:
        """Of the file's ``images``, with its bytes in a ``view``."""
        kind = "image/jpeg" if self.data.startswith(b"\xff\xd8") else "image/png"
        return {"bufferView": view, "mimeType": kind, "name": self.name}


@dataclass
class Glb:
    """A .glb file: its JSON and its binary chunk."""

    document: dict[str, Any]
    blob: bytearray

    @classmethod
    def read(cls, path: Path) -> Glb:
        """The file ``path``, one that Blender's exporter wrote."""
        data = path.read_bytes()
        (size,) = struct.unpack_from("<I", data, _HEADER)
        begins = _HEADER + _CHUNK
        document = json.loads(data[begins : begins + size])
        return cls(document, bytearray(data[begins + size + _CHUNK :]))

    def write(self, path: Path) -> None:
        """Write the file anew."""
        text = json.dumps(self.document, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 4)
        body = bytes(self.blob) + bytes(-len(self.blob) % 4)
        size = _HEADER + 2 * _CHUNK + len(text) + len(body)
        path.write_bytes(
            struct.pack("<4sII", b"glTF", 2, size)
            + struct.pack("<I4s", len(text), b"JSON") + text
            + struct.pack("<I4s", len(body), b"BIN\0") + body
        )  # fmt: skip

    def view(self, index: int) -> bytes:
        """The bytes of a buffer view."""
        view = self.document["bufferViews"][index]
        start = view.get("byteOffset", 0)
        return bytes(self.blob[start : start + view["byteLength"]])

    def replace(self, index: int, data: bytes) -> None:
        """Put ``data`` in place of the bytes of a buffer view."""
        views = self.document["bufferViews"]
        parts = [data if n == index else self.view(n) for n in range(len(views))]
        self.blob = bytearray()
        for view, part in zip(views, parts, strict=True):
            self.blob += bytes(-len(self.blob) % 4)
            view |= {"byteOffset": len(self.blob), "byteLength": len(part)}
            self.blob += part
        self.document["buffers"] = [{"byteLength": len(self.blob)}]

    def numbers(self, index: int) -> NDArray:
        """(count, width) what the accessor ``index`` holds, dense or sparse."""
        accessor = self.document["accessors"][index]
        shape = accessor["count"], _WIDTHS[accessor["type"]]
        kind = _KINDS[accessor["componentType"]]
        found = np.zeros(shape, kind)
        if "bufferView" in accessor:
            data = self.view(accessor["bufferView"])
            start = accessor.get("byteOffset", 0)
            found[:] = np.frombuffer(data, kind, found.size, start).reshape(shape)
        if sparse := accessor.get("sparse"):
            count, indices = sparse["count"], sparse["indices"]
            where = np.frombuffer(
                self.view(indices["bufferView"]), _KINDS[indices["componentType"]], count
            )
            values = np.frombuffer(
                self.view(sparse["values"]["bufferView"]), kind, count * shape[1]
            )
            found[where] = values.reshape(count, -1)
        return found


def mend(
    path: Path,
    name: str,
    seconds: float | None = None,
    *,
    compact: bool = False,
    shapes: Shapes | None = None,
    widely: bool = False,
    pictures: Mapping[str, Picture] | None = None,
) -> None:
    """Do to the file ``path`` what the module says.

    ``name``: of scene and clip; ``seconds``: how long the clip lasts, if there is one; ``compact``:
    round the numbers of surfaces and shapes; ``shapes``: those of the mesh whose vertices have
    :data:`VERTEX`; ``pictures``: what comes in place of the images of these names.

    ``widely``: sparse accessors get the zeros that they change as bytes of the file, which they may
    do without, but Godot before 4.1 takes the file's first bytes then (godotengine/godot, pull
    request 76875); what shapes change by less than 0.02 mm or 0.2 degrees counts as nothing.
    """
    glb = Glb.read(path)
    for scene in glb.document["scenes"]:
        scene["name"] = name
    for clip in glb.document.get("animations", ()):
        clip["name"] = name
    for material in glb.document.get("materials", ()):
        # Blended, cards of hair would be drawn in the wrong order.
        if material.get("name", "").endswith(HAIR_CARDS) and "alphaMode" in material:
            material |= {"alphaMode": "MASK", "alphaCutoff": 0.5, "doubleSided": True}
    if seconds is not None:
        _retime(glb, seconds)
    _rebuild(glb, _Writer(glb, compact, widely), shapes, pictures or {})
    glb.write(path)


def _retime(glb: Glb, seconds: float) -> None:
    """Scale the times so that the animation lasts ``seconds``, if it does not yet."""
    samplers = [s for a in glb.document.get("animations", ()) for s in a["samplers"]]
    inputs = sorted({sampler["input"] for sampler in samplers})
    accessors = [glb.document["accessors"][i] for i in inputs]
    lasts = max((accessor["max"][0] for accessor in accessors), default=0.0)
    if lasts <= 0 or abs(seconds / lasts - 1) < _CLOSE:
        return
    for index, accessor in zip(inputs, accessors, strict=True):
        assert accessor["componentType"] == _FLOAT
        times = (glb.numbers(index) * (seconds / lasts)).astype("<f4")
        start = glb.document["bufferViews"][accessor["bufferView"]].get("byteOffset", 0)
        start += accessor.get("byteOffset", 0)
        glb.blob[start : start + times.nbytes] = times.tobytes()
        accessor["min"], accessor["max"] = [float(times.min())], [float(times.max())]


class _Writer:
    """Accessors, views and bytes gathered anew, so that nothing unused stays."""

    def __init__(self, old: Glb, compact: bool, widely: bool = False) -> None:
        self.old, self.compact, self.widely = old, compact, widely
        self.noise = _COARSE if widely else _NOISE
        self.zeros: int | None = None  #: the view with the zeros that shapes change, if it is there
        self.rounds = False  #: whether numbers were rounded
        self.accessors: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self.blob = bytearray()
        self._moved: dict[int, int] = {}
        self._views: dict[int, int] = {}
        self._zeros: dict[tuple[int, bool], int] = {}

    def view(self, data: bytes, **about: Any) -> int:
        self.blob += bytes(-len(self.blob) % 4)
        told = {"buffer": 0, "byteLength": len(data), "byteOffset": len(self.blob)}
        self.views.append(told | about)
        self.blob += data
        return len(self.views) - 1

    def add_zeros(self, vertices: int) -> None:
        """Zeros for shapes of as many ``vertices`` at most."""
        self.zeros = self.view(bytes(12 * vertices), target=_VERTICES, byteStride=12)

    def kept_view(self, index: int) -> int:
        if index not in self._views:
            about = self.old.document["bufferViews"][index]
            kept = {key: about[key] for key in ("target", "byteStride") if key in about}
            self._views[index] = self.view(self.old.view(index), **kept)
        return self._views[index]

    def kept(self, index: int) -> int:
        """The accessor ``index`` as it is."""
        if index not in self._moved:
            accessor = dict(self.old.document["accessors"][index])
            if "bufferView" in accessor:
                accessor["bufferView"] = self.kept_view(accessor["bufferView"])
            assert "sparse" not in accessor
            self._moved[index] = self._add(accessor)
        return self._moved[index]

    def attribute(self, key: str, index: int) -> int:
        """The accessor ``index`` of vertices' ``key``: as it is, or rounded."""
        old = self.old.document["accessors"][index]
        if index in self._moved or not self.compact or old["componentType"] != _FLOAT:
            return self.kept(index)
        stored = quantised.rest(key, self.old.numbers(index))
        if not stored.rounded:
            return self.kept(index)
        accessor = _about(stored) | {"type": old["type"]}
        if key == "POSITION":
            accessor |= _bounds(stored.values)
        accessor["bufferView"] = self._dense(stored)
        self.rounds = True
        self._moved[index] = self._add(accessor)
        return self._moved[index]

    def stored(self, key: str, values: NDArray) -> Stored:
        """(V, 3) what a target adds to ``key``, as it will be written."""
        if not self.compact:
            return Stored(values)
        stored = quantised.change(key, values)
        self.rounds |= stored.rounded
        return stored

    def morph(self, stored: Stored, bounded: bool) -> int:
        """A target's differences, in as few bytes as they need; with bounds."""
        values = stored.values
        where = _changed(values)
        accessor = _about(stored) | {"type": "VEC3"}
        if bounded:
            # Of what is changed and, where that is not all, nothing.
            told = values[where]
            if len(where) < len(values):
                told = np.concatenate([told, np.zeros((1, 3), values.dtype)])
            accessor |= _bounds(told)
        if self.zeros is not None:
            accessor["bufferView"] = self.zeros
        if not len(where):
            shared = (len(values), bounded)
            if shared not in self._zeros:
                self._zeros[shared] = self._add(accessor)
            return self._zeros[shared]
        kind = _SHORT if len(values) <= 1 << 16 else _INT
        indices = where.astype(_KINDS[kind]).tobytes()
        if len(indices) + stored.element * len(where) < stored.stride * len(values):
            accessor["sparse"] = {
                "count": len(where),
                "indices": {"bufferView": self.view(indices), "componentType": kind},
                "values": {"bufferView": self.view(values[where].tobytes())},
            }
        else:
            accessor["bufferView"] = self._dense(stored)
        return self._add(accessor)

    def _dense(self, stored: Stored) -> int:
        padded = {"byteStride": stored.stride} if stored.stride != stored.element else {}
        return self.view(stored.dense(), target=_VERTICES, **padded)

    def _add(self, accessor: dict[str, Any]) -> int:
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _about(stored: Stored) -> dict[str, Any]:
    """What an accessor says of its numbers."""
    found: dict[str, Any] = {"componentType": stored.component, "count": len(stored.values)}
    if stored.rounded:
        found["normalized"] = True
    return found


def _bounds(values: NDArray) -> dict[str, Any]:
    """The least and the largest of ``values`` (N, width), which are steps if the accessor's are."""
    return {"min": values.min(0).tolist(), "max": values.max(0).tolist()}


def _changed(values: NDArray) -> NDArray[np.intp]:
    """The rows of ``values`` (N, 3) that are not 0.

    Column by column: numpy's ``any`` along an axis of three takes three times as long.
    """
    there = values != 0
    return np.flatnonzero(there[:, 0] | there[:, 1] | there[:, 2])


def _rebuild(
    glb: Glb, new: _Writer, shapes: Shapes | None, pictures: Mapping[str, Picture]
) -> None:
    """Write the morph targets sparse and everything else as it is, or rounded."""
    document = glb.document
    if new.widely and not new.compact:
        found = [p["attributes"]["POSITION"] for m in document["meshes"] for p in m["primitives"]]
        new.add_zeros(max(document["accessors"][index]["count"] for index in found))
    for mesh in document["meshes"]:
        for primitive in mesh["primitives"]:
            found = primitive["attributes"]
            targets = [
                {key: glb.numbers(index).copy() for key, index in one.items()}
                for one in primitive.get("targets", ())
            ]
            if shapes is not None and VERTEX in found:
                targets = _shapes_of(shapes, glb.numbers(found[VERTEX])[:, 0].astype(np.intp))
                # It is there for this only, and the user's own were not asked for.
                found = {key: index for key, index in found.items() if not key.startswith("_")}
                if targets:
                    mesh["weights"] = list(shapes.weights)
                    mesh.setdefault("extras", {})["targetNames"] = list(shapes.names)
            primitive["attributes"] = {
                key: new.attribute(key, index) for key, index in found.items()
            }
            if "indices" in primitive:
                primitive["indices"] = new.kept(primitive["indices"])
            if targets:
                primitive["targets"] = _targets(new, targets)
    for animation in document.get("animations", ()):
        for sampler in animation["samplers"]:
            for end in ("input", "output"):
                sampler[end] = new.kept(sampler[end])
    for skin in document.get("skins", ()):
        if "inverseBindMatrices" in skin:
            skin["inverseBindMatrices"] = new.kept(skin["inverseBindMatrices"])
    for image in document.get("images", ()):
        picture = pictures.get(image["name"])
        if picture is None:
            image["bufferView"] = new.kept_view(image["bufferView"])
        else:
            image |= picture.entry(new.view(picture.data))
    document["accessors"], document["bufferViews"] = new.accessors, new.views
    document["buffers"] = [{"byteLength": len(new.blob)}]
    if new.rounds:
        for told in ("extensionsUsed", "extensionsRequired"):
            document.setdefault(told, []).append(quantised.NAME)
    glb.blob = new.blob


def _shapes_of(shapes: Shapes, vertices: NDArray[np.intp]) -> list[dict[str, NDArray]]:
    """What each of ``shapes`` adds to the ``vertices`` (N,) of a primitive, (N, 3) by attribute."""
    both = zip(shapes.positions, shapes.normals, strict=True)
    return [{"POSITION": place[vertices], "NORMAL": normal[vertices]} for place, normal in both]


def _targets(new: _Writer, targets: list[dict[str, NDArray]]) -> list[dict[str, int]]:
    """The morph targets of one primitive, all of the same attributes as viewers expect it."""
    found = [
        {
            key: new.stored(key, _without_noise(new.noise, key, values))
            for key, values in one.items()
        }
        for one in targets
    ]
    # Normals that no shape changes, as those of rigid parts, need not be told.
    kept = {key for one in found for key in one if key == "POSITION" or one[key].values.any()}
    return [
        {key: new.morph(stored, key == "POSITION") for key, stored in one.items() if key in kept}
        for one in found
    ]


def _without_noise(noise: dict[str, float], key: str, values: NDArray) -> NDArray:
    values[np.einsum("nk,nk->n", values, values) < noise.get(key, 0.0) ** 2] = 0
    return values
