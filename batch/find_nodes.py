"""Finds the nodes of a workflow that take the picture and the mask and give the result."""

from __future__ import annotations

from .errors import Refused
from .workflow import Prompt, Workflow, listed, node_named

MASK_OUTPUT = 1
"""LoadImage's second output: what its alpha leaves to be painted."""


def understood(prompt: Prompt, image: str | None, mask: str | None, result: str | None) -> Workflow:
    """The workflow with its nodes found.

    Arguments:
        image, mask, result: Nodes by id or title, where the user said which.

    Raises:
        Refused: If it is not clear which node is meant; the message lists the candidates.
    """
    loaders = [node for node, content in prompt.items() if isinstance(content["inputs"].get("image"), str)]
    image_node = _chosen(prompt, image, "--image") or _picture_loader(prompt, loaders)
    others = [node for node in loaders if node != image_node]
    mask_node = _chosen(prompt, mask, "--mask") or _mask_loader(prompt, others)
    in_alpha = not mask_node and any(
        link == [image_node, MASK_OUTPUT] for node in prompt.values() for link in node["inputs"].values()
    )
    for node in filter(None, (image_node, mask_node)):
        if node not in loaders:
            raise Refused(f"node {node} loads no picture; those that do: {listed(prompt, loaders)}")
    result_node = _chosen(prompt, result, "--result") or _saver(prompt)
    return Workflow(prompt, image_node, mask_node, in_alpha, result_node)


def _chosen(prompt: Prompt, name: str | None, option: str) -> str:
    if name is None:
        return ""
    node = node_named(prompt, name)
    if node is None:
        raise Refused(f"{option} {name}: no node has this id, or this title alone. There are: {listed(prompt)}")
    return node


def _picture_loader(prompt: Prompt, loaders: list[str]) -> str:
    named = node_named(prompt, "image")
    if named in loaders:
        return str(named)
    candidates = [n for n in loaders if prompt[n]["class_type"] != "LoadImageMask" and n != node_named(prompt, "mask")]
    if len(candidates) != 1:
        raise _unclear(prompt, candidates, "take the picture", "image")
    return candidates[0]


def _mask_loader(prompt: Prompt, others: list[str]) -> str:
    named = node_named(prompt, "mask")
    if named in others:
        return str(named)
    candidates = [node for node in others if prompt[node]["class_type"] == "LoadImageMask"]
    if len(candidates) > 1:
        raise _unclear(prompt, candidates, "take the mask", "mask")
    return candidates[0] if candidates else ""


def _saver(prompt: Prompt) -> str:
    named = node_named(prompt, "result")
    if named:
        return named
    for kind in ("SaveImage", "PreviewImage"):
        found = [node for node, content in prompt.items() if content["class_type"] == kind]
        if len(found) == 1:
            return found[0]
        if found:
            raise _unclear(prompt, found, "give the result", "result")
    raise Refused(
        f"no SaveImage or PreviewImage gives a result: add one, or say --result NODE. There are: {listed(prompt)}"
    )


def _unclear(prompt: Prompt, candidates: list[str], what: str, title: str) -> Refused:
    return Refused(
        f"{len(candidates)} nodes could {what}: give one the title '{title}', or say --{title} NODE. "
        f"Candidates: {listed(prompt, candidates) or 'none; a LoadImage is wanted'}"
    )
