"""One step of the installation: runs it, shows how far it is, and says what to do when it fails."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path

# What pip prints of each file that it really downloads: "Downloading torch-2.13.0-cp311-....whl (188.2 MB)".
DOWNLOADING = re.compile(r"Downloading (?:\S*/)?([^\s/]+) \(([\d.]+) (kB|MB|GB)\)")
MEGABYTES = {"kB": 1e-3, "MB": 1.0, "GB": 1e3}

ADVICE = (
    (
        r"No space left|Errno 28|WinError 112|disk full|not enough space",
        "the disk is full: free about 4 GB (10 GB for a GPU build of torch), then run the same command again",
    ),
    (
        r"No matching distribution found|Could not find a version",
        "pip found no build for Python {python} on this machine; if the network is up, try Python 3.10 to 3.13",
    ),
    (
        r"name resolution|getaddrinfo|NewConnectionError|Network is unreachable|timed out|ProxyError|SSLError",
        "the package index cannot be reached: check the network or the proxy, then run the same command again",
    ),
    (
        r"ensurepip|No module named venv",
        "this Python cannot make virtual environments: on Debian or Ubuntu, apt install python3-venv",
    ),
    (
        r"Permission denied|Errno 13|WinError 5",
        "a file cannot be written: is the demo still running, or the folder read-only?",
    ),
)


class StepError(Exception):
    """A step failed; the message says which, why, and what to do."""


def make_venv(venv: Path, folder: Path) -> None:
    """Make a new virtual environment, in place of what an interrupted run may have left."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise StepError(explain("virtual environment", "ensurepip is missing", folder))
    run("virtual environment", [sys.executable, "-m", "venv", "--clear", str(venv)], folder)


def run(name: str, command: list[str], folder: Path) -> None:
    """Run one command, with its output in a log file and a line of progress on the terminal.

    Arguments:
        name: What the user reads.
        folder: Where the log file goes; made if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log_path = folder / "install.log"
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off"}
    start = last_line = time.monotonic()
    print(f"{name} ...")
    with log_path.open("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            while process.poll() is None:
                time.sleep(0.25)
                if time.monotonic() - last_line >= (1 if sys.stdout.isatty() else 30):
                    last_line = time.monotonic()
                    _show(name, start, log_path)
        except BaseException:
            process.kill()
            process.wait()
            raise
    text = log_path.read_text(encoding="utf-8", errors="replace")
    _show(name, start, log_path, done=True)
    if process.returncode:
        raise StepError(explain(name, text, folder))


def explain(name: str, text: str, folder: Path) -> str:
    """Say which step failed and what to do about it, from what was printed when it did."""
    advice = next(
        (advice for pattern, advice in ADVICE if re.search(pattern, text, re.IGNORECASE)),
        f"the last lines tell why; the whole output is in {folder / 'install.log'}",
    )
    last = "\n".join("    " + line for line in text.strip().splitlines()[-6:])
    return f"The step '{name}' failed: {advice.format(python=sys.version.split()[0])}.\n{last}"


def doing(printed: str) -> str:
    """What pip is at, from what it has printed. It unpacks torch for minutes after its last line."""
    if "Installing collected packages" in printed:
        return "unpacking"
    files = DOWNLOADING.findall(printed)
    return files[-1][0][:50] if files else ""


def _show(name: str, start: float, log_path: Path, done: bool = False) -> None:
    """Write elapsed time, what is downloaded, and what is being done, over the last such line."""
    printed = log_path.read_text(encoding="utf-8", errors="replace")
    megabytes = sum(float(size) * MEGABYTES[unit] for _, size, unit in DOWNLOADING.findall(printed))
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    facts = [f"{minutes}:{seconds:02d}", f"{megabytes:.0f} MB downloaded", "" if done else doing(printed)]
    line = f"  {name}: {', '.join(filter(None, facts))}"
    terminal = sys.stdout.isatty()
    print("\r" + line.ljust(100) if terminal else line, end="" if terminal and not done else "\n", flush=True)
