"""A workflow in API format: which of its nodes take the picture, the mask, the texts and the seed, and give the result.

The workflow of a picture is this one with some inputs replaced; nothing is added and nothing is rewired.
"""

from __future__ import annotations

import copy
import functools
import json
import math
from dataclasses import dataclass
from typing import Any

from comfyui_host.prompt import (
    Address,
    Prompt,
    described,
    links,
    listed,
    node_named,
    seed_limits,
    seeds,
    texts,
)  # fmt: skip

from . import Refused

MASK_OUTPUT = 1
"""LoadImage's second output: what its alpha leaves to be painted."""


@dataclass(frozen=True)
class Workflow:
    """A prompt, and where each picture goes in it.

    Attributes:
        prompt: The nodes, by id.
        image: The node that loads the picture.
        mask: The node that loads the mask; empty if there is none.
        mask_in_alpha: The picture's own loader gives the mask, so the mask travels as the picture's alpha.
        result: The node whose first picture is the result.
        fixed: Inputs that were set from outside, "node.input"; seeds among them stay as they are.
    """

    prompt: Prompt
    image: str
    mask: str
    mask_in_alpha: bool
    result: str
    fixed: frozenset[str] = frozenset()

    @property
    def wants_mask(self) -> bool:
        return bool(self.mask) or self.mask_in_alpha

    @functools.cached_property
    def seeds(self) -> dict[Address, list[Address]]:
        """Where each picture's seed goes, and the inputs that it reaches from there by a link."""
        return {at: users for at, users in seeds(self.prompt)[0].items() if ".".join(at) not in self.fixed}

    @property
    def strange_seeds(self) -> list[str]:
        """The seeds that come from where they cannot be set, in words."""
        return [f"{name} of node {described(self.prompt, node)}" for node, name in seeds(self.prompt)[1]]

    def filled(
        self, image: str, mask: str, seed: int, settings: dict[str, Any], known: dict[str, Any]
    ) -> tuple[Prompt, dict[str, int]]:
        """The prompt of one picture, and each seed in it by "node.input", folded into what its node takes.

        Arguments:
            image, mask: Names among the host's inputs.
            settings: Values by "node.input".
            known: What the host says of its nodes.
        """
        prompt, used = copy.deepcopy(self.prompt), {}
        for (node, name), users in self.seeds.items():
            least, most = seed_limits(prompt, [(node, name), *users], known)
            used[f"{node}.{name}"] = prompt[node]["inputs"][name] = least + (seed - least) % (most - least + 1)
        prompt[self.image]["inputs"]["image"] = image
        if self.mask:
            prompt[self.mask]["inputs"]["image"] = mask
        for key, value in settings.items():
            node, name = self.split(key)
            prompt[node]["inputs"][name] = value
            used.pop(key, None)
        return prompt, used

    def split(self, key: str) -> Address:
        """Node and input of "node.input"; both may have a dot in them. The longest name of a node counts."""
        at = len(key)
        while (at := key.rfind(".", 0, at)) > 0:
            if node := node_named(self.prompt, key[:at]):
                return node, key[at + 1 :]
        where = key.rpartition(".")[0]
        raise Refused(f"'{key}': no node has the id or the title '{where}'. There are: {listed(self.prompt)}")

    def address(self, key: str) -> str:
        """The input "node.input" with the node's id, from one that may give its title.

        Raises:
            Refused: If there is no such input, or another node feeds it.
        """
        node, name = self.split(key)
        inputs = self.prompt[node]["inputs"]
        if name not in inputs:
            raise Refused(f"'{key}': node {described(self.prompt, node)} has the inputs {', '.join(inputs)}")
        if isinstance(inputs[name], list):
            raise Refused(f"'{key}': this input of node {described(self.prompt, node)} comes from another node")
        return f"{node}.{name}"

    def text(self, side: str) -> str:
        """Where the prompt ("positive") or the negative prompt ("negative") is written: "node.input".

        A text that leads to both is the prompt, as where the negative is its ConditioningZeroOut.

        Raises:
            Refused: If not exactly one text leads to the inputs of that name.
        """
        positive, negative = texts(self.prompt, "positive"), texts(self.prompt, "negative")
        found = positive if side == "positive" else negative - positive
        if side == "negative" and negative and not found:
            raise Refused(
                "there is no negative prompt to be written: in this workflow the negative side is made from the prompt "
                "(ConditioningZeroOut and the like), so that writing there would overwrite the prompt"
            )
        if len(found) != 1:
            raise Refused(
                f"{len(found)} texts of the workflow lead to '{side}', so it is not clear which is meant: give "
                f"NODE.text instead. The nodes: {listed(self.prompt)}"
            )
        return ".".join(found.pop())

    def checkpoint(self) -> str:
        """Where the checkpoint is named: "node.input"."""
        found = [key for key, node in self.prompt.items() if isinstance(node["inputs"].get("ckpt_name"), str)]
        if len(found) != 1:
            raise Refused(f"{len(found)} nodes load a checkpoint; give --set NODE.ckpt_name=NAME instead")
        return f"{found[0]}.ckpt_name"

    def converted(self, key: str, value: Any) -> Any:
        """A value from a table or the command line, as the kind of thing that stands in the workflow now.

        Raises:
            ValueError: If it cannot be one.
        """
        node, name = self.split(key)
        kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        wanted = next((kind for kind in kinds if isinstance(self.prompt[node]["inputs"][name], kind)), None)
        if wanted is None:
            raise ValueError(f"input {key}: it is neither a number nor a text, and cannot be set")
        if isinstance(value, (str, int, float)):
            if wanted is str:
                return str(value)
            try:
                made = json.loads(str(value).lower() if wanted is bool else str(value))
                fits = isinstance(made, bool) == (wanted is bool) and isinstance(made, (int, wanted))
                if fits and abs(made) < math.inf:
                    return float(made) if wanted is float else made
            except (ValueError, OverflowError, RecursionError):
                pass
        raise ValueError(f"input {key}: found {str(value)[:80]!r}, wanted {kinds[wanted]}")


def understood(prompt: Prompt, image: str | None, mask: str | None, result: str | None) -> Workflow:
    """The workflow with its nodes found.

    Arguments:
        image, mask, result: Nodes by id or title, where the user said which.

    Raises:
        Refused: If it is not clear which node is meant; the message lists the candidates.
    """
    loaders = [node for node, content in prompt.items() if isinstance(content["inputs"].get("image"), str)]
    mask_node = _chosen(prompt, mask, "--mask")
    image_node = _chosen(prompt, image, "--image") or _picture_loader(prompt, loaders, mask_node)
    mask_node = mask_node or _mask_loader(prompt, [node for node in loaders if node != image_node])
    for node in filter(None, (image_node, mask_node)):
        if node not in loaders:
            raise Refused(f"node {node} loads no picture; those that do: {listed(prompt, loaders)}")
    if image_node == mask_node:
        raise Refused(f"node {described(prompt, mask_node)} cannot take both the picture and the mask")
    if mask_node and not _outputs(prompt, mask_node):
        raise Refused(f"node {described(prompt, mask_node)} should take the mask, but leads nowhere")
    in_alpha = MASK_OUTPUT in _outputs(prompt, image_node)
    return Workflow(prompt, image_node, mask_node, in_alpha, _chosen(prompt, result, "--result") or _saver(prompt))


def _outputs(prompt: Prompt, node: str) -> set[int]:
    """The outputs of a node that others take."""
    return {link[1] for _, _, link in links(prompt) if link[0] == node}


def _gives_only_mask(prompt: Prompt, node: str) -> bool:
    return prompt[node]["class_type"] == "LoadImageMask" or _outputs(prompt, node) == {MASK_OUTPUT}


def _chosen(prompt: Prompt, name: str | None, option: str) -> str:
    if name is None:
        return ""
    node = node_named(prompt, name)
    if node is None:
        raise Refused(f"{option} {name}: no node has this id, or this title alone. There are: {listed(prompt)}")
    return node


def _picture_loader(prompt: Prompt, loaders: list[str], mask: str) -> str:
    named = node_named(prompt, "image")
    if named in loaders:
        return str(named)
    taken = {mask, node_named(prompt, "mask")}
    candidates = [node for node in loaders if node not in taken and not _gives_only_mask(prompt, node)]
    if len(candidates) != 1:
        raise _unclear(prompt, candidates, "take the picture", "image")
    return candidates[0]


def _mask_loader(prompt: Prompt, others: list[str]) -> str:
    named = node_named(prompt, "mask")
    if named in others:
        return str(named)
    candidates = [node for node in others if _gives_only_mask(prompt, node)]
    if len(candidates) > 1:
        raise _unclear(prompt, candidates, "take the mask", "mask")
    return candidates[0] if candidates else ""


def _saver(prompt: Prompt) -> str:
    if named := node_named(prompt, "result"):
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
