"""The two programs of docs/api.md, run as they stand there, but for the port."""

import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from comfyui_host import install

DEMO = install.ROOT / "demo"
API = (install.ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = r"```bash\n(cat > prompt.json <<'END'\n(.*?)END\n.*?)```.*?```python\n(.*?)```"
((SHELL, PROMPT, PROGRAM),) = re.findall(EXAMPLES, API, re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """Like the folder of this repository, with no more in it than the examples read."""
    shutil.copytree(DEMO, tmp_path / "demo", ignore=lambda _, names: [x for x in names if not x.startswith("example_")])
    return tmp_path


def run(command, server, folder):
    command[-1] = command[-1].replace("http://127.0.0.1:8188", server.address)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="wants bash and curl")
def test_the_curl_calls_upload_queue_wait_and_fetch(server, folder):
    ran = run(["bash", "-c", SHELL], server, folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert_painted_under_the_mask_alone((folder / ran.stdout.split()[-1]).read_bytes())


def test_the_python_program_uploads_queues_waits_and_fetches(server, folder):
    (folder / "prompt.json").write_text(PROMPT, encoding="utf-8")
    ran = run([sys.executable, "-I", "-c", PROGRAM], server, folder)
    assert ran.returncode == 0, ran.stderr
    assert_painted_under_the_mask_alone((folder / ran.stdout.strip()).read_bytes())

    wrong = json.loads(PROMPT)
    wrong["prompt"]["sample"]["inputs"]["method"] = "magic"
    (folder / "prompt.json").write_text(json.dumps(wrong), encoding="utf-8")
    ran = run([sys.executable, "-I", "-c", PROGRAM], server, folder)
    assert ran.returncode == 1 and "LatentRepaint_KSampler" in ran.stderr and "magic" in ran.stderr


def assert_painted_under_the_mask_alone(picture: bytes) -> None:
    result, original = (
        np.asarray(Image.open(source).convert("RGB")).astype(int)
        for source in (io.BytesIO(picture), DEMO / "example_image.png")
    )
    mask = np.asarray(Image.open(DEMO / "example_mask.png").convert("L")) > 0
    changed = np.abs(result - original).max(-1) > 0
    rows, columns = np.nonzero(mask)
    far = np.ones_like(mask)
    reach = 7 + 8 + 16  # rounded up to cells, grown by one, and the ramp
    top, left = max(rows.min() - reach, 0), max(columns.min() - reach, 0)
    far[top : rows.max() + reach + 1, left : columns.max() + reach + 1] = False
    assert far.any()
    assert changed[mask].mean() > 0.9 and not changed[far].any()
