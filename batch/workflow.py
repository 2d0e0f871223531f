"""A workflow in API format: which of its nodes take the picture, the mask, the texts and the seed, and give the result.

The workflow of a picture is this one with some inputs replaced; nothing is added and nothing is rewired.
"""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass
from typing import Any

from .errors import Refused

Prompt = dict[str, dict[str, Any]]
SEEDS = ("seed", "noise_seed")
EXPORT = (
    "it is a workflow as ComfyUI's page saves it. Open it in ComfyUI, choose File > Export (API) in the menu, and give "
    "the file that this makes"
)


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

    def filled(self, image: str, mask: str, seed: int, settings: dict[str, Any]) -> Prompt:
        """The prompt of one picture.

        Arguments:
            image, mask: Names among the host's inputs.
            settings: Values by "node.input".
        """
        prompt = copy.deepcopy(self.prompt)
        for node, inputs in ((key, node["inputs"]) for key, node in prompt.items()):
            for name in SEEDS:
                if isinstance(inputs.get(name), int) and f"{node}.{name}" not in self.fixed:
                    inputs[name] = seed
        prompt[self.image]["inputs"]["image"] = image
        if self.mask:
            inputs = prompt[self.mask]["inputs"]
            inputs["image"] = mask
            if "channel" in inputs:
                inputs["channel"] = "red"  # masks are sent as grey pictures, white is painted
        for key, value in settings.items():
            node, _, name = key.rpartition(".")
            prompt[node]["inputs"][name] = value
        return prompt

    def address(self, key: str) -> str:
        """The input "node.input" with the node's id, from one that may give its title.

        Raises:
            Refused: If there is no such input, or another node feeds it.
        """
        where, _, name = key.rpartition(".")
        node = node_named(self.prompt, where)
        if node is None:
            raise Refused(f"'{key}': no node has the id or the title '{where}'. There are: {listed(self.prompt)}")
        inputs = self.prompt[node]["inputs"]
        if name not in inputs:
            raise Refused(f"'{key}': node {described(self.prompt, node)} has the inputs {', '.join(inputs)}")
        if isinstance(inputs[name], list):
            raise Refused(f"'{key}': this input of node {described(self.prompt, node)} comes from another node")
        return f"{node}.{name}"

    def text(self, side: str) -> str:
        """Where the prompt ("positive") or the negative prompt ("negative") is written: "node.input".

        Raises:
            Refused: If not exactly one text leads to the inputs of that name.
        """
        ends = [node["inputs"][side] for node in self.prompt.values() if isinstance(node["inputs"].get(side), list)]
        found = {text for end in ends for text in _texts(self.prompt, end[0], side, frozenset())}
        if not ends and side == "positive":  # a guider that takes one conditioning
            found = {key for key, node in self.prompt.items() if isinstance(node["inputs"].get("text"), str)}
        if len(found) != 1:
            raise Refused(
                f"{len(found)} texts of the workflow lead to '{side}', so it is not clear which is meant: give "
                f"NODE.text instead. The nodes: {listed(self.prompt)}"
            )
        return f"{found.pop()}.text"

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
        node, _, name = key.rpartition(".")
        now = self.prompt[node]["inputs"][name]
        wanted: Any = next(kind for kind in (bool, int, float, str, object) if isinstance(now, kind))
        if wanted is object or (isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool)):
            return value
        try:
            if wanted is str:
                return str(value)
            made = json.loads(str(value).lower() if wanted is bool else str(value))
            if isinstance(made, bool) == (wanted is bool) and isinstance(made, (int, wanted)) and abs(made) < math.inf:
                return float(made) if wanted is float else made
        except ValueError:
            pass
        names = {bool: "true or false", int: "a whole number", float: "a number"}
        raise ValueError(f"input {key}: found {value!r}, wanted {names[wanted]}")


def parse(text: str, name: str) -> Prompt:
    """The nodes of a workflow in API format, also where they stand under "prompt" as a request to the host has them.

    Raises:
        Refused: If it is something else; a workflow in the page's own format is recognised.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Refused(f"{name} is not JSON: {error}") from None
    if isinstance(found, dict) and isinstance(found.get("nodes"), list):
        raise Refused(f"{name} cannot be used as it is: {EXPORT}")
    if isinstance(found, dict) and isinstance(found.get("prompt"), dict):
        found = found["prompt"]
    if not isinstance(found, dict) or not found:
        raise Refused(f"{name} is not a workflow in API format: wanted an object of nodes by id")
    for key, node in found.items():
        kinds = {"class_type": str, "inputs": dict}
        if not isinstance(node, dict) or not all(isinstance(node.get(key), kind) for key, kind in kinds.items()):
            raise Refused(f"{name} is not a workflow in API format: '{key}' has no class_type and inputs")
    return found


def title(prompt: Prompt, node: str) -> str:
    meta = prompt[node].get("_meta")
    return str(meta.get("title", "")) if isinstance(meta, dict) else ""


def described(prompt: Prompt, node: str) -> str:
    """5 LoadImage "image"."""
    return f"{node} {prompt[node]['class_type']}" + (f' "{title(prompt, node)}"' if title(prompt, node) else "")


def listed(prompt: Prompt, nodes: list[str] | None = None) -> str:
    return "; ".join(described(prompt, node) for node in (prompt if nodes is None else nodes))


def node_named(prompt: Prompt, name: str) -> str | None:
    """The node of this id, or the only one of this title, in whatever case."""
    if name in prompt:
        return name
    found = [node for node in prompt if title(prompt, node).lower() == name.lower()]
    return found[0] if len(found) == 1 else None


def _texts(prompt: Prompt, node: str, side: str, seen: frozenset[str]) -> set[str]:
    """The nodes with a text of their own that lead to this one, on one side where a node has two."""
    if node in seen or node not in prompt:
        return set()
    inputs = prompt[node]["inputs"]
    if isinstance(inputs.get("text"), str):
        return {node}
    ends = [inputs[side]] if side in inputs else list(inputs.values())
    return {text for end in ends if isinstance(end, list) for text in _texts(prompt, end[0], side, seen | {node})}
