"""Words for the person: one line on the node, and the log."""

import logging
from typing import Any

from comfy_api.v0_0_2 import ui

NOTHING_MASKED = "Nothing is masked: paint a mask in Load Image, right click > Open in MaskEditor."
NO_MASK = "The latent has no mask, so the whole picture is painted anew: use Encode for Inpaint instead of VAE Encode."


def notice(node: str, *amiss: str, done: str = "", preview: ui.PreviewImage | None = None) -> dict[str, Any] | None:
    """What a node shows on the page, for `NodeOutput(ui=...)`: its preview, and one line.

    The line is the first of what is amiss that is not empty, so the worst comes first, or else what was done. All that
    is amiss goes to the log, too. On the page, web/latent_repaint.js puts the line on the node.
    """
    shown = {} if preview is None else preview.as_dict()
    found = [text for text in amiss if text]
    for text in found:
        logging.warning("%s: %s", node, text)
    if found or done:
        shown |= {"text": (found[0] if found else done,), "amiss": (bool(found),)}
    return shown or None
