""".ci/bootstrap against a made-up machine: a PATH that holds only stand-ins, which write down how they were called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.paths import checkout

ROOT = checkout()
if ROOT is None:
    pytest.skip("the bootstrap belongs to a source checkout", allow_module_level=True)

UTILITIES = (
    "basename",
    "cat",
    "cksum",
    "cp",
    "dirname",
    "env",
    "head",
    "mkdir",
    "rm",
    "sed",
    "sh",
    "sort",
    "tail",
    "true",
)
# Every stand-in that matters writes its name and arguments down first.
CALLED = 'echo "$(basename "$0") $*" >>"$CALLS"'
STAND_INS = {
    "python3": r"""
echo "python $*" >>"$CALLS"
case "$1 ${2-}" in
    "--version "*) echo "Python 3.12.0" ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip") exit "${PIP_STATUS:-0}" ;;
esac
""",
    "cargo": rf"""
{CALLED}
if [ "$1" = --version ]; then echo "cargo ${{CARGO_IS:-1.85.0}} (abc 2025-01-01)"; fi
""",
    "arm-none-eabi-gcc": r"""
name=${1#-print-file-name=}
if [ -e "$BIN/$name" ]; then echo "$BIN/$name"; else echo "$name"; fi
""",
    "arm-none-eabi-g++": "",
    "libc_nano.a": "",
    "libstdc++_nano.a": "",
    "qemu-system-arm": "",
    "gcc": "",
    "g++": "",
    "chromium": "",
}
PACKAGES = {
    "python3": ("python3",),
    "python3-venv": (),
    "cargo": ("cargo",),
    "cargo-web": ("cargo",),
    "gcc-arm-none-eabi": ("arm-none-eabi-gcc", "arm-none-eabi-g++"),
    "libnewlib-arm-none-eabi": ("libc_nano.a",),
    "libstdc++-arm-none-eabi-newlib": ("libstdc++_nano.a",),
    "qemu-system-arm": ("qemu-system-arm",),
    "g++": ("gcc", "g++"),
}
# Installed where it can be had, and no error where not.
OPTIONAL = {"chromium": ("chromium",), "fonts-dejavu-core": ()}
APT = {
    # "install" copies the tools of each package from the store to PATH
    "apt-get": rf"""
{CALLED}
installing=
for word; do
    if [ -n "$installing" ]; then cp "$STORE/$word"/* "$BIN/"; fi
    if [ "$word" = install ]; then installing=yes; fi
done
""",
    "apt-cache": r"""
case $2 in
    cargo) version=$CARGO_PACKAGE ;;
    cargo-web) version=${CARGO_WEB_PACKAGE-} ;;
esac
if [ -n "$version" ]; then printf '%s:\n  Installed: (none)\n  Candidate: %s\n' "$2" "$version"; fi
""",
    # --compare-versions A ge B
    "dpkg": r"""
[ "$(printf '%s\n' "$2" "$4" | sort -V | head -n 1)" = "$4" ]
""",
}


class Machine:
    """A project folder, a folder of stand-ins as PATH, and the calls that were made."""

    def __init__(self, folder: Path) -> None:
        assert ROOT is not None
        self.project = folder / "my project"  # a space, as a user's path may have
        self.bin = folder / "bin"
        self.calls_file = folder / "calls"
        self.settings: dict[str, str] = {"CARGO_PACKAGE": "1.85.0+dfsg3-1"}
        for file in (".ci/bootstrap", "pyproject.toml", "firmware/tflm/Cargo.toml", "firmware/tflm/Cargo.lock"):
            (self.project / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, self.project / file)
        self.bin.mkdir()
        (folder / "home").mkdir()
        for name in UTILITIES:
            found = shutil.which(name)
            assert found is not None, name
            (self.bin / name).symlink_to(found)
        self.tool("id", 'echo "${USER_ID:-0}"')
        for package, tools in (PACKAGES | OPTIONAL).items():
            store = folder / "store" / package
            store.mkdir(parents=True)
            (store / "installed").touch()
            for tool in tools:
                self.tool(tool, STAND_INS[tool], store)

    def tool(self, name: str, body: str, folder: Path | None = None) -> None:
        path = (folder or self.bin) / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def add(self, *names: str) -> None:
        for name in names:
            self.tool(name, STAND_INS.get(name) or APT.get(name, ""))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": str(self.bin),
            "HOME": str(self.project.parent / "home"),
            "CALLS": str(self.calls_file),
            "BIN": str(self.bin),
            "STORE": str(self.project.parent / "store"),
            **self.settings,
        }
        self.calls_file.write_text("")
        return subprocess.run(
            ["/bin/sh", ".ci/bootstrap", *arguments],
            cwd=self.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        return [line for line in self.calls_file.read_text().splitlines() if " --version" not in line]

    def called(self, start: str) -> list[str]:
        return [line for line in self.calls if line.startswith(start)]


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    """A fresh Debian: apt-get and nothing that the project needs."""
    machine = Machine(tmp_path)
    machine.add(*APT)
    return machine


@pytest.fixture
def complete(tmp_path: Path) -> Machine:
    """Every tool is there, and no apt-get."""
    machine = Machine(tmp_path)
    machine.add(*STAND_INS)
    return machine


def test_fresh_machine_installs_everything_once(bare: Machine) -> None:
    done = bare.run("demo")
    assert done.returncode == 0, done.stderr
    assert bare.called("apt-get") == [
        "apt-get -q update",
        "apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install python3 python3-venv cargo"
        " gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib qemu-system-arm g++",
    ]
    assert bare.called("python -m") == [
        "python -m venv .venv",
        "python -m pip install --quiet --disable-pip-version-check --editable .",
    ]
    assert bare.called("cargo") == ["cargo fetch --locked --quiet --manifest-path firmware/tflm/Cargo.toml"]


def test_second_run_does_nothing(bare: Machine) -> None:
    assert bare.run("demo").returncode == 0
    again = bare.run("demo")
    assert (again.returncode, again.stdout, again.stderr, bare.calls) == (0, "", "", [])


@pytest.mark.parametrize("package", [name for name in PACKAGES if name not in ("python3-venv", "cargo-web")])
def test_only_what_is_missing_is_installed(bare: Machine, package: str) -> None:
    bare.add(*(tool for name, tools in PACKAGES.items() if name != package for tool in tools))
    for tool in PACKAGES[package]:
        (bare.bin / tool).unlink(missing_ok=True)
    assert bare.run("demo").returncode == 0
    asked = bare.called("apt-get")[-1].split(" install ")[1]
    together = {
        "python3": "python3 python3-venv",
        # without the compiler nothing can be said about its libraries
        "gcc-arm-none-eabi": "gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib",
    }
    assert asked == together.get(package, package)


def test_complete_machine_never_calls_a_package_manager(complete: Machine) -> None:
    complete.settings["USER_ID"] = "1000"
    assert complete.run("demo").returncode == 0
    assert complete.called("python -m pip")


@pytest.mark.parametrize(
    ("cargo", "cargo_web", "expected"),
    [
        ("1.85.0+dfsg3-1", "", "cargo"),
        ("0.66.0+ds1-1", "1.96.0+dfsg1-1~deb12u2", "cargo-web"),
        ("1.75.0+dfsg0", "", "cargo"),
    ],
)
def test_which_cargo_of_the_distribution(bare: Machine, cargo: str, cargo_web: str, expected: str) -> None:
    bare.settings.update(CARGO_PACKAGE=cargo, CARGO_WEB_PACKAGE=cargo_web)
    assert bare.run("demo").returncode == 0
    assert f" {expected} " in bare.called("apt-get")[-1]


def test_no_new_cargo_to_be_had(bare: Machine) -> None:
    bare.settings.update(CARGO_PACKAGE="0.66.0", CARGO_IS="1.65.0")
    done = bare.run("demo")
    assert done.returncode == 3
    assert "still missing after apt-get: cargo 1.70 or newer" in done.stderr
    assert not bare.called("python -m")


@pytest.mark.parametrize(
    ("version", "good"), [("1.69.0", False), ("1.70.0", True), ("1.100.0", True), ("2.0.0", True), ("nightly", False)]
)
def test_cargo_version(complete: Machine, version: str, good: bool) -> None:
    complete.settings["CARGO_IS"] = version
    assert complete.run("demo").returncode == (0 if good else 3)


def test_newer_cargo_of_the_user(complete: Machine) -> None:
    complete.tool("cargo", 'echo "cargo 1.65.0"')
    home = complete.project.parent / "home/.cargo/bin"
    home.mkdir(parents=True)
    complete.tool("cargo", STAND_INS["cargo"], home)
    assert complete.run("demo").returncode == 0
    assert complete.called("cargo fetch")


@pytest.mark.parametrize("newest", ["python3", "python3.13", "python3.11", "python"])
def test_any_python_on_path(complete: Machine, newest: str) -> None:
    complete.tool("python3", "exit 1")  # too old, or without ensurepip
    complete.tool(newest, STAND_INS["python3"])
    assert complete.run("demo").returncode == 0
    assert complete.called("python -m venv")


def test_sudo_where_not_root(bare: Machine) -> None:
    bare.settings["USER_ID"] = "1000"
    bare.tool("sudo", CALLED + '\nif [ "$1" = -n ]; then shift; fi\nexec "$@"')
    assert bare.run("demo").returncode == 0
    assert bare.called("sudo env DEBIAN_FRONTEND=noninteractive apt-get -q update")
    assert len(bare.called("sudo env")) == len(bare.called("apt-get")) == 2


def test_sudo_that_would_ask_without_a_terminal(bare: Machine) -> None:
    bare.settings["USER_ID"] = "1000"
    bare.tool("sudo", CALLED + "\nexit 1")
    done = bare.run("demo")
    assert done.returncode == 3
    assert bare.calls == ["sudo -n true"]
    assert "neither root nor sudo here" in done.stderr


def test_neither_root_nor_sudo_names_the_packages(bare: Machine) -> None:
    bare.settings.update(USER_ID="1000", CARGO_PACKAGE="0.66.0", CARGO_WEB_PACKAGE="1.96.0")
    bare.add("gcc", "g++", "qemu-system-arm")
    done = bare.run("demo")
    assert done.returncode == 3
    assert (
        "apt-get install --no-install-recommends python3 python3-venv cargo-web gcc-arm-none-eabi"
        " libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib" in done.stderr
    )
    assert "qemu" not in done.stderr
    assert bare.calls == []


def test_no_apt_get_names_the_tools(complete: Machine) -> None:
    for tool in ("qemu-system-arm", "libstdc++_nano.a"):
        (complete.bin / tool).unlink()
    done = complete.run("demo")
    assert done.returncode == 3
    assert "missing: the C++ library of newlib for Arm, qemu-system-arm\n" in done.stderr
    assert "package manager" in done.stderr
    assert not complete.called("python -m")


def test_failed_apt_get_shows_its_output(bare: Machine) -> None:
    bare.tool("apt-get", 'echo "E: no route to the mirror"\nexit 100')
    done = bare.run("demo")
    assert done.returncode == 3
    assert "E: no route to the mirror" in done.stderr
    assert "apt-get update failed" in done.stderr


def test_failed_pip_is_tried_again_next_time(complete: Machine) -> None:
    complete.settings["PIP_STATUS"] = "1"
    failed = complete.run("demo")
    assert failed.returncode == 3
    assert "pip install failed" in failed.stderr
    assert not complete.called("cargo fetch")
    complete.settings["PIP_STATUS"] = "0"
    assert complete.run("demo").returncode == 0
    assert not complete.called("python -m venv")
    assert complete.called("python -m pip")


def test_tools_of_tests_come_on_top_and_last(complete: Machine) -> None:
    assert complete.run("demo").returncode == 0
    assert complete.run("test").returncode == 0
    assert complete.called("python -m") == [
        "python -m pip install --quiet --disable-pip-version-check --editable .[test,lint,zoo]"
    ]
    for level in ("demo", "test"):
        assert complete.run(level).returncode == 0
        assert complete.calls == []


def test_tests_have_a_browser_where_apt_get_has_one(bare: Machine) -> None:
    assert bare.run("demo").returncode == 0
    assert not [call for call in bare.calls if "chromium" in call]
    done = bare.run("test")
    assert done.returncode == 0, done.stderr
    assert bare.called("apt-get") == [
        "apt-get -q update",
        "apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install chromium fonts-dejavu-core",
    ]
    again = bare.run("test")
    assert (again.stdout, bare.calls) == ("", [])


def test_lists_of_packages_are_read_once(bare: Machine) -> None:
    assert bare.run("test").returncode == 0
    assert len(bare.called("apt-get -q update")) == 1
    assert len(bare.called("apt-get -q -y")) == 2


@pytest.mark.parametrize("program", ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])
def test_a_browser_that_is_there_is_taken(bare: Machine, program: str) -> None:
    bare.tool(program, "")
    assert bare.run("test").returncode == 0
    assert not [call for call in bare.calls if call.endswith("fonts-dejavu-core")]


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("no apt-get", "no apt-get here"),
        ("no root", "neither root nor sudo here; as root: apt-get install chromium"),
        ("no package", "apt-get could not install it"),
        ("no network", "apt-get update failed"),
    ],
)
def test_without_a_browser_the_rest_is_ready_and_a_line_says_so(complete: Machine, what: str, reason: str) -> None:
    (complete.bin / "chromium").unlink()
    if what != "no apt-get":
        complete.tool("apt-get", f'{CALLED}\n[ {int(what == "no network")} = 0 ] && [ "$2" = update ]')
    if what == "no root":
        complete.settings["USER_ID"] = "1000"
    done = complete.run("test")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"bootstrap: tests in a browser will be skipped: no chromium, {reason}\n" in done.stdout
    assert complete.called("cargo fetch")
    assert complete.run("test").stdout == ""


def test_test_first_makes_demo_ready(complete: Machine) -> None:
    assert complete.run("test").returncode == 0
    assert complete.run("demo").returncode == 0
    assert complete.calls == []


@pytest.mark.parametrize("file", ["pyproject.toml", "firmware/tflm/Cargo.lock", ".ci/bootstrap"])
def test_changed_file_installs_again(complete: Machine, file: str) -> None:
    assert complete.run("demo").returncode == 0
    with (complete.project / file).open("a") as stream:
        stream.write("# changed\n")
    assert complete.run("demo").returncode == 0
    assert complete.called("python -m pip")
    assert not complete.called("python -m venv")


def test_environment_without_its_python_is_made_again(complete: Machine) -> None:
    assert complete.run("demo").returncode == 0
    python = complete.project / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.10")
    assert complete.run("demo").returncode == 0
    assert complete.called("python -m venv")


@pytest.mark.parametrize("tool", ["arm-none-eabi-gcc", "arm-none-eabi-g++", "qemu-system-arm", "gcc", "g++"])
def test_tool_that_vanished_is_noticed(complete: Machine, tool: str) -> None:
    assert complete.run("demo").returncode == 0
    (complete.bin / tool).unlink()
    done = complete.run("demo")
    assert done.returncode == 3
    assert tool in done.stderr


def test_folder_that_cannot_be_written(complete: Machine) -> None:
    (complete.project / ".venv").touch()  # in the way for root, too
    done = complete.run("demo")
    assert done.returncode == 3
    assert "cannot write to" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("all",), ("--help",)])
def test_usage(complete: Machine, arguments: tuple[str, ...]) -> None:
    done = complete.run(*arguments)
    assert (done.returncode, done.stderr) == (2, "usage: sh .ci/bootstrap demo|test\n")
    assert complete.calls == []


def test_make_knows_its_targets() -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    quiet = ["--no-print-directory"]  # below another make, as in "make test", it says where it is
    listed = subprocess.run([make, *quiet, "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split("\t")[0] for line in listed.splitlines()] == [
        f"make {target}" for target in ("demo", "test", "lint", "docs", "docs-cli", "setup", "clean", "help")
    ]
    dry = subprocess.run(
        [make, *quiet, "-n", "demo", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert dry.splitlines() == [
        "sh .ci/bootstrap demo",
        ".venv/bin/harness demo",
        "sh .ci/bootstrap test",
        ".venv/bin/python -m pytest -n auto --dist worksteal",
    ]


@pytest.mark.parametrize("script", ["bootstrap", "run"])
def test_shellcheck(script: str) -> None:
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed")
    assert ROOT is not None
    checked = subprocess.run([shellcheck, ROOT / ".ci" / script], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
