"""Inside the Debian folder: starts an X server, installs the extension, runs the scenarios.

    python3 inside.py PROJECT OUT [SCENARIO...]

Each scenario gets a Blender of its own, driven by ``drive.py``.  What is left running after it has
ended is counted here, from outside of Blender.  Standard library only.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SIZE = (1600, 900)

#: Seconds for one scenario; software OpenGL on a busy machine is slow.
LIMIT = float(os.environ.get("REAL_BLENDER_LIMIT", "900"))

#: In the order they are run; each is a function of ``scenarios.py`` or one of the modules named
#: like it, but the last, which has no window: see ``repository.py``.
ALL = ("journey", "photo_view", "landmarks", "faces", "pasted", "cancel", "killed", "hung",
       "photo_gone", "two_heads", "verify", "new_file", "animation", "looking", "elsewhere",
       "landmark_buttons", "opened", "person", "live", "rig", "targets", "own_mesh",
       "closed", "crashed", "repository")  # fmt: skip


def main(project: Path, out: Path, names: list[str]) -> int:
    """Run the scenarios ``names``; the exit status."""
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"There is no scenario {', '.join(unknown)}; there are {', '.join(ALL)}.")
        return 2
    server = start_display()
    os.environ["BLENDER_USER_RESOURCES"] = str(out / "blender")
    results: dict[str, Any] = {"blender": blender_version(), "scenarios": {}}
    try:
        results["installed"] = install(project, out)
        results["keyframes"] = keyframes(project)
        for name in names or ALL:
            doing = repository if name == "repository" else run
            results["scenarios"][name] = doing(name, project, out)
    finally:
        (out / "result.json").write_text(json.dumps(results, indent=1))
        server.terminate()
    wrong = [
        f"{name}: {sentence}"
        for name, result in results["scenarios"].items()
        for sentence in result["wrong"]
    ]
    print("\n".join(wrong) or f"All went well in Blender {results['blender']}.")
    return 1 if wrong else 0


def start_display() -> subprocess.Popen[bytes]:
    """An X server on a display that is free, named in the environment."""
    ours, theirs = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(theirs), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24",
         "-nolisten", "tcp"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(theirs,),
    )  # fmt: skip
    os.close(theirs)
    with os.fdopen(ours) as answer:
        os.environ["DISPLAY"] = f":{answer.readline().strip()}"
    return server


def blender_version() -> str:
    """Such as "4.3.2"."""
    done = subprocess.run(
        ["blender", "--background", "--version"], capture_output=True, text=True, timeout=300
    )
    return next(x.split()[1] for x in done.stdout.splitlines() if x.startswith("Blender "))


def install(project: Path, out: Path) -> dict[str, Any]:
    """Build the zip and install it as Blender's own command does."""
    package = out / "package"
    package.mkdir(exist_ok=True)
    for old in package.glob("*.zip"):
        old.unlink()
    extension("build", "--source-dir", str(project), "--output-dir", str(package))
    (path,) = package.glob("*.zip")
    extension("validate", str(path))
    extension("install-file", "-r", "user_default", "-e", str(path))
    return {"zip": path.name, "megabytes": round(path.stat().st_size / 1e6, 1)}


def extension(*arguments: str) -> None:
    """``blender --command extension ...``; its output is shown if it fails."""
    done = subprocess.run(
        ["blender", "--command", "extension", *arguments],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    if done.returncode != 0:
        print(done.stdout + done.stderr)
        raise SystemExit(f"blender --command extension {arguments[0]} failed")


def keyframes(project: Path) -> dict[str, Any]:
    """Write a long motion as F-curves, see ``keyframes.py``; what is wrong ends it all."""
    script = project / "tools" / "real_blender" / "keyframes.py"
    command = ["blender", "--background", "--factory-startup", "--python-exit-code", "3"]
    command += ["--python", str(script), "--", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        print(done.stdout + done.stderr)
        raise SystemExit("a motion is not written as it should be")
    print(f"10,000 frames of 52 shape keys: {json.loads(lines[-1])['write_s']} s", flush=True)
    return json.loads(lines[-1])


def run(name: str, project: Path, out: Path) -> dict[str, Any]:
    """One scenario in a Blender of its own."""
    folder = out / name
    folder.mkdir(exist_ok=True)
    result_file = folder / "result.json"
    result_file.unlink(missing_ok=True)
    command = [
        "blender", "--window-geometry", "0", "0", *map(str, SIZE), "--python-exit-code", "3",
        "--python", str(HERE / "drive.py"), "--", name, str(project), str(folder),
    ]  # fmt: skip
    start = time.monotonic()
    wrong: list[str] = []
    with open(folder / "blender.log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            status = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            screenshot(folder / "at the limit.png")
            process.kill()
            status = process.wait()
            wrong.append(f"not finished after {LIMIT:.0f} s")
    result: dict[str, Any] = {"seconds": round(time.monotonic() - start, 1), "status": status}
    if result_file.exists():
        result |= json.loads(result_file.read_text())
    else:
        wrong.append(f"Blender ended with status {status} and no result")
    result["wrong"] = wrong + result.get("wrong", [])
    result["seconds_until_no_process_is_left"] = left = wait_for_backends(15.0)
    if left is None:
        result["wrong"].append(f"a backend process lives on: {backends()}")
        for pid in backends():
            os.kill(pid, 9)
    print(f"{name}: {'; '.join(result['wrong']) or 'well'} ({result['seconds']} s)", flush=True)
    return result


def repository(name: str, project: Path, out: Path) -> dict[str, Any]:
    """The extension from a repository that a web server on this machine serves.

    ``run.sh`` has had the project's tool make it in ``OUT/repository/site``; a higher version of
    the same is made here by Blender's own tool.
    """
    folder = out / name
    site, new, unpacked = folder / "site", folder / "new", folder / "unpacked"
    for old in (new, unpacked):
        shutil.rmtree(old, ignore_errors=True)
    new.mkdir()
    (zipped,) = site.glob("*.zip")
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(unpacked)
    manifest = unpacked / "blender_manifest.toml"
    text, changed = re.subn(r"(?m)^version = .*$", 'version = "999.0.0"', manifest.read_text())
    assert changed == 1
    manifest.write_text(text)
    extension("build", "--source-dir", str(unpacked), "--output-dir", str(new))
    extension("server-generate", "--repo-dir", str(new))
    handler = functools.partial(Silent, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    result_file = folder / "result.json"
    result_file.unlink(missing_ok=True)
    command = ["blender", "--background", "--online-mode", "--python-exit-code", "3"]
    command += ["--python", str(HERE / "repository.py"), "--"]
    command += [f"http://127.0.0.1:{server.server_port}", str(site), str(new), str(result_file)]
    start = time.monotonic()
    # Preferences of its own: there the extension is not installed yet.
    env = os.environ | {"BLENDER_USER_RESOURCES": str(folder / "blender")}
    shutil.rmtree(folder / "blender", ignore_errors=True)
    try:
        with open(folder / "blender.log", "w") as log:
            done = subprocess.run(
                command, stdout=log, stderr=subprocess.STDOUT, timeout=LIMIT, env=env, check=False
            )
    finally:
        server.shutdown()
    result: dict[str, Any] = {"seconds": round(time.monotonic() - start, 1)}
    if result_file.exists():
        result |= json.loads(result_file.read_text())
    else:
        result["wrong"] = [f"Blender ended with status {done.returncode} and no result"]
    result["seconds_until_no_process_is_left"] = left = wait_for_backends(15.0)
    if left is None:
        result["wrong"].append(f"a backend process lives on: {backends()}")
    print(f"{name}: {'; '.join(result['wrong']) or 'well'} ({result['seconds']} s)", flush=True)
    return result


class Silent(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def backends() -> list[int]:
    """Process numbers of the backend's workers; what has ended but was not waited for is none."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if "backend" in line and "worker" in line and "drive.py" not in line and state != "Z":
            found.append(int(folder.name))
    return found


def wait_for_backends(limit: float) -> float | None:
    """Seconds until none is left; None if some are after ``limit`` seconds."""
    start = time.monotonic()
    while backends():
        if time.monotonic() - start > limit:
            return None
        time.sleep(0.1)
    return round(time.monotonic() - start, 1)


def screenshot(path: Path) -> None:
    """The whole screen."""
    subprocess.run(["import", "-window", "root", str(path)], timeout=60, check=False)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
