"""Words for the person: on the node, and in the log."""

import logging
import sys
from typing import Any

from comfy_api.v0_0_2 import ui
from comfy_execution.utils import get_executing_context

NOTHING_MASKED = "Nothing is masked: paint a mask in Load Image, right click > Open in MaskEditor."


def notice(node: str, *texts: str, preview: ui.PreviewImage | None = None) -> dict[str, Any] | None:
    """What a node shows on the page, for `NodeOutput(ui=...)`: its preview, and texts that are not empty.

    The texts go to the log, too. The page draws a text of the result on few nodes, and one that is sent while a node
    runs on all of them, so it is sent both ways.
    """
    shown = {} if preview is None else preview.as_dict()
    text = "\n".join(filter(None, texts))
    if text:
        logging.warning("%s: %s", node, text)
        context, server = get_executing_context(), sys.modules.get("server")  # none where the host runs without a page
        if context is not None and server is not None:
            server.PromptServer.instance.send_progress_text(text, context.node_id)
        shown["text"] = (text,)
    return shown or None
