"""A workflow as the page saves it, turned into a prompt as the host's queue takes it, without a page."""

from __future__ import annotations

from typing import Any

NOTES = ("Note", "MarkdownNote")
BYPASSED = 4
BEHIND = {"seed": 1, "noise_seed": 1}
"""How many values of the page's own, such as control_after_generate, stand behind the value of a widget."""


def to_prompt(graph: dict[str, Any]) -> dict[str, Any]:
    """Widgets are saved by position, in the order of the node's inputs; links by number. A bypassed node is left out:
    what it was given goes on to where its output of that type went.

    Args:
        graph: The content of `workflows/<name>.json`; without subgraphs, reroutes and muted nodes.

    Returns:
        The prompt; a node's id is the one it has in the graph.
    """
    nodes, links = {node["id"]: node for node in graph["nodes"]}, {link[0]: link for link in graph["links"]}

    def source(number: int) -> list[Any]:
        _, origin, slot, _, _, kind = links[number]
        if nodes[origin]["mode"] != BYPASSED:
            return [str(origin), slot]
        return source(next(slot["link"] for slot in nodes[origin]["inputs"] if slot["type"] == kind))

    prompt = {}
    for node in graph["nodes"]:
        if node["type"] in NOTES or node["mode"] == BYPASSED:
            continue
        values, position, inputs = node["widgets_values"], 0, {}
        for slot in node["inputs"]:
            if "widget" in slot:
                inputs[slot["name"]] = values[position]
                position += 1 + BEHIND.get(slot["name"], 0)
            if slot.get("link") is not None:
                inputs[slot["name"]] = source(slot["link"])
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt
