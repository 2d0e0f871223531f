"""The README's API call, as it stands there, but for the names of the checkpoint and the pictures."""

import io
import json
import re

import bootstrap
import numpy as np
from PIL import Image

DEMO = bootstrap.ROOT / "demo"
OWN_NAMES = {
    "v1-5-pruned-emaonly.safetensors": "latent-repaint-demo.safetensors",
    "picture.png": "example_image.png",
    "mask.png": "example_mask.png",
}


def test_the_api_call_of_the_readme_paints_under_the_mask_and_nowhere_else(client):
    text = (bootstrap.ROOT / "README.md").read_text(encoding="utf-8")
    (body,) = re.findall(r"/prompt -d '(.*?)'\n```", text, re.DOTALL)
    for name, own in OWN_NAMES.items():
        body = body.replace(f'"{name}"', f'"{own}"')
    run = client.run(json.loads(body)["prompt"])
    (file,) = run.outputs["save"]["images"]
    result, original = (np.asarray(Image.open(source).convert("RGB")).astype(int)
                        for source in (io.BytesIO(client.fetch(file)), DEMO / "example_image.png"))
    mask = np.asarray(Image.open(DEMO / "example_mask.png").convert("L")) > 0
    changed = np.abs(result - original).max(-1) > 0
    rows, columns = np.nonzero(mask)
    far = np.ones_like(mask)
    far[max(rows.min() - 17, 0):rows.max() + 18, max(columns.min() - 17, 0):columns.max() + 18] = False
    assert changed[mask].mean() > 0.9 and not changed[far].any()
    assert run.evaluations("sample") == 40
