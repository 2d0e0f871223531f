"""Whole graphs in one box, subgraphs/<name>.json: what the page offers among its nodes as blueprints.

Every widget that a box shows is an input of the box, too, which leads to the node inside. Both pages want it so: the
page of 0.3.75 saves the values of a box by position, and mixes them up where some widgets are inputs and some are not;
newer pages give the nodes inside other numbers, and find by its input alone which widget was meant.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from .everyday import UNWANTED, prompts, sampled
from .layout import Graph, Node, Source

Shown = tuple[Node, str, str]
"""A widget on the box: the node inside that has it, its name, and the words that a person reads."""
SAMPLING = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise", "method", "evaluations_per_step")
BOX = [330, 560]
FIRST = 9000  # above what a workflow has: a page gives a node inside another number if its own is taken
PREVIEW = "$$canvas-image-preview"  # the page's own name of the picture on a node


def border(**inputs: str) -> Node:
    """The inputs of the box, name and type, as a node inside of it whose outputs they are."""
    return Node(-10, {"outputs": [{"name": name, "type": kind, "links": []} for name, kind in inputs.items()]}, 0)


def around_the_mask(
    graph: Graph, box: Node, mask: Source, texts: tuple[Node, Node], **sampling: Any
) -> tuple[Node, Node, Node]:
    """Crop, Encode, KSampler, VAE Decode and Stitch: a large picture is sampled around its mask alone, at the size that
    the model was trained at."""
    cut = graph.add(
        "LatentRepaint_Crop", image=box, mask=mask, model=box, output_target_width=0, output_target_height=0
    )
    latent = graph.add("LatentRepaint_Encode", image=cut, mask=cut, vae=box)
    sampler = sampled(graph, box, *texts, latent, **sampling)
    decode = graph.add("VAEDecode", samples=sampler, vae=box)
    return cut, sampler, graph.add("LatentRepaint_Stitch", stitch=cut, generated=decode, painted_mask=latent)


def texts_on_the_box(texts: tuple[Node, Node]) -> list[Shown]:
    return [(texts[0], "text", "prompt"), (texts[1], "text", "negative prompt")]


def settings_on_the_box(sampler: Node, *left_out: str) -> list[Shown]:
    return [(sampler, name, name) for name in SAMPLING if name not in left_out]


def context_on_the_box(cut: Node) -> Shown:
    return cut, "context_from_mask_extend_factor", "context (times the mask)"


def inpaint(graph: Graph) -> dict[str, Any]:
    box = border(model="MODEL", clip="CLIP", vae="VAE", image="IMAGE", mask="MASK")
    graph.note(
        "Inpaint",
        "White in the mask is painted; everything else stays as it is. The **prompt** describes what is seen around "
        "it.\n\n*Crop* cuts out the surroundings of the mask, **context** times as wide and high as it, at the size "
        "that the model was trained at; *Stitch* puts the result back. For another size set *output_target_width* and "
        "*_height* of *Crop*.",
    )
    texts = prompts(graph, box, "", UNWANTED)
    cut, sampler, stitch = around_the_mask(graph, box, box, texts)
    return folded(
        graph,
        box,
        stitch,
        [*texts_on_the_box(texts), context_on_the_box(cut), *settings_on_the_box(sampler)],
        "Inpaint, or generative fill: paints part of a picture anew, with any checkpoint and at any size. White in the "
        "mask is painted; everything else stays as it is.",
        ["inpaint", "fill", "generative fill", "repaint", "replace", "mask"],
    )


def remove(graph: Graph) -> dict[str, Any]:
    box = border(model="MODEL", clip="CLIP", vae="VAE", image="IMAGE", mask="MASK")
    graph.note(
        "Remove an object",
        "Mask the whole object, with its shadow.\n\nThe prompt is empty and cfg is 1, so that the surroundings decide. "
        "If the object comes back, describe what is behind it and set cfg to 7. *GrowMask* makes the mask wider, "
        "because what stays visible of the object is continued.",
    )
    texts = prompts(graph, box, "", "")
    grown = graph.add("GrowMask", tall=80, mask=box, expand=6)
    cut, sampler, stitch = around_the_mask(graph, box, grown, texts, cfg=1.0, evaluations_per_step=3.0)
    return folded(
        graph,
        box,
        stitch,
        [
            (texts[0], "text", "prompt (may stay empty)"),
            (grown, "expand", "grow mask (pixels)"),
            context_on_the_box(cut),
            *settings_on_the_box(sampler, "denoise"),
        ],
        "Removes, or erases, an object: mask it with its shadow, and the surroundings are carried on where it stood. "
        "Needs no prompt.",
        ["remove", "remove object", "erase", "eraser", "delete", "clean up", "object removal", "inpaint"],
    )


def outpaint(graph: Graph) -> dict[str, Any]:
    box = border(model="MODEL", clip="CLIP", vae="VAE", image="IMAGE")
    graph.note(
        "Outpaint",
        "Left, top, right, bottom: pixels to add. The **prompt** describes the whole new picture.\n\nThe last cells of "
        "the old picture are painted, too (*mask_expand_cells*), so that no line is left.",
    )
    texts = prompts(graph, box, "", UNWANTED)
    padded = graph.add("ImagePadForOutpaint", image=box, left=128, top=0, right=128, bottom=0, feathering=0)
    latent = graph.add("LatentRepaint_Encode", image=padded, mask=padded, vae=box)
    sampler = sampled(graph, box, *texts, latent)
    decode = graph.add("VAEDecode", samples=sampler, vae=box)
    composite = graph.add("LatentRepaint_Composite", original=padded, generated=decode, mask=latent)
    margins = [(padded, side, f"{side} (pixels to add)") for side in ("left", "top", "right", "bottom")]
    return folded(
        graph,
        box,
        composite,
        [*texts_on_the_box(texts), *margins, *settings_on_the_box(sampler)],
        "Outpaint, or extend: a larger canvas around the picture, painted so that no line is left at the old border. "
        "The prompt describes the whole new picture.",
        ["outpaint", "extend", "expand", "uncrop", "zoom out", "inpaint"],
    )


def folded(
    graph: Graph, box: Node, last: Node, shown: Sequence[Shown], description: str, search: Sequence[str]
) -> dict[str, Any]:
    """What the page loads: a graph of one node, whose definition holds the others.

    Arguments:
        last: the node whose image and report the box gives.
        shown: the widgets on the box, each of a node inside.
        search: what people type who look for the box, for pages that read it.
    """
    name, outputs = graph.name, {output: last[output] for output in ("image", "report")}
    sockets = len(box.data["outputs"])
    for node, widget, label in shown:
        (position,) = (i for i, slot in enumerate(node.data["inputs"]) if slot["name"] == widget)
        slot, taken = node.data["inputs"][position], [other["name"] for other in box.data["outputs"]]
        unique = f"{widget}_1" if widget in taken else widget
        box.data["outputs"].append({"name": unique, "label": label, "type": slot["type"], "links": []})
        slot["label"] = label
        graph.link(box, len(box.data["outputs"]) - 1, node, position)
    end = Node(-20, {"inputs": [{"link": None} for _ in outputs]}, 0)
    for position, (node, slot) in enumerate(outputs.values()):
        graph.link(node, slot, end, position)
    for link in graph.links:
        link[1], link[3] = (FIRST + end if end > 0 else end for end in (link[1], link[3]))
    for index, node in enumerate(graph.nodes):
        node.id = node.data["id"] = FIRST + node.id
        node.data["pos"], node.data["size"] = [460 * (index // 2), 480 * (index % 2)], [420, node.height or 100]
    identity, top = _uuid(name, "definition"), FIRST + len(graph.nodes)
    entries = [
        {"id": _uuid(name, "in", slot["name"]), "name": slot["name"], "type": slot["type"], "linkIds": slot["links"]}
        | ({"label": slot["label"]} if "label" in slot else {})
        for slot in box.data["outputs"]
    ]
    exits = [
        {"id": _uuid(name, "out", key), "name": key, "type": source[0].data["outputs"][source[1]]["type"],
         "linkIds": [slot["link"]]}
        for (key, source), slot in zip(outputs.items(), end.data["inputs"], strict=True)
    ]  # fmt: skip
    sampler = str(next(node.id for node, widget, _ in shown if widget == "seed"))
    width = 460 * ((len(graph.nodes) + 1) // 2)
    definition = {
        "id": identity,
        "version": 1,
        "state": {"lastGroupId": 0, "lastNodeId": top, "lastLinkId": len(graph.links), "lastRerouteId": 0},
        "revision": 0,
        "config": {},
        "name": name,
        "inputNode": {"id": -10, "bounding": [-220, 0, 140, 20 * len(entries) + 40]},
        "outputNode": {"id": -20, "bounding": [width + 40, 0, 120, 20 * len(exits) + 40]},
        "inputs": entries,
        "outputs": exits,
        "widgets": [],
        "nodes": [node.data for node in graph.nodes],
        "groups": [],
        "links": [
            dict(zip(("id", "origin_id", "origin_slot", "target_id", "target_slot", "type"), link, strict=True))
            for link in graph.links
        ],
        "extra": {},
    }
    node = {
        "id": 1,
        "type": identity,
        "pos": [0, 0],
        "size": BOX,
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [
            {"name": slot["name"], "type": slot["type"], "link": None}
            | ({} if position < sockets else {"label": slot["label"], "widget": {"name": slot["name"]}})
            for position, slot in enumerate(entries)
        ],
        "outputs": [{"name": slot["name"], "type": slot["type"], "links": []} for slot in exits],
        "title": name,
        "properties": {
            "previewExposures": [{"name": PREVIEW, "sourceNodeId": sampler, "sourcePreviewName": PREVIEW}],
            "cnr_id": "latent-repaint",
            "ver": "0.2.0",
        },
        "widgets_values": [],
    }
    return {
        "id": _uuid(name, "graph"),
        "revision": 0,
        "last_node_id": 1,
        "last_link_id": 0,
        "nodes": [node],
        "links": [],
        "groups": [],
        "definitions": {"subgraphs": [definition]},
        "config": {},
        "extra": {
            "BlueprintDescription": description,
            "BlueprintSearchAliases": list(search),
            "frontendVersion": "1.32.9",
        },
        "version": 0.4,
    }


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(["latent-repaint", *parts])))


BLUEPRINTS = {
    "Inpaint, Fill, Repaint (Latent RePaint)": inpaint,
    "Outpaint, Extend (Latent RePaint)": outpaint,
    "Remove Object, Erase (Latent RePaint)": remove,
}
