"""Style, types, imports and YAML. Two of them need the pack as an importable package: they see a copy of it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACK = ("__init__.py", "checks.py", "nodes", "samplers", "pixels")
FOLDERS = ("batch", "comfyui_host", "demo_model", "demo", "benchmarks")  # around the pack


@dataclass(frozen=True)
class Check:
    """A tool, and what it is there for."""

    tool: str
    purpose: str


CHECKS = {
    "style": Check("ruff", "ruff over everything, its format too"),
    "types": Check("mypy", "mypy over the pack and the demo's machinery"),
    "imports": Check("importlinter", "import-linter: who may import whom"),
    "yaml": Check("check_jsonschema", "check-jsonschema: workflows, issue forms and CITATION.cff, by its own schemas"),
}
SCHEMAS = {  # a pattern of files: the schema that check-jsonschema brings for them
    ".github/workflows/*.yml": "vendor.github-workflows",
    ".github/ISSUE_TEMPLATE/[!c]*.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    "CITATION.cff": "vendor.citation-file-format",
}


def missing_tools() -> set[str]:
    """The tools that this Python does not have."""
    return {
        tool
        for tool in ("pytest", "hypothesis", *(check.tool for check in CHECKS.values()))
        if importlib.util.find_spec(tool) is None
    }


def run(name: str) -> dict[str, int]:
    """Run one check; it counts as one test."""
    if name == "style":
        checked = _python("-m", "ruff", "check", str(ROOT), cwd=ROOT)
        passed = _python("-m", "ruff", "format", "--check", str(ROOT), cwd=ROOT) and checked
    elif name == "yaml":
        passed = all([_check_yaml(pattern, schema) for pattern, schema in SCHEMAS.items()])
    else:
        with tempfile.TemporaryDirectory() as folder:
            passed = _check_copy(name, Path(folder))
    return {"passed": int(passed), "failed": int(not passed)}


def _check_yaml(pattern: str, schema: str) -> bool:
    files = [str(path) for path in ROOT.glob(pattern)]
    options = ("--builtin-schema", schema, "--default-filetype", "yaml")
    return bool(files) and _python("-m", "check_jsonschema", *options, *files, cwd=ROOT)


def _check_copy(name: str, folder: Path) -> bool:
    only_python = shutil.ignore_patterns("__pycache__", "results", "out", "weights", "*.safetensors", "*.png")
    for part in PACK:
        source, target = ROOT / part, folder / "latent_repaint" / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=only_python)
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    for around in FOLDERS:
        shutil.copytree(ROOT / around, folder / around, ignore=only_python)
    config = str(ROOT / "pyproject.toml")
    if name == "imports":
        command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
        return _python("-c", command, "--config", config, "--no-cache", cwd=folder)
    options = ("--config-file", config, "--cache-dir", str(ROOT / ".mypy_cache"))
    packages = ("-p", "latent_repaint", "-p", "comfyui_host", "-p", "batch", "-m", "demo.collage")
    return _python("-m", "mypy", *options, *packages, cwd=folder)


def _python(*arguments: str, cwd: Path) -> bool:
    return subprocess.run([sys.executable, *arguments], cwd=cwd).returncode == 0
