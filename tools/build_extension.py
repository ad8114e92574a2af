"""The extension's zips, and the list that makes a folder of them an extension repository.

    .venv/bin/python tools/build_extension.py                 dist/reconstruct_face-VERSION.zip
    .venv/bin/python tools/build_extension.py --full --platform linux-x64 --python 3.13
    .venv/bin/python tools/build_extension.py --index /srv/extensions

The thin zip downloads the backend's packages when the backend is set up; the full one brings them
along, for one platform and one version of Blender's Python (3.11 up to Blender 5.0, then 3.13).
Both bring pip, which some Pythons lack.  Blender's own tool packs, checks and lists them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from reconstruct_face.scene.installation.pip import BUNDLE
from reconstruct_face.scene.installation.requirements import PROCESSOR, PYTHONS, Requirements

ROOT = Path(__file__).resolve().parents[1]

#: What everybody downloads at every update.
LARGEST_THIN_MB = 40
#: What pip calls the platforms, best first, and their values of the lock file's markers.
PLATFORMS = {
    "linux-x64": (
        [f"manylinux_2_{minor}_x86_64" for minor in range(28, 16, -1)] + ["manylinux2014_x86_64"],
        {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    ),
    "windows-x64": (
        ["win_amd64"],
        {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
    ),
    "macos-arm64": (
        [f"macosx_{x}_0_{kind}" for x in range(14, 10, -1) for kind in ("arm64", "universal2")],
        {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    ),
}  # fmt: skip
#: Which official Blenders have which Python, as lines for the manifest.
BLENDERS = {"3.11": 'blender_version_max = "5.1.0"', "3.13": 'blender_version_min = "5.1.0"'}


class BuildError(Exception):
    """What stops a build, in one sentence."""


def build_thin(out: Path) -> Path:
    """``out``/ID-VERSION.zip."""
    with tempfile.TemporaryDirectory() as scratch:
        stage = _stage(Path(scratch))
        _download(["pip"], stage / "wheels", ["--no-deps"])
        path = _pack(stage, out / f"{_name()}.zip")
    megabytes = path.stat().st_size / 1e6
    if megabytes > LARGEST_THIN_MB:
        path.unlink()
        raise BuildError(
            f"The thin zip would have {megabytes:.1f} MB, more than {LARGEST_THIN_MB}: see what is "
            "new in it, and exclude it in blender_manifest.toml."
        )
    return path


def build_full(
    out: Path,
    platform: str,
    python: str,
    *,
    requirements: Requirements = PROCESSOR,
    options: Sequence[str] = (),
) -> Path:
    """``out``/ID-VERSION-PLATFORM-pyPYTHON.zip, with the wheels of ``requirements``.

    ``options`` are given to pip, for instance an extra package index.
    """
    with tempfile.TemporaryDirectory() as scratch:
        stage = _stage(Path(scratch))
        wheels = stage / "wheels"
        _download(["pip"], wheels, ["--no-deps"])
        by_hash = ["--no-deps", "--require-hashes", *options]
        if requirements.build is not None:
            _download(["--requirement", str(requirements.build)], wheels, by_hash)
        # The lock is complete, and pip would resolve its markers for the Python that it runs in.
        pinned = _pinned(requirements, platform, python)
        lists = {True: Path(scratch) / "source.txt", False: Path(scratch) / "ready.txt"}
        for path in lists.values():
            path.touch()
        for name, line in pinned.items():
            with lists[_source_only(name, requirements)].open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        if lists[True].stat().st_size:
            # As source: no hash would vouch for a wheel that is built here.
            source = [*by_hash, "--no-build-isolation", "--no-binary", ":all:"]
            _download(["--requirement", str(lists[True])], wheels, source)
        target = [*by_hash, "--only-binary", ":all:"]
        target += ["--implementation", "cp", "--python-version", python]
        for tag in PLATFORMS[platform][0]:
            target += ["--platform", tag]
        _download(["--requirement", str(lists[False])], wheels, target)
        bundle = {"python": python, "platform": platform, "digest": requirements.digest()}
        (wheels / BUNDLE).write_text(json.dumps(bundle), encoding="utf-8")
        _restrict(stage / "blender_manifest.toml", platform, python)
        return _pack(stage, out / f"{_name()}-{platform}-py{python}.zip")


def write_index(folder: Path) -> Path:
    """``folder``/index.json, of all zips in it: a static extension repository."""
    said = _blender_ext("server-generate", "--repo-dir", str(folder))
    if "duplicate" in said:
        raise BuildError(
            f"{folder} has several zips for the same Blender and platform, of which Blender would "
            "take any; keep either the thin zip there, or one full zip for each."
        )
    return folder / "index.json"


def _name() -> str:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    return f"{manifest['id']}-{manifest['version']}"


def _stage(folder: Path) -> Path:
    """What belongs into the zip, by Blender's own rules, unpacked."""
    first = _pack(ROOT, folder / "first.zip")
    stage = folder / "stage"
    with zipfile.ZipFile(first) as archive:
        archive.extractall(stage)
    (stage / "wheels").mkdir()
    return stage


def _restrict(manifest: Path, platform: str, python: str) -> None:
    """Say in the manifest whom the wheels are for.

    They stay out of the manifest's own ``wheels``: what is listed there, Blender installs into its
    own Python, where all add-ons share it.  These are for the backend's environment.
    """
    lines = manifest.read_text(encoding="utf-8").splitlines()
    blender = BLENDERS.get(python, "")
    key = blender.split(" ")[0]
    lines = [line for line in lines if not key or not line.startswith(f"{key} ")]
    first_table = next(number for number, line in enumerate(lines) if line.startswith("["))
    lines[first_table:first_table] = [f'platforms = ["{platform}"]', blender, ""]
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _pinned(requirements: Requirements, platform: str, python: str) -> dict[str, str]:
    """The lock file's entries for a platform and Python by name: version and hashes."""
    values = {
        **PLATFORMS[platform][1],
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    found: dict[str, str] = {}
    for entry in requirements.entries():
        first, *hashes = re.split(r"\s*\\\n\s*", entry)
        one = Requirement(first)
        if one.marker is None or one.marker.evaluate(values):
            if one.name in found:
                raise BuildError(f"The lock file names {one.name} twice for {platform}.")
            found[one.name] = " ".join([f"{one.name}{one.specifier}", *hashes])
    return found


def _source_only(name: str, requirements: Requirements) -> bool:
    return name.lower().replace("_", "-") in requirements.source_only


def _download(names: Sequence[str], folder: Path, options: Sequence[str]) -> None:
    _pip("download", "--dest", str(folder), *options, *names)


def _pip(*arguments: str) -> None:
    _run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], "pip")


def _pack(source: Path, out: Path) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    _blender_ext("build", "--source-dir", str(source), "--output-filepath", str(out))
    _blender_ext("validate", str(out))
    return out


def _blender_ext(*arguments: str) -> str:
    """Run Blender's own tool; returns what it said."""
    spec = importlib.util.find_spec("bpy")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for script in Path(folder).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            return _run([sys.executable, str(script), *arguments], "Blender's tool")
    raise BuildError(
        "Blender's module has no tool for extensions; run this with the .venv's Python."
    )


def _run(command: Sequence[str], who: str) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        last = [line for line in done.stdout.splitlines() if line.strip()][-3:]
        raise BuildError(f"{who} failed: {' / '.join(last)}")
    return done.stdout


def main(argv: Sequence[str] | None = None) -> int:
    """Build what is asked for; 1 when that fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    first, last = PYTHONS
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the zip")
    parser.add_argument("--full", action="store_true", help="bring the backend's packages along")
    parser.add_argument("--platform", choices=PLATFORMS, default="linux-x64")
    parser.add_argument(
        "--python",
        choices=[f"3.{minor}" for minor in range(first[1], last[1] + 1)],
        default="3.11",
        help="version of Blender's Python",
    )
    parser.add_argument("--extra-index", metavar="ADDRESS", help="a further package index")
    parser.add_argument(
        "--index", type=Path, metavar="FOLDER", help="put the zip there and list all in index.json"
    )
    args = parser.parse_args(argv)
    options = ["--extra-index-url", args.extra_index] if args.extra_index else []
    out = (args.index or args.out).resolve()
    try:
        if args.full:
            path = build_full(out, args.platform, args.python, options=options)
        else:
            path = build_thin(out)
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
        if args.index:
            print(write_index(out))
    except (BuildError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
