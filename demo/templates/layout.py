"""A workflow as the page saves it, written from a description: nodes with their values and links, and three columns.

It suits both ways in which the page draws nodes. Nodes 2.0 wants them taller, and at least NARROWEST wide, folded ones
too: the first two columns take two beside each other, the last one takes one.

The page fits a template, its groups and 10 pixels around them into three quarters of its window. At WIDTH by HEIGHT
that is a zoom of 0.75 in a window of 1366x768 pixels, where the page's smallest letters, 12 pixels, come out as 9. Its
map of the graph then lies over the right CORNER pixels of the last column's lower third.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from .models import MODELS

WIDTH, HEIGHT = 1334, 742
NARROWEST = 225
GAP, BETWEEN, TITLE = 6, 28, 30
BADGE = 14  # more, above a folded node of ours: on older pages the pack's name stands there
HEAD, MARGIN = 30, 6  # of a step: above its first node's title, and around the nodes
CORNER = 130
VIEW = {"scale": 0.75, "offset": [260, 185]}  # for hosts that open a template as it was saved
HEIGHTS = {  # pixels below the title: what either drawing wants for the node, with its picture, if nodes stand below it
    "MarkdownNote": 88,
    "CheckpointLoaderSimple": 102,
    "UNETLoader": 90,
    "CLIPLoader": 114,
    "DualCLIPLoader": 142,
    "VAELoader": 58,
    "CLIPTextEncode": 102,
    "TextEncodeQwenImageEditPlus": 182,
    "LoadImage": 326,
    "LoadVideo": 82,
    "SaveImage": 290,
    "SaveVideo": 120,
    "KSampler": 264,
    "KSamplerSelect": 62,
    "BasicScheduler": 118,
    "Flux2Scheduler": 118,
    "RandomNoise": 98,
    "CFGGuider": 102,
    "SamplerCustomAdvanced": 326,
    "ImagePadForOutpaint": 194,
    "ModelSamplingSD3": 62,
    "ModelSamplingAuraFlow": 62,
    "LatentRepaint_BlendSampler": 140,
    "LatentRepaint_MatchSampler": 162,
    "LatentRepaint_RePaintSampler": 218,
    "LatentRepaint_InpaintModel": 134,
    "LatentRepaint_KSampler": 316,
    "LatentRepaint_MaskToLatent": 444,
    "LatentRepaint_Schedule": 290,
    "LatentRepaint_Encode": 372,
    "LatentRepaint_Composite": 202,
    "LatentRepaint_Crop": 312,
    "LatentRepaint_Stitch": 204,
}
COLOURS = {"note": ("#432", "#653"), "positive": ("#232", "#353"), "negative": ("#322", "#533")}
STEP_COLOUR = "#3f789e"
OURS = "LatentRepaint_"


@dataclass
class Node:
    """A node; `node["NAME"]` is its output of that name, for the input of another one.

    The node itself stands there for its first output of the type that is wanted.
    """

    id: int
    data: dict[str, Any]
    height: int

    def __getitem__(self, output: str) -> tuple[Node, int]:
        return self, [slot["name"] for slot in self.data["outputs"]].index(output)

    def of_type(self, kind: str) -> tuple[Node, int]:
        return self, [slot["type"] for slot in self.data["outputs"]].index(kind)


Source = Node | tuple[Node, int]
Row = Node | tuple[Node | int, ...]
"""Nodes side by side; a number is the width of a place that stays free."""


@dataclass
class Step:
    """Rows of a column that stand in a group: what a person does first, second, third."""

    title: str
    rows: Sequence[Row]


def pairs(*nodes: Node) -> list[Row]:
    """Folded nodes, two beside each other."""
    return [nodes[i : i + 2] for i in range(0, len(nodes), 2)]


def _row(row: Row) -> tuple[Node | int, ...]:
    return row if isinstance(row, tuple) else (row,)


def _height(row: Row) -> int:
    """Pixels below the titles of a row."""
    nodes = [node for node in _row(row) if isinstance(node, Node)]
    return max(0 if node.data["flags"] else node.height for node in nodes)


def _folded(row: Row) -> bool:
    return _height(row) == 0


def _badge(row: Row) -> bool:
    """Whether a folded node of ours is among them."""
    nodes = [node.data for node in _row(row) if isinstance(node, Node)]
    return any(node["flags"] and node["type"].startswith(OURS) for node in nodes)


@dataclass
class Graph:
    """The nodes and links of a template.

    Attributes:
        kinds: The classes of the host's and the pack's nodes, by their type.
    """

    name: str
    kinds: dict[str, Any]
    nodes: list[Node] = field(default_factory=list)
    links: list[list[Any]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)

    def note(self, title: str, text: str) -> Node:
        """What the user reads first."""
        node = self._append("MarkdownNote", title, [], [], [text], HEIGHTS["MarkdownNote"])
        return self.colour(node, "note")

    def add(self, kind: str, title: str = "", tall: int = 0, folded: bool = False, **given: Any) -> Node:
        """A node.

        Arguments:
            title: In place of its own name.
            tall: Pixels below its title, if not those of HEIGHTS.
            folded: Whether only its title is shown.
            given: Its inputs: a node, an output of one, or a widget's value; a widget that is not named has its
                default.
        """
        defined = self.kinds[kind].INPUT_TYPES()
        slots = {**defined.get("required", {}), **defined.get("optional", {})}
        if unknown := given.keys() - slots.keys():
            raise ValueError(f"{self.name}: {kind} has no input {', '.join(sorted(unknown))}")
        given = {name: x.of_type(slots[name][0]) if isinstance(x, Node) else x for name, x in given.items()}
        sockets, widgets, values, behind = [], [], [], []
        for name, (type_, *options) in slots.items():
            options = options[0] if options else {}
            choices = type_ if isinstance(type_, list) else options.get("options")
            socket = {"name": name, "type": "COMBO" if isinstance(type_, list) else type_, "link": None}
            if choices is None and type_ not in ("INT", "FLOAT", "STRING", "BOOLEAN") or options.get("forceInput"):
                sockets.append(socket)
                continue
            widgets.append(socket | {"widget": {"name": name}})
            value = given.get(name)
            linked = isinstance(value, tuple)
            if value is None or linked:
                value = options.get("default", choices[0] if choices else "")
            values += [value, *(["randomize"] if options.get("control_after_generate") else [])]
            behind += ["image"] if options.get("image_upload") else []
        inputs = sockets + widgets
        types = self.kinds[kind].RETURN_TYPES
        names = getattr(self.kinds[kind], "RETURN_NAMES", None) or types
        outputs = [{"name": name, "type": type_, "links": []} for type_, name in zip(types, names, strict=True)]
        node = self._append(kind, title, inputs, outputs, values + behind, tall or HEIGHTS.get(kind, 0))
        node.data["flags"] = {"collapsed": True} if folded else {}
        if files := [MODELS[value] | {"name": value} for value in values if value in MODELS]:
            node.data["properties"]["models"] = files  # from which the page offers the download
        for position, slot in enumerate(inputs):
            if isinstance(given.get(slot["name"]), tuple):
                self.link(*given[slot["name"]], node, position)
        return node

    def defaults(self, kind: str) -> dict[str, Any]:
        """What the widgets of a node have if nobody sets them."""
        slots = self.kinds[kind].INPUT_TYPES()["required"].items()
        return {name: options[0]["default"] for name, (_, *options) in slots if options and "default" in options[0]}

    def _append(
        self, kind: str, title: str, inputs: list[Any], outputs: list[Any], values: list[Any], height: int
    ) -> Node:
        ours = kind.startswith(OURS)
        origin = {"cnr_id": "latent-repaint", "ver": "0.2.0"} if ours else {"cnr_id": "comfy-core", "ver": "0.3.75"}
        number = len(self.nodes) + 1
        data = {
            "id": number,
            "type": kind,
            "pos": [0, 0],
            "size": [0, height],
            "flags": {},
            "order": number - 1,
            "mode": 0,
            "inputs": inputs,
            "outputs": outputs,
            "properties": {} if kind == "MarkdownNote" else origin | {"Node name for S&R": kind},
            "widgets_values": values,
        }
        if title:
            data["title"] = title
        node = Node(number, data, height)
        self.nodes.append(node)
        return node

    def link(self, source: Node, output: int, target: Node, position: int) -> None:
        slot = target.data["inputs"][position]
        number = len(self.links) + 1
        self.links.append([number, source.id, output, target.id, position, source.data["outputs"][output]["type"]])
        slot["link"] = number
        source.data["outputs"][output]["links"].append(number)

    def colour(self, node: Node, which: str) -> Node:
        node.data["color"], node.data["bgcolor"] = COLOURS[which]
        return node

    def columns(
        self, *columns: Sequence[Row | Step], stretch: Sequence[Node] = (), widths: Sequence[int] = (456, 456, 366)
    ) -> None:
        """Place every node: columns from left to right, in each the rows from top to bottom.

        Arguments:
            stretch: The rows with one of these, or with a node that saves, get the height that is left in their column.

        Raises:
            ValueError: If a column is too tall, a node too narrow, or in no column.
        """
        saves = [node for node in self.nodes if node.data["type"].startswith("Save") and not node.data["flags"]]
        stretch = [*stretch, *saves]
        placed: list[Node] = []
        x = 0
        for number, (column, width) in enumerate(zip(columns, widths, strict=True)):
            parts = [part if isinstance(part, Step) else Step("", [part]) for part in column]
            rows = [row for part in parts for row in part.rows]
            badges = [0, *(BADGE if _folded(above) and _badge(row) else 0 for above, row in pairwise(rows))]
            taken = sum(_height(row) + TITLE + GAP for row in rows) - GAP + sum(badges)
            taken += sum(HEAD + MARGIN for part in parts if part.title)
            if (left := HEIGHT - taken) < 0:
                raise ValueError(f"{self.name}: column {number + 1} is {-left} pixels too tall")
            tall = [row for row in rows if any(node in stretch for node in _row(row))]
            top = 0
            for part in parts:
                above = top
                top += HEAD if part.title else 0
                for row in part.rows:
                    top += badges.pop(0)
                    height = _height(row) + (left // len(tall) if row in tall else 0)
                    placed += self._place(row, x, top, width, height)
                    top += TITLE + height + GAP
                if part.title:
                    self._group(part.title, [x - MARGIN, above, width + 2 * MARGIN, top - GAP + MARGIN - above])
                    top += MARGIN
            x += width + BETWEEN
        if x - BETWEEN > WIDTH:
            raise ValueError(f"{self.name}: the columns are {x - BETWEEN - WIDTH} pixels too wide")
        if missing := [node.data["type"] for node in self.nodes if node not in placed]:
            raise ValueError(f"{self.name}: in no column: {', '.join(missing)}")

    def _place(self, row: Row, x: int, top: int, width: int, height: int) -> list[Node]:
        """Give the nodes of one row their places; free ones take what they say, nodes the rest in equal parts."""
        cells = _row(row)
        nodes = [cell for cell in cells if isinstance(cell, Node)]
        free = sum(cell for cell in cells if isinstance(cell, int))
        share = (width - free - GAP * (len(nodes) - 1)) // len(nodes)
        if share < NARROWEST:
            raise ValueError(f"{self.name}: {len(nodes)} nodes beside each other are too narrow")
        for cell in cells:
            if isinstance(cell, Node):
                cell.data["pos"] = [x, top + TITLE]
                cell.data["size"] = [share, max(height, cell.height)]
            x += cell if isinstance(cell, int) else share + GAP
        return nodes

    def _group(self, title: str, bounding: list[int]) -> None:
        number = len(self.groups) + 1
        look = {"color": STEP_COLOUR, "font_size": 18, "flags": {}}
        self.groups.append({"id": number, "title": title, "bounding": bounding} | look)

    def workflow(self) -> dict[str, Any]:
        """What the page loads."""
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"latent-repaint/{self.name}")),
            "revision": 0,
            "last_node_id": len(self.nodes),
            "last_link_id": len(self.links),
            "nodes": [node.data for node in self.nodes],
            "links": self.links,
            "groups": self.groups,
            "config": {},
            "extra": {"ds": VIEW, "frontendVersion": "1.32.9"},
            "version": 0.4,
        }
