"""Words for the person: on the node, and in the log."""

import logging
import sys
from typing import Any

from comfy_api.v0_0_2 import ui
from comfy_execution.utils import get_executing_context

NOTHING_MASKED = "Nothing is masked: paint a mask in Load Image, right click > Open in MaskEditor."
MAX_TOLD = 1000
_told: dict[tuple[str, str], None] = {}
"""Page and node of each text that stands on a node now, so that the next run takes it away; the oldest are forgotten.
"""


def notice(node: str, *texts: str, preview: ui.PreviewImage | None = None) -> dict[str, Any] | None:
    """What a node shows on the page, for `NodeOutput(ui=...)`: its preview, and texts that are not empty.

    The texts go to the log, too. The page draws a text of the result on few nodes, and one that is sent while a node
    runs on all of them, so it is sent both ways.
    """
    shown = {} if preview is None else preview.as_dict()
    text = "\n".join(filter(None, texts))
    if text:
        logging.warning("%s: %s", node, text)
        shown["text"] = (text,)
    _tell(text)
    return shown or None


def _tell(text: str) -> None:
    """Shows a text on the node that runs now, on the page that queued it; an empty one only in place of another."""
    context, server = get_executing_context(), sys.modules.get("server")  # there is none where the host has no page
    if context is None or server is None:
        return
    page = server.PromptServer.instance.client_id  # None: queued by a program that does not listen
    place = (str(page), context.node_id)
    if page is None or not (text or place in _told):
        return
    # the page passes over an empty text
    server.PromptServer.instance.send_progress_text(text or " ", context.node_id, sid=page)
    _told.pop(place, None)
    if text:
        _told[place] = None
        while len(_told) > MAX_TOLD:
            del _told[next(iter(_told))]
