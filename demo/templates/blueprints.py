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

from .everyday import prompts, sampled
from .layout import Graph, Node, Source

SAMPLING = "seed control_after_generate steps cfg sampler_name scheduler denoise method evaluations_per_step".split()
SETTINGS: dict[str, Any] = {"seed": 0, "steps": 25, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal"}
BOX = [330, 420]
FIRST = 9000  # above what a workflow has: a page gives a node inside another number if its own is taken
PREVIEW = "$$canvas-image-preview"  # the page's own name of the picture on a node


def border(**inputs: str) -> Node:
    """The inputs of the box, name and type, as a node inside of it whose outputs they are."""
    return Node(-10, {"outputs": [{"name": name, "type": kind, "links": []} for name, kind in inputs.items()]}, 0)


def around_the_mask(
    graph: Graph, box: Node, mask: Source, positive: Source, negative: Source, **sampling: Any
) -> tuple[Node, Node, Node]:
    """Crop, Encode, KSampler, VAE Decode and Stitch: a large picture is sampled around its mask alone."""
    cut = graph.add("LatentRepaint_Crop", image=box, mask=mask)
    latent = graph.add("LatentRepaint_Encode", image=cut, mask=cut, vae=box)
    sampler = _random(sampled(graph, box, positive, negative, latent, **SETTINGS | sampling))
    decode = graph.add("VAEDecode", samples=sampler, vae=box)
    return cut, sampler, graph.add("LatentRepaint_Stitch", stitch=cut, generated=decode, painted_mask=latent)


def inpaint(graph: Graph) -> dict[str, Any]:
    box = border(model="MODEL", positive="CONDITIONING", negative="CONDITIONING", vae="VAE", image="IMAGE", mask="MASK")
    graph.note(
        "Inpaint",
        ["White in the mask is painted", "**Size**: 512 for SD 1.5, 1024 for SDXL"],
        "*Crop* cuts out the surroundings of the mask and scales them to *output_target_width* and *_height*; set both "
        "to 0 to scale nothing. *Stitch* puts the result back: everything else stays as it is.",
        150,
    )
    cut, sampler, stitch = around_the_mask(graph, box, box, box["positive"], box["negative"])
    shown = [(sampler, name) for name in SAMPLING] + [(cut, f"output_target_{side}") for side in ("width", "height")]
    return folded(
        graph,
        box,
        stitch,
        shown,
        "Inpaint: paint part of a picture anew, with any checkpoint and at any size. White in the mask is painted; "
        "everything else stays as it is. Set the output_target sizes to 512 for SD 1.5, 1024 for SDXL.",
    )


def remove(graph: Graph) -> dict[str, Any]:
    box = border(model="MODEL", clip="CLIP", vae="VAE", image="IMAGE", mask="MASK")
    graph.note(
        "Remove an object",
        ["Mask the whole object, with its shadow", "**Size**: 512 for SD 1.5, 1024 for SDXL"],
        "The prompt is empty and cfg is 1, so that the surroundings decide. *GrowMask* makes the mask wider, because "
        "what stays visible of the object is continued.",
        150,
    )
    positive, negative = prompts(graph, box, "")
    grown = graph.add("GrowMask", height=80, mask=box, expand=6)
    cut, sampler, stitch = around_the_mask(graph, box, grown, positive, negative, cfg=1.0, evaluations_per_step=3.0)
    shown = [(sampler, name) for name in SAMPLING if name != "denoise"] + [(grown, "expand")]
    shown += [(cut, f"output_target_{side}") for side in ("width", "height")]
    return folded(
        graph,
        box,
        stitch,
        shown,
        "Remove an object: mask it with its shadow, and the surroundings are carried on where it stood. Needs no "
        "prompt. Set the output_target sizes to 512 for SD 1.5, 1024 for SDXL.",
    )


def outpaint(graph: Graph) -> dict[str, Any]:
    box = border(model="MODEL", positive="CONDITIONING", negative="CONDITIONING", vae="VAE", image="IMAGE")
    graph.note(
        "Outpaint",
        ["Pixels to add: left, top, right, bottom", "The prompt describes the whole picture"],
        "The last cells of the old picture are painted, too (*mask_expand_cells*), so that no line is left.",
        120,
    )
    padded = graph.add("ImagePadForOutpaint", image=box, left=128, top=0, right=128, bottom=0, feathering=0)
    latent = graph.add("LatentRepaint_Encode", image=padded, mask=padded, vae=box)
    sampler = _random(sampled(graph, box, box["positive"], box["negative"], latent, **SETTINGS))
    decode = graph.add("VAEDecode", samples=sampler, vae=box)
    composite = graph.add("LatentRepaint_Composite", original=padded, generated=decode, mask=latent)
    shown = [(padded, side) for side in ("left", "top", "right", "bottom")] + [(sampler, name) for name in SAMPLING]
    return folded(
        graph,
        box,
        composite,
        shown,
        "Outpaint: a larger canvas around the picture, painted so that no line is left at the old border. The margins "
        "are in pixels; the prompt describes the whole new picture.",
    )


def folded(graph: Graph, box: Node, last: Node, shown: Sequence[tuple[Node, str]], description: str) -> dict[str, Any]:
    """What the page loads: a graph of one node, whose definition holds the others.

    Arguments:
        last: the node whose image and report the box gives.
        shown: the widgets on the box, each of a node inside.
    """
    name, outputs = graph.name, {output: last[output] for output in ("image", "report")}
    sockets = len(box.data["outputs"])
    for node, widget in shown:
        for position, slot in enumerate(node.data["inputs"]):
            if slot["name"] == widget:  # what comes after a run with the seed is a widget alone
                box.data["outputs"].append({"name": widget, "type": slot["type"], "links": []})
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
        for slot in box.data["outputs"]
    ]
    exits = [
        {"id": _uuid(name, "out", key), "name": key, "type": source[0].data["outputs"][source[1]]["type"],
         "linkIds": [slot["link"]]}
        for (key, source), slot in zip(outputs.items(), end.data["inputs"], strict=True)
    ]  # fmt: skip
    sampler = str(next(node.id for node, widget in shown if widget == "seed"))
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
            | ({} if position < sockets else {"widget": {"name": slot["name"]}})
            for position, slot in enumerate(entries)
        ],
        "outputs": [{"name": slot["name"], "type": slot["type"], "links": []} for slot in exits],
        "title": name,
        "properties": {
            "proxyWidgets": [[str(node.id), widget] for node, widget in shown],
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
        "extra": {"BlueprintDescription": description, "frontendVersion": "1.32.9"},
        "version": 0.4,
    }


def _random(sampler: Node) -> Node:
    """The sampler, with another seed for each run."""
    values = sampler.data["widgets_values"]
    values[values.index("fixed")] = "randomize"
    return sampler


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(["latent-repaint", *parts])))


BLUEPRINTS = {
    "Inpaint (Latent RePaint)": inpaint,
    "Outpaint (Latent RePaint)": outpaint,
    "Remove Object (Latent RePaint)": remove,
}
