"""The set-up scripts, with Python, pip and apt replaced by scripts that do what is told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [*sorted((ROOT / "tools").rglob("*.sh")), ROOT / ".ci" / "run"]
assert len(SCRIPTS) > 5, "tests over no scripts would pass"

#: A Python 3.11 whose venv holds a copy of itself; what pip does is in the file $PIP.
FAKE_PYTHON = """#!/bin/bash
echo "python $*" >> "$CALLS"
case "$*" in
    "-I -m venv "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    *" install "*) eval "$PIP" ;;
    "-P -m reconstruct_face.backend"*) shift 3; echo "RUN $*" ;;
esac
"""


@dataclass(frozen=True)
class Project:
    """A copy of what set-up reads; ``project(pip=...)`` runs reconstruct.sh in it."""

    root: Path
    tools: Path  #: the fake programs
    calls: Path  #: what they were called with

    def __call__(
        self, *arguments: str, pip: str = "true", apt: str = "true", script: str = "reconstruct.sh"
    ) -> tuple[subprocess.CompletedProcess[str], str]:
        self.calls.write_text("")
        done = subprocess.run(
            ["bash", str(self.root / "tools" / script), *arguments],
            env={
                "PATH": f"{self.tools}:/usr/bin:/bin",
                "CALLS": str(self.calls),
                "PIP": pip,
                "APT": apt,
            },
            capture_output=True,
            text=True,
            cwd=self.calls.parent,
            timeout=60,
        )
        return done, self.calls.read_text()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "my project"
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("*.py", "b*"))
    for name in ("pyproject.toml", "setup.py", "blender_manifest.toml"):
        shutil.copy(ROOT / name, root)
    for path in ROOT.glob("requirements*.lock"):
        shutil.copy(path, root)
    tools = tmp_path / "bin"
    tools.mkdir()
    fakes = {
        "python3.11": FAKE_PYTHON,
        "dpkg-query": "#!/bin/bash\necho 'install ok installed'\n",
        "apt-get": '#!/bin/bash\necho "apt $*" >> "$CALLS"; eval "$APT"\n',
    }
    for name, text in fakes.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return Project(root, tools, tmp_path / "calls")


def test_set_up_happens_once_and_arguments_arrive(project: Project) -> None:
    done, calls = project("my photo.jpg", "-o", "out dir")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "RUN reconstruct --sample my photo.jpg -o out dir\n"
    assert "-m venv" in calls and "requirements.lock" in calls
    done, calls = project("my photo.jpg")
    assert done.stdout == "RUN reconstruct --sample my photo.jpg\n"
    assert done.stderr == ""
    assert calls.splitlines() == [
        "python -P -m reconstruct_face.backend reconstruct --sample my photo.jpg"
    ]


def test_the_verification_gets_an_environment_of_its_own(project: Project) -> None:
    done, calls = project("a.npz", script="verify.sh")
    assert done.stdout == "RUN verify a.npz\n", done.stderr
    made = re.findall(r"-m venv (\S.*)", calls)
    assert [Path(folder).name for folder in made] == [".venv", ".venv-verify"]
    installs = [line for line in calls.splitlines() if " install " in line]
    assert "requirements.lock" in installs[0] and "--editable" in installs[0]
    assert "requirements-verify.lock" in installs[1] and "--editable" not in installs[1]
    done, calls = project("a.npz", script="verify.sh")
    assert calls == "python -P -m reconstruct_face.backend verify a.npz\n"
    _, calls = project(script="verify.sh")
    assert calls == "", "there is nothing to set up and nothing to verify"


#: Stands for ruff, shellcheck and pytest in a test of what test.sh runs.
FAKE_TOOL = """#!/bin/bash
echo "${0##*/} $*" >> "$CALLS"
"""


def test_the_fast_tier_gets_an_environment_of_its_own(project: Project) -> None:
    """Neither system packages nor the project's requirements, so it needs no root and little."""
    query = project.tools / "dpkg-query"
    query.write_text("#!/bin/bash\nexit 1\n")
    tools = project.root / ".venv-fast" / "bin"
    make = f"for name in ruff shellcheck; do cp '{project.tools}/fake' '{tools}'/$name; done"
    (project.tools / "fake").write_text(FAKE_TOOL)
    (project.tools / "fake").chmod(0o755)
    done, calls = project("fast", "-k", "motion", script="test.sh", pip=make)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"-m venv \S.*/(\S+)\n", calls) == [".venv-fast"]
    (install,) = [line for line in calls.splitlines() if " install " in line]
    assert "requirements-fast.lock" in install and "--no-deps" in install
    ran = [line for line in calls.splitlines() if not line.startswith("python -P -m pip")][-4:]
    assert [line.split()[:2] for line in ran[:3]] == [
        ["ruff", "check"], ["ruff", "format"], ["shellcheck", "--external-sources"],
    ]  # fmt: skip
    assert ran[3] == "python -m pytest --fast --numprocesses 2 --dist worksteal -k motion"
    assert "apt" not in calls
    done, calls = project("fast", script="test.sh")
    assert " install " not in calls
    assert calls.endswith("python -m pytest --fast --numprocesses 2 --dist worksteal\n")


def test_a_changed_lock_file_is_installed_without_starting_over(project: Project) -> None:
    project()
    with open(project.root / "requirements.lock", "a") as file:
        file.write("another==1.0\n")
    _, calls = project()
    assert " install " in calls
    assert "-m venv" not in calls


def test_a_moved_folder_is_set_up_again(project: Project) -> None:
    project()
    moved = project.root.with_name("elsewhere")
    project.root.rename(moved)
    calls = moved / "calls"
    environment = {"PATH": f"{project.tools}:/usr/bin:/bin", "CALLS": str(calls), "PIP": "true"}
    subprocess.run(["bash", str(moved / "tools" / "reconstruct.sh")], env=environment, check=True)
    assert " install " in calls.read_text()


@pytest.mark.parametrize(
    ("pip", "sentence"),
    [
        ("echo 'OSError: [Errno 28] No space left on device'; exit 1", "the disk is full"),
        (
            "echo 'Failed to establish a new connection: [Errno -3] "
            "Temporary failure in name resolution'; exit 1",
            "the package server cannot be reached; check the network",
        ),
        ("echo 'SSL: CERTIFICATE_VERIFY_FAILED'; exit 1", "certificate is not trusted"),
        (
            "echo 'ERROR: No matching distribution found for bpy==5.0.1'; exit 1",
            "No matching distribution found for bpy==5.0.1",
        ),
        ("echo 'something else'; echo; exit 1", "could not install the packages: something else"),
    ],
)
def test_failures_are_told_in_a_sentence_and_the_next_run_starts_anew(
    project: Project, pip: str, sentence: str
) -> None:
    done, _ = project(pip=pip)
    assert done.returncode == 1
    assert done.stdout == "", "it ran although set-up failed"
    assert sentence in done.stderr
    assert ".cache/setup.log" in done.stderr
    done, calls = project()
    assert done.returncode == 0, done.stderr
    assert "-m venv" in calls, "what pip left half installed was kept"


def test_an_interrupted_set_up_is_made_anew(project: Project) -> None:
    done, _ = project(pip="kill -9 $PPID")
    assert done.returncode != 0
    done, calls = project()
    assert done.returncode == 0, done.stderr
    assert "-m venv" in calls


def test_no_python_of_the_right_version(project: Project) -> None:
    for name in ("python3.11", "python3"):
        (project.tools / name).write_text("#!/bin/bash\nexit 1\n")
        (project.tools / name).chmod(0o755)
    shadow = "/usr/bin/python3.11"
    if Path(shadow).exists():  # reconstruct.sh looks there too: leave it out of the copy
        setup = project.root / "tools" / "setup.sh"
        setup.write_text(setup.read_text().replace(shadow, "/usr/bin/none"))
    (project.tools / "id").write_text("#!/bin/bash\necho 0\n")  # root may install
    (project.tools / "id").chmod(0o755)
    done, calls = project()
    assert done.returncode == 1
    assert "Python 3.11 was not found" in done.stderr
    assert "apt install -y --no-install-recommends python3 python3-venv" in calls


def test_missing_system_packages(project: Project) -> None:
    query = "#!/bin/bash\n[ \"${@: -1}\" = libsm6 ] && exit 1; echo 'install ok installed'\n"
    (project.tools / "dpkg-query").write_text(query)
    identity = project.tools / "id"
    identity.write_text("#!/bin/bash\necho 1000\n")
    identity.chmod(0o755)
    done, _ = project()
    assert done.returncode == 1
    assert "sudo apt-get install libsm6\n" in done.stderr
    identity.write_text("#!/bin/bash\necho 0\n")
    done, _ = project(apt="echo 'Could not resolve deb.example'; exit 100")
    assert "could not install libsm6: the package server cannot be reached" in done.stderr
    done, calls = project()
    assert done.returncode == 0, done.stderr
    assert "apt install -y --no-install-recommends libsm6" in calls


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    if "shellcheck shell" not in script.read_text().splitlines()[0]:  # sourced, never run
        assert os.access(script, os.X_OK)


def _pins(name: str) -> dict[str, str]:
    pins = {}
    for line in (ROOT / name).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            found = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)( ; [^;]+)?", line)
            assert found, f"{name}: '{line}' is no exact version (or names a server)"
            pins[re.sub(r"[-_.]+", "-", found[1]).lower()] = found[2]
    return pins


def test_lock_files_pin_everything_that_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    run, test = _pins("requirements.lock"), _pins("requirements-test.lock")
    for wanted, pins in (
        (declared["dependencies"], run),
        (declared["optional-dependencies"]["test"], test),
        (declared["optional-dependencies"]["docs"], _pins("requirements-docs.lock")),
    ):
        for requirement in wanted:
            name = re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", requirement)[0]).lower()
            assert name in pins, f"{requirement}: run tools/lock.sh"
    fast = _pins("requirements-fast.lock")
    assert not [name for name in fast.keys() & test if fast[name] != test[name]], "tools/lock.sh"
    assert run.items() <= test.items(), "tests would run with other versions than users"
    assert run["numpy"].startswith("1."), "bpy is built against numpy 1"
