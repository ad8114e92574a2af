"""Send the pictures of a folder to a Flamenco Manager as a job of ``reconstruct-faces.js``.

    python examples/flamenco/submit.py http://manager:8080 photos/ -o out/ --python .venv/bin/python

Any Python 3.10 or later; all paths have to be the same on all workers.  Options of
``examples/03_folder.py`` come after ``--``.
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).resolve().parents[1] / "03_folder.py"
FORMATS = SCRIPT.parents[1] / "backend" / "exchange" / "formats.py"


def is_picture() -> Callable[[str], bool]:
    """Tells pictures by their names; the module that has it needs nothing else of the project."""
    return runpy.run_path(str(FORMATS))["names_picture"]


def job_of(
    photos: Path, out: Path, python: Path, options: list[str], chunk_size: int
) -> dict[str, Any]:
    """The job as the Manager takes it; absolute paths."""
    is_photo = is_picture()
    pictures = sorted(p for p in photos.absolute().iterdir() if is_photo(p.name))
    return {
        "name": f"Heads of {photos.name}",
        "type": "reconstruct-faces",
        "priority": 50,
        "submitter_platform": {"win32": "windows"}.get(sys.platform, sys.platform),
        "metadata": {"project": photos.name},
        "settings": {
            "photos": "\n".join(map(str, pictures)),
            "out": str(out.absolute()),
            "script": str(SCRIPT),
            "python": str(python.absolute()),
            "options": "\n".join(options),
            "chunk_size": chunk_size,
        },
    }


def main(arguments: list[str]) -> int:
    """Send the job and print what the Manager says."""
    parser = argparse.ArgumentParser(prog="submit.py", description=__doc__.splitlines()[0])
    parser.add_argument("manager", help="the Manager's address: http://HOST:8080")
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("-o", "--out", type=Path, default=Path("out"), help="output folder")
    parser.add_argument("--python", type=Path, required=True, help="the backend's Python")
    parser.add_argument("--chunk-size", type=int, default=10, help="photos in a task (10)")
    own, options = arguments, []
    if "--" in arguments:
        place = arguments.index("--")
        own, options = arguments[:place], arguments[place + 1 :]
    args = parser.parse_args(own)
    job = job_of(args.photos, args.out, args.python, options, args.chunk_size)
    if not job["settings"]["photos"]:
        parser.error(f"there is no picture in {args.photos}")
    request = urllib.request.Request(
        f"{args.manager.rstrip('/')}/api/v3/jobs",
        json.dumps(job).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        print(f"Job {json.load(answer)['id']}: see {args.manager}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
