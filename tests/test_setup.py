"""The set-up scripts, with Python, pip and apt replaced by scripts that do what is told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [*sorted((ROOT / "tools").rglob("*.sh")), ROOT / ".ci" / "run"]
assert len(SCRIPTS) > 5, "tests over no scripts would pass"

BUILD_LOCK = Path("scene/installation/build.lock")
LOCKS = [
    *sorted(ROOT.glob("requirements*.lock")),
    *sorted((ROOT / BUILD_LOCK).parent.glob("*.lock")),
]
assert len(LOCKS) == 10, "a new lock file, or one that is gone: see tools/lock.sh"

#: A Python 3.11 whose venv holds a copy of itself; what pip does is in the file $PIP.
FAKE_PYTHON = """#!/bin/bash
echo "python $*" >> "$CALLS"
case "$*" in
    "-I -m venv "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    *" install "*) eval "$PIP" ;;
    "-P -m reconstruct_face.backend"*) shift 3; echo "RUN $*" ;;
esac
"""

#: ``df -Pm``: the fourth column is what is free, in MB.
FAKE_DISK = """#!/bin/bash
echo Filesystem 1048576-blocks Used Available Capacity Mounted on
echo /dev/sda1 200000 0 {free} 0% /
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
    (root / BUILD_LOCK).parent.mkdir(parents=True)
    shutil.copy(ROOT / BUILD_LOCK, root / BUILD_LOCK)
    tools = tmp_path / "bin"
    tools.mkdir()
    fakes = {
        "python3.11": FAKE_PYTHON,
        "dpkg-query": "#!/bin/bash\necho 'install ok installed'\n",
        "apt-get": '#!/bin/bash\necho "apt $*" >> "$CALLS"; eval "$APT"\n',
        "df": FAKE_DISK.format(free=100_000),
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


def test_everything_is_installed_by_hash(project: Project) -> None:
    """But the project itself, which comes last and brings nothing along."""
    _, calls = project()
    installs = [line for line in calls.splitlines() if " install " in line]
    assert [re.findall(r"[\w-]+\.lock", line) for line in installs] == [
        ["build.lock"], ["requirements.lock"], [],
    ]  # fmt: skip
    for line in installs[:2]:
        assert "--require-hashes" in line and "--no-build-isolation" in line
    assert "--no-deps --no-build-isolation --editable" in installs[2]


def test_torch_with_cuda_is_set_up_when_asked_for_and_stays(project: Project) -> None:
    done, calls = project("--with-gpu", "a.jpg")
    assert done.stdout == "RUN reconstruct --sample a.jpg\n", done.stderr
    assert "requirements-gpu.lock" in calls and "requirements.lock" not in calls
    _, calls = project("a.jpg")
    assert " install " not in calls


@pytest.mark.parametrize("there", [True, False])
def test_where_there_is_an_nvidia_gpu_its_use_is_offered_with_its_cost(
    project: Project, there: bool
) -> None:
    query = project.tools / ("nvidia-smi" if there else "ldconfig")
    query.write_text("#!/bin/bash\n")
    query.chmod(0o755)
    done, _ = project()
    assert ("--with-gpu" in done.stderr) == there
    assert not there or re.search(r"[\d.]+ GB to download and [\d.]+ GB of disk", done.stderr)
    done, _ = project()
    assert "--with-gpu" not in done.stderr, "told once, at the set-up"


def test_the_verification_gets_an_environment_of_its_own(project: Project) -> None:
    done, calls = project("a.npz", script="verify.sh")
    assert done.stdout == "RUN verify a.npz\n", done.stderr
    made = re.findall(r"-m venv (\S.*)", calls)
    assert [Path(folder).name for folder in made] == [".venv-verify"]
    assert "requirements-verify.lock" in calls and "--editable" in calls
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
    assert "requirements-fast.lock" in calls and "requirements.lock" not in calls
    assert "python -P -m pip --disable-pip-version-check check" not in calls
    ran = [line for line in calls.splitlines() if not line.startswith("python -P -m pip")][-4:]
    assert [line.split()[:2] for line in ran[:3]] == [
        ["ruff", "check"], ["ruff", "format"], ["shellcheck", "--external-sources"],
    ]  # fmt: skip
    assert ran[3] == "python -m pytest --fast --numprocesses 2 --dist worksteal -k motion"
    assert "apt" not in calls
    done, calls = project("fast", script="test.sh")
    assert " install " not in calls
    assert calls.endswith("python -m pytest --fast --numprocesses 2 --dist worksteal\n")


def test_what_needs_torch_runs_in_the_environment_that_has_it(project: Project) -> None:
    (project.tools / "fake").write_text(FAKE_TOOL)
    (project.tools / "fake").chmod(0o755)
    tools = project.root / ".venv-verify" / "bin"
    make = (
        f"for name in ruff shellcheck; do cp '{project.tools}/fake' "
        f"'{project.root}/.venv/bin'/$name;"
        f" done; if [ -d '{tools}' ]; then cp '{project.tools}/fake' '{tools}/basedpyright'; fi"
    )
    done, calls = project("standard", "-x", script="test.sh", pip=make)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"-m venv \S.*/(\S+)\n", calls) == [".venv", ".venv-verify"]
    assert re.findall(r"(requirements\S*)", calls) == [
        "requirements-test.lock", "requirements-torch.lock",
    ]  # fmt: skip
    results = f"{project.root}/.cache/pytest"
    start = f"python -m pytest --numprocesses 2 --dist loadfile --junit-xml {results}"
    assert calls.splitlines()[-4:] == [
        "basedpyright ",
        f"{start}/without-torch.xml --torch without -m not slow -x",
        f"{start}/with-torch.xml --torch only -m not slow -x",
        f"python tools/test_totals.py {results} 0 0",
    ]
    _, calls = project(script="verify.sh")
    assert calls == "", "what the tests have holds what the verification needs"


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


def test_a_disk_that_is_too_small_is_told_before_anything_is_downloaded(project: Project) -> None:
    (project.tools / "df").write_text(FAKE_DISK.format(free=99))
    done, calls = project()
    assert done.returncode == 1
    assert "has 99 MB free" in done.stderr
    assert "-m venv" not in calls and " install " not in calls


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
            "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM'; exit 1",
            "another file than the lock file names",
        ),
        (
            "echo 'ERROR: No matching distribution found for bpy==4.5.15'; exit 1",
            "No matching distribution found for bpy==4.5.15",
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
    """Each package of a lock file with its version; all are pinned by version and hashes."""
    pins = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / name).read_text().strip()):
        first, *hashes = re.split(r"\s*\\\n\s*", entry)
        found = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)( ; [^;]+)?", first)
        assert found, f"{name}: '{first}' is no exact version (or names a server)"
        assert hashes, f"{name}: no file of {first} is known by its hash"
        for one in hashes:
            assert re.fullmatch("--hash=sha256:[0-9a-f]{64}", one), f"{name}: {one}"
        pins[re.sub(r"[-_.]+", "-", found[1]).lower()] = found[2]
    return pins


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_its_hashes(path: Path) -> None:
    assert _pins(str(path.relative_to(ROOT)))


def test_lock_files_pin_everything_that_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = declared["optional-dependencies"]
    run, everything = _pins("requirements.lock"), _pins("requirements-torch.lock")
    for wanted, pins in (
        (declared["dependencies"], run),
        (extras["test"], _pins("requirements-test.lock")),
        (extras["docs"], _pins("requirements-docs.lock")),
        (extras["gpu"], _pins("requirements-gpu.lock")),
        (extras["verify"], _pins("requirements-verify.lock")),
        ([*extras["torch"], *extras["original"], *extras["types"], *extras["verify"]], everything),
    ):
        for requirement in wanted:
            found = re.match(r"[A-Za-z0-9._-]+", requirement)
            assert found and re.sub(r"[-_.]+", "-", found[0]).lower() in pins, (
                f"{requirement}: run tools/lock.sh"
            )
    assert run["numpy"].startswith("1."), "bpy is built against numpy 1"
    assert not {"torch", "tensorflow-cpu"} & run.keys(), "what runs needs neither"


@pytest.mark.parametrize("name", ["", "-test", "-gpu", "-verify", "-fast"])
def test_all_environments_have_the_same_versions(name: str) -> None:
    """Tests would run with other versions than users otherwise."""
    everything = _pins("requirements-torch.lock")
    pins = _pins(f"requirements{name}.lock")
    others = {key for key in pins.keys() & everything.keys() if pins[key] != everything[key]}
    assert not others, "tools/lock.sh"
    if name in ("-test", "-gpu"):
        assert _pins("requirements.lock").items() <= pins.items()
    if name == "-verify":
        assert pins.items() <= everything.items()


# -- several runs of pytest, one summary


def _run_totals(folder: Path, *runs: tuple[str, int]) -> tuple[int, list[str]]:
    for number, (cases, _) in enumerate(runs):
        (folder / f"{number}.xml").write_text(
            f'<testsuites><testsuite time="1.5">{cases}</testsuite></testsuites>'
        )
    statuses = [str(status) for _, status in runs]
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "test_totals.py", folder, *statuses],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


GOOD = '<testcase classname="tests.test_a" name="test_x"/>'
LEFT = '<testcase classname="tests.test_a" name="test_y"><skipped/></testcase>'
BAD = '<testcase classname="tests.test_b" name="test_z"><failure/></testcase>'
BROKEN = '<testcase classname="tests.test_b" name="test_w"><error/></testcase>'


def test_the_last_line_counts_all_runs(tmp_path: Path) -> None:
    status, lines = _run_totals(tmp_path, (GOOD + LEFT, 0), (2 * GOOD, 0))
    assert status == 0
    assert [line.strip("= ") for line in lines] == ["3 passed, 1 skipped in 3.00s"]


@pytest.mark.parametrize("bad_first", [True, False])
def test_a_failure_in_either_run_counts(tmp_path: Path, bad_first: bool) -> None:
    runs = [(GOOD + BAD + BROKEN, 1), (GOOD, 0)]
    status, lines = _run_totals(tmp_path, *(runs if bad_first else runs[::-1]))
    assert status == 1
    assert lines[:2] == ["FAILED tests.test_b::test_z", "ERROR tests.test_b::test_w"]
    assert lines[-1].strip("= ") == "1 failed, 2 passed, 1 error in 3.00s"


def test_one_run_may_find_no_tests_but_not_both(tmp_path: Path) -> None:
    assert _run_totals(tmp_path, (GOOD, 0), ("", 5))[0] == 0
    assert _run_totals(tmp_path, ("", 5), (BAD, 1))[0] == 1
    status, lines = _run_totals(tmp_path, ("", 5), ("", 5))
    assert (status, lines[-1].strip("= ")) == (5, "no tests ran in 3.00s")


def test_a_run_that_died_counts_though_it_left_no_file(tmp_path: Path) -> None:
    (tmp_path / "1.xml").write_text(
        f'<testsuites><testsuite time="1">{GOOD}</testsuite></testsuites>'
    )
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "test_totals.py", tmp_path, "139", "0"], check=False
    )
    assert done.returncode == 139
