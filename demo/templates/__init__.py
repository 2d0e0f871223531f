"""`python demo templates`: writes what a user opens, in workflows/ and subgraphs/, from descriptions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from comfyui_host import in_process, install

from . import blueprints, everyday, further, samplers
from .layout import Graph

ALL = dict(sorted((everyday.TEMPLATES | further.TEMPLATES | samplers.TEMPLATES).items()))


def kinds() -> dict[str, Any]:
    """The classes of all nodes, the host's and ours, by their type."""
    host = in_process.start()
    asyncio.run(host.nodes.init_builtin_extra_nodes())
    from latent_repaint.nodes import NODES

    return host.nodes.NODE_CLASS_MAPPINGS | {node.GET_SCHEMA().node_id: node for node in NODES}


def texts() -> dict[str, str]:
    """The content of every template's and blueprint's file, by its path in the repository."""
    known, result = kinds(), {}
    for name, describe in ALL.items():
        graph = Graph(name, known)
        describe(graph)
        result[f"workflows/{name}.json"] = _written(graph.workflow())
    for name, fold in blueprints.BLUEPRINTS.items():
        result[f"subgraphs/{name}.json"] = _written(fold(Graph(name, known)))
    return result


def _written(workflow: dict[str, Any]) -> str:
    return json.dumps(workflow, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    for path, text in texts().items():
        (install.ROOT / path).write_text(text, encoding="utf-8")
        print(path)
