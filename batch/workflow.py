"""A workflow in API format: which of its nodes take the picture, the mask, the texts and the seed, and give the result.

The workflow of a picture is this one with some inputs replaced; nothing is added and nothing is rewired.
"""

import copy
import functools
from dataclasses import dataclass
from typing import Any

from comfyui_host.prompt import Address, Prompt, described, links, listed, node_named, seed_limits, seeds, split, texts

from . import Refused

MASK_OUTPUT = 1  # of LoadImage: what its alpha leaves to be painted


@dataclass(frozen=True)
class Workflow:
    """A prompt, and where each picture goes in it."""

    prompt: Prompt
    image: str  # the node that loads the picture
    mask: str  # the node that loads the mask; empty if there is none
    mask_in_alpha: bool  # the picture's own loader gives the mask, so the mask travels as the picture's alpha
    result: str  # the node whose first picture is the result
    fixed: frozenset[str] = frozenset()  # inputs set from outside, "node.input"; seeds among them stay as they are

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
        """The prompt of one picture, and each seed in it by "node.input", folded into what its node takes, as `known`
        says, the host's word on its nodes. `image` and `mask` are names among its inputs."""
        prompt, used = copy.deepcopy(self.prompt), {}
        for (node, name), users in self.seeds.items():
            least, most = seed_limits(prompt, [(node, name), *users], known)
            used[f"{node}.{name}"] = prompt[node]["inputs"][name] = least + (seed - least) % (most - least + 1)
        prompt[self.image]["inputs"]["image"] = image
        if self.mask:
            prompt[self.mask]["inputs"]["image"] = mask
        for key, value in settings.items():
            node, name = split(prompt, key)
            prompt[node]["inputs"][name] = value
            used |= {key: value} if key in used else {}
        return prompt, used

    def text(self, side: str) -> str:
        """Where the prompt ("positive") or the negative prompt ("negative") is written: "node.input". A text that leads
        to both is the prompt, as where the negative is its ConditioningZeroOut. Raises Refused if it is not clear."""
        positive, negative = texts(self.prompt, "positive"), texts(self.prompt, "negative")
        found = positive if side == "positive" else negative - positive
        if side == "negative" and negative and not found:
            why = "is made from the prompt (ConditioningZeroOut and the like): writing there would overwrite the prompt"
            raise Refused(f"there is no negative prompt to be written, as the negative side {why}")
        if len(found) != 1:
            said = f"{len(found)} texts of the workflow lead to '{side}': give NODE.INPUT instead"
            raise Refused(f"{said}. The nodes: {listed(self.prompt)}")
        return ".".join(found.pop())

    def checkpoint(self) -> str:
        """Where the checkpoint is named: "node.input"."""
        found = [key for key, node in self.prompt.items() if isinstance(node["inputs"].get("ckpt_name"), str)]
        if len(found) != 1:
            raise Refused(f"{len(found)} nodes load a checkpoint; give --set NODE.ckpt_name=NAME instead")
        return f"{found[0]}.ckpt_name"


def understood(prompt: Prompt, image: str | None, mask: str | None, result: str | None) -> Workflow:
    """The workflow with its nodes found, of which the user may have named some, by id or title. Raises Refused if it is
    not clear which node is meant; the message lists the candidates."""
    loaders = [node for node, content in prompt.items() if isinstance(content["inputs"].get("image"), str)]
    masks = [node for node in loaders if _gives_only_mask(prompt, node)]
    mask_node, named = _chosen(prompt, mask, "--mask"), node_named(prompt, "mask")
    pictures = [node for node in loaders if node not in (*masks, mask_node, named)]
    image_node = _chosen(prompt, image, "--image") or _one(
        prompt, loaders, pictures, "image", "take the picture, as LoadImage does"
    )
    masks, others = ([node for node in some if node != image_node] for some in (masks, loaders))
    if not mask_node and (masks or named in others):
        mask_node = _one(prompt, others, masks, "mask", "take the mask, as LoadImageMask does")
    for node in filter(None, (image_node, mask_node)):
        if node not in loaders:
            raise Refused(f"node {node} loads no picture; those that do: {listed(prompt, loaders)}")
    if image_node == mask_node:
        raise Refused(f"node {described(prompt, mask_node)} cannot take both the picture and the mask")
    if mask_node and not _outputs(prompt, mask_node):
        raise Refused(f"node {described(prompt, mask_node)} should take the mask, but leads nowhere")
    savers = [node for node, content in prompt.items() if content["class_type"] == "SaveImage"]
    savers = savers or [node for node, content in prompt.items() if content["class_type"] == "PreviewImage"]
    result_node = _chosen(prompt, result, "--result") or _one(
        prompt, list(prompt), savers, "result", "give the result, as SaveImage does"
    )
    return Workflow(prompt, image_node, mask_node, MASK_OUTPUT in _outputs(prompt, image_node), result_node)


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


def _one(prompt: Prompt, possible: list[str], likely: list[str], title: str, what: str) -> str:
    """The node with the title, or the only likely one."""
    named = node_named(prompt, title)
    if named in possible or len(likely) == 1:
        return str(named) if named in possible else likely[0]
    how = f"give one the title '{title}', or say --{title} NODE"
    raise Refused(f"{len(likely)} nodes could {what}: {how}. Candidates: {listed(prompt, likely) or 'none'}")
