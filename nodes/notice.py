"""Words for the person: on the node, and in the log."""

import logging
from typing import Any

from comfy_api.v0_0_2 import ui

NOTHING_MASKED = "Nothing is masked: paint a mask in Load Image, right click > Open in MaskEditor."
NO_MASK = "The latent has no mask, so the whole picture is painted anew: use Encode for Inpaint instead of VAE Encode."


def notice(node: str, *texts: str, preview: ui.PreviewImage | None = None) -> dict[str, Any] | None:
    """What a node shows on the page, for `NodeOutput(ui=...)`: its preview, and texts that are not empty.

    The texts go to the log, too. On the page, web/latent_repaint.js puts them on the node.
    """
    shown = {} if preview is None else preview.as_dict()
    text = "\n".join(filter(None, texts))
    if text:
        logging.warning("%s: %s", node, text)
        shown["text"] = (text,)
    return shown or None
