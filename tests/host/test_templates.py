"""The templates are what their descriptions say, and the examples what their script draws."""

import numpy as np
from PIL import Image

from comfyui_host import install
from demo import examples, templates


def test_the_workflows_are_what_their_descriptions_make():
    texts = templates.texts()
    paths = [path for folder in ("workflows", "subgraphs") for path in (install.ROOT / folder).glob("*.json")]
    written = {path.relative_to(install.ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    assert written.keys() == texts.keys()
    assert [name for name in texts if texts[name] != written[name]] == []  # else: python demo templates


def test_the_examples_are_what_their_script_draws():
    for name, picture in examples.pictures().items():
        path = install.ROOT / "demo" / f"example_{name}.png"
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(picture)), name
