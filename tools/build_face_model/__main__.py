"""Command line of the build."""

from __future__ import annotations

import time

from .assembly import build_model
from .asset_file import write_asset
from .source_data import asked_for


def main() -> None:
    """Builds the model and writes it to the assets folder."""
    started = time.perf_counter()
    source, output = asked_for("python -m tools.build_face_model", __doc__)
    model = build_model(source)
    write_asset(model, source, output)
    print(f"wrote {output / 'face_model.npz'} in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
