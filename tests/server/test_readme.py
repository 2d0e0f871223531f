"""The README's API calls, as they stand there, but for the names of the checkpoint and the pictures."""

import io
import json
import re
import shutil
import subprocess
import sys

import bootstrap
import numpy as np
from PIL import Image

DEMO = bootstrap.ROOT / "demo"
README = (bootstrap.ROOT / "README.md").read_text(encoding="utf-8")
((BODY, PROGRAM),) = re.findall(r"/prompt -d '(.*?)'\n```.*?```python\n(.*?)```", README, re.DOTALL)
OWN_NAMES = {
    "v1-5-pruned-emaonly.safetensors": "latent-repaint-demo.safetensors",
    "picture.png": "example_image.png",
    "mask.png": "example_mask.png",
}


def body():
    """The curl call's JSON, with names that the demo's host knows."""
    text = BODY
    for name, own in OWN_NAMES.items():
        text = text.replace(f'"{name}"', f'"{own}"')
    return text


def test_the_curl_call_paints_under_the_mask_and_nowhere_else(client):
    run = client.run(json.loads(body())["prompt"])
    (file,) = run.outputs["save"]["images"]
    assert_painted_under_the_mask_alone(client.fetch(file))
    assert run.evaluations("sample") == 40


def test_the_python_program_uploads_queues_waits_and_fetches(server, tmp_path):
    (tmp_path / "prompt.json").write_text(body(), encoding="utf-8")
    for name in ("picture.png", "mask.png"):
        shutil.copy(DEMO / OWN_NAMES[name], tmp_path / name)
    command = [sys.executable, "-I", "-c", PROGRAM.replace("http://127.0.0.1:8188", server.address)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert_painted_under_the_mask_alone((tmp_path / ran.stdout.strip()).read_bytes())

    wrong = json.loads(body())
    wrong["prompt"]["sample"]["inputs"]["method"] = "magic"
    (tmp_path / "prompt.json").write_text(json.dumps(wrong), encoding="utf-8")
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 1 and "LatentRepaint_KSampler" in ran.stderr and "magic" in ran.stderr


def assert_painted_under_the_mask_alone(picture: bytes) -> None:
    result, original = (np.asarray(Image.open(source).convert("RGB")).astype(int)
                        for source in (io.BytesIO(picture), DEMO / "example_image.png"))
    mask = np.asarray(Image.open(DEMO / "example_mask.png").convert("L")) > 0
    changed = np.abs(result - original).max(-1) > 0
    rows, columns = np.nonzero(mask)
    far = np.ones_like(mask)
    far[max(rows.min() - 17, 0):rows.max() + 18, max(columns.min() - 17, 0):columns.max() + 18] = False
    assert changed[mask].mean() > 0.9 and not changed[far].any()
