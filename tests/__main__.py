"""`python tests`: installs what is missing, then runs every tier and the static checks.

python tests                 everything
python tests unit host       only these; the names are unit, host, server, batch, browser, style, types, imports, yaml
python tests help_pictures   draws web/docs/*.webp anew, in the real page
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.append(str(TESTS.parent))  # the folders of the repository are packages

import chromium  # noqa: E402
import static_checks  # noqa: E402

from comfyui_host import install  # noqa: E402

TIERS = {
    "unit": "the mathematics, without the host",
    "host": "nodes and samplers inside the host",
    "server": "the host as a process, over HTTP and websocket",
    "batch": "many pictures through a saved workflow, on Ray",
    "browser": "the host's page in a real browser",
}


def main() -> int:
    """Run what the command line names, say what was skipped and why, and return the exit status."""
    known = [*TIERS, *static_checks.CHECKS]
    wanted = sys.argv[1:] or known
    if wanted[0] != "help_pictures" and (unknown := set(wanted) - set(known)):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}. There are: {', '.join(known)}")
    install.run_under_host(test_tools=True)
    if wanted[0] == "help_pictures":
        return draw_help_pictures(wanted[1:])
    missing = static_checks.missing_tools()
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    skipped = []
    for name in wanted:
        heading = TIERS.get(name) or static_checks.CHECKS[name].purpose
        print(f"\n== {name}: {heading}")
        tool = "pytest" if name in TIERS else static_checks.CHECKS[name].tool
        lacking = chromium.lacking() if name == "browser" else ""
        if tool in missing:
            lacking = f"{tool} is not installed beside the ComfyUI that COMFYUI_PATH names"
        if lacking:
            totals["skipped"] += 1
            skipped.append(f"{name}: {lacking}")
            continue
        start = time.monotonic()
        counts = run_tier(name) if name in TIERS else static_checks.run(name)
        print(f"== {name}: {listed(counts)}, {time.monotonic() - start:.0f} s")
        for what, count in counts.items():
            totals[what] += count
    for line in skipped:
        print(f"SKIPPED {line}")
    print(listed(totals))
    return 1 if totals["failed"] or not totals["passed"] else 0


def run_tier(name: str) -> dict[str, int]:
    """Run one tier in a process of its own, so that none sees what another imported, and count its tests."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ("-q", "-c", str(TESTS / "pytest.ini"), f"--junitxml={report}")
        command = [sys.executable, "-m", "pytest", *options, str(TESTS / name)]
        status = subprocess.run(command, cwd=TESTS.parent, env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode
        if not report.is_file():  # pytest itself broke down
            return {"passed": 0, "failed": 1}
        suite = ElementTree.parse(report).getroot()[0]
    total, failed, skipped = (
        sum(int(suite.get(key, "0")) for key in keys) for keys in (("tests",), ("failures", "errors"), ("skipped",))
    )
    if status and not failed:
        failed, total = 1, total + 1  # nothing collected, or an error outside of the tests
    return {"passed": total - failed - skipped, "failed": failed, "skipped": skipped}


def draw_help_pictures(names: list[str]) -> int:
    """Photograph the nodes of these ids, or all, for their help pages; a program of its own beside the browser tier."""
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    program = TESTS / "browser" / "help_pictures.py"
    return subprocess.run([sys.executable, str(program), *names], env=os.environ | {"PYTHONPATH": paths}).returncode


def listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


if __name__ == "__main__":
    sys.exit(main())
