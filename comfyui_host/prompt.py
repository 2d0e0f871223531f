"""A prompt, which is a workflow in the API format that the queue takes: what it says of itself, what leads where.

    {"5": {"class_type": "LoadImage", "inputs": {"image": "x.png"}, "_meta": {"title": "Load Image"}}, ...}

An input is a value, or a link to another node's output: [node, number].
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

Prompt = dict[str, dict[str, Any]]
Address = tuple[str, str]
"""A node's id and the name of one of its inputs."""
SEEDS = ("seed", "noise_seed")
MOST_SEED = 2**64 - 1
EXPORT = (
    "it is a workflow as ComfyUI's page saves it. Open it in ComfyUI, choose File > Export (API) in the menu, and give "
    "the file that this makes"
)


def parse(content: bytes, name: str) -> Prompt:
    """The prompt in a file, also where it stands under "prompt" as a request to the host has it.

    Raises:
        ValueError: If it is something else; a workflow in the page's own format is recognised.
    """
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not JSON in UTF-8: wanted the file that File > Export (API) makes") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    if isinstance(found, dict) and isinstance(found.get("nodes"), list):
        raise ValueError(f"{name} cannot be used as it is: {EXPORT}")
    if isinstance(found, dict) and isinstance(found.get("prompt"), dict):
        found = found["prompt"]
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{name} is not a workflow in API format: wanted an object of nodes by id")
    for key, node in found.items():
        kinds = {"class_type": str, "inputs": dict}
        if not isinstance(node, dict) or not all(isinstance(node.get(part), kind) for part, kind in kinds.items()):
            raise ValueError(f"{name} is not a workflow in API format: '{key}' has no class_type and inputs")
    return found


def title(prompt: Prompt, node: str) -> str:
    meta = prompt[node].get("_meta")
    return str(meta.get("title", "")) if isinstance(meta, dict) else ""


def described(prompt: Prompt, node: str) -> str:
    """5 LoadImage "image"."""
    if node not in prompt:
        return node
    return f"{node} {prompt[node]['class_type']}" + (f' "{title(prompt, node)}"' if title(prompt, node) else "")


def listed(prompt: Prompt, nodes: Iterable[str] | None = None) -> str:
    return "; ".join(described(prompt, node) for node in (prompt if nodes is None else nodes))


def node_named(prompt: Prompt, name: str) -> str | None:
    """The node of this id, or the only one of this title, in whatever case."""
    if name in prompt:
        return name
    found = [node for node in prompt if title(prompt, node).lower() == name.lower()]
    return found[0] if len(found) == 1 else None


def split(prompt: Prompt, key: str) -> Address:
    """Node and input of "node.input", where the node may be given by its title, and both may have a dot in their names:
    the longest name of a node counts. Raises ValueError if there is no such node."""
    at = len(key)
    while (at := key.rfind(".", 0, at)) > 0:
        if node := node_named(prompt, key[:at]):
            return node, key[at + 1 :]
    where = key.rpartition(".")[0]
    raise ValueError(f"'{key}': no node has the id or the title '{where}'. There are: {listed(prompt)}")


def address(prompt: Prompt, key: str) -> str:
    """The same with the node's id. Raises ValueError if there is no such input, or another node feeds it."""
    node, name = split(prompt, key)
    inputs = prompt[node]["inputs"]
    if name not in inputs:
        raise ValueError(f"'{key}': node {described(prompt, node)} has the inputs {', '.join(inputs)}")
    if isinstance(inputs[name], list):
        raise ValueError(f"'{key}': this input of node {described(prompt, node)} comes from another node")
    return f"{node}.{name}"


def converted(prompt: Prompt, key: str, value: Any) -> Any:
    """A value from a table or a command line, as the kind of thing that stands at "node.input" now. Raises ValueError
    if it cannot be one. Whether a number must be whole only the host knows: ComfyUI's page writes 1.0 as 1."""
    node, name = split(prompt, key)
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a text of whole characters"}
    wanted: Any = next((kind for kind in kinds if isinstance(prompt[node]["inputs"][name], kind)), None)
    if wanted is None:
        raise ValueError(f"input {key}: it is neither a number nor a text, and cannot be set")
    if isinstance(value, str) or isinstance(value, (int, float)) and abs(value) < math.inf:
        try:
            if wanted is str:
                return str(value).encode().decode()
            made = json.loads(str(value).lower() if wanted is bool else str(value))
            fits = isinstance(made, bool) == (wanted is bool) and isinstance(made, (int, float))
            if fits and abs(made) < math.inf:
                whole = wanted is int and made == int(made)
                return int(made) if whole else float(made) if wanted is float else made
        except (ValueError, OverflowError, RecursionError):
            pass
    raise ValueError(f"input {key}: found {str(value)[:80]!r}, wanted {kinds[wanted]}")


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_link(value: Any, prompt: Prompt) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0] in prompt


def links(prompt: Prompt) -> Iterator[tuple[str, str, list[Any]]]:
    """Every link of a prompt: node, input, and where it comes from."""
    for node, content in prompt.items():
        for name, value in content["inputs"].items():
            if is_link(value, prompt):
                yield node, name, value


def upstream(prompt: Prompt, node: str) -> Prompt:
    """A node and all that leads to it."""
    found, waiting = {node: prompt[node]}, [node]
    while waiting:
        at = waiting.pop()
        for value in prompt[at]["inputs"].values():
            if is_link(value, prompt) and value[0] not in found:
                found[value[0]] = prompt[value[0]]
                waiting.append(value[0])
    return found


def seeds(prompt: Prompt) -> tuple[dict[Address, list[Address]], list[Address]]:
    """Where seeds are written, each with the inputs that it reaches; and the inputs whose seed comes from elsewhere."""
    found: dict[Address, list[Address]] = {}
    strange = []
    for node, content in prompt.items():
        for name in SEEDS:
            value = content["inputs"].get(name)
            if value is None:
                continue
            source = (node, name) if is_whole(value) else _source(prompt, value, int, SEEDS)
            if source:
                found.setdefault(source, []).append((node, name))
            else:
                strange.append((node, name))
    return found, strange


def texts(prompt: Prompt, side: str) -> set[Address]:
    """Where the texts are written that lead to the inputs called `side`, "positive" or "negative"."""
    ends = [node["inputs"].get(side) for node in prompt.values()]
    if side == "positive" and not any(is_link(end, prompt) for end in ends):  # a guider that takes one conditioning
        return {text for node in prompt for text in _text_in(prompt, node)}
    return {text for end in ends for text in _texts(prompt, end, side, frozenset())}


def misfits(prompt: Prompt, known: dict[str, Any], but: Iterable[Address] = ()) -> list[str]:
    """What a host cannot do of a prompt: nodes, files or other choices that it lacks, and fractions where it would cut
    them off without a word.

    Arguments:
        known: The host's answer to /object_info.
        but: Inputs that are not looked at.
    """
    wrong, but = [], set(but)
    for node, content in prompt.items():
        specs = _specs(known, content["class_type"])
        if specs is None:
            wrong.append(f"the host does not know node {described(prompt, node)}: install its node pack there")
        for name, spec in (specs or {}).items():
            value, choices = content["inputs"].get(name), _choices(spec)
            where = f"node {described(prompt, node)}, input {name}"
            if isinstance(value, float) and isinstance(spec, list) and spec[:1] == ["INT"] and value % 1:
                wrong.append(f"{where}: found {value}, wanted a whole number")
            if isinstance(value, str) and choices is not None and value not in choices and (node, name) not in but:
                some = ", ".join(map(str, choices[:8])) + (", ..." if len(choices) > 8 else "")
                wrong.append(f"{where}: found '{value}', the host has: {some or 'none'}")
    return wrong


def seed_limits(prompt: Prompt, addresses: Iterable[Address], known: dict[str, Any]) -> tuple[int, int]:
    """The least and the largest seed that all of these inputs take, as the host says."""
    least, most = 0, MOST_SEED
    for node, name in addresses:
        spec = (_specs(known, prompt[node]["class_type"]) or {}).get(name)
        more = spec[1] if isinstance(spec, list) and len(spec) > 1 and isinstance(spec[1], dict) else {}
        least = max(least, more["min"]) if is_whole(more.get("min")) else least
        most = min(most, more["max"]) if is_whole(more.get("max")) else most
    return (least, most) if least <= most else (0, MOST_SEED)


def _source(prompt: Prompt, link: Any, kind: type, users: tuple[str, ...]) -> Address | None:
    """The one value of a kind that a link leads back to; None if that value goes to an input of another name."""
    seen: set[str] = set()
    while is_link(link, prompt) and link[0] not in seen:
        node, inputs = link[0], prompt[link[0]]["inputs"]
        seen.add(node)
        values = [name for name, value in inputs.items() if isinstance(value, kind) and not isinstance(value, bool)]
        ends = [value for value in inputs.values() if is_link(value, prompt)]
        named = [name for name in values if name in users]
        if len(named) == 1 or (len(values) == 1 and not ends):
            only = all(name in users for _, name in _goes_to(prompt, node, frozenset()))
            return (node, (named or values)[0]) if only else None
        if values or len(ends) != 1:
            return None
        link = ends[0]
    return None


def _goes_to(prompt: Prompt, node: str, seen: frozenset[str]) -> set[Address]:
    """The inputs that a node's outputs reach, through nodes that do nothing but hand on."""
    found = {(at, name) for at, name, link in links(prompt) if link[0] == node and at not in seen}
    through = {(at, name) for at, name in found if list(prompt[at]["inputs"]) == [name] and name not in SEEDS}
    return (found - through).union(*(_goes_to(prompt, at, seen | {node, at}) for at, _ in through))


def _texts(prompt: Prompt, link: Any, side: str, seen: frozenset[str]) -> set[Address]:
    """The texts that lead to a link, on one side where a node has two."""
    if not is_link(link, prompt) or link[0] in seen:
        return set()
    node, inputs = link[0], prompt[link[0]]["inputs"]
    if "text" in inputs:
        return _text_in(prompt, node)
    ends = [inputs[side]] if side in inputs else list(inputs.values())
    return {text for end in ends for text in _texts(prompt, end, side, seen | {node})}


def _text_in(prompt: Prompt, node: str) -> set[Address]:
    """The text that a node encodes, written in it or in a node that does nothing but hold it."""
    text = prompt[node]["inputs"].get("text")
    source = (node, "text") if isinstance(text, str) else _source(prompt, text, str, ("text",))
    return {source} if source else set()


def _specs(known: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """What a host says of the inputs of a kind of node; None if it does not know it."""
    found = known.get(kind)
    inputs = found.get("input") if isinstance(found, dict) else None
    if not isinstance(inputs, dict):
        return None if found is None else {}
    parts = [inputs.get(part) for part in ("required", "optional")]
    return {name: spec for part in parts if isinstance(part, dict) for name, spec in part.items()}


def _choices(spec: Any) -> list[Any] | None:
    """The values that an input can take, if the host lists them: in the old way in place of the type, or beside it."""
    if not isinstance(spec, list) or not spec or isinstance(spec[0], list):
        return spec[0] if isinstance(spec, list) and spec else None
    more = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    return more["options"] if spec[0] == "COMBO" and isinstance(more.get("options"), list) else None
