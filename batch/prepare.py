"""From the command line to what the run needs, with everything refused here that can be known before Ray starts."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from .check_rows import Checker
from .errors import Refused
from .find_nodes import understood
from .hosts import python_of
from .places import Place
from .table import OWN, Source, find
from .worker import Task
from .workflow import Workflow, described, parse

SHIPPED = "inpaint_any_size.json"
REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass
class Setup:
    """A run, understood."""

    source: Source
    checker: Checker
    task: Task


def prepare(options: argparse.Namespace) -> Setup:
    """Read the workflow, find its nodes and the pictures, and check the folders.

    Raises:
        Refused: If something is missing, unclear or contradictory.
    """
    workflow = _workflow(options)
    source, out = find(options.pictures), Place(options.out)
    masks = Place(options.masks) if options.masks else None
    if masks and masks.local and not masks.local.is_dir():
        raise Refused(f"--masks {options.masks} is no folder")
    _keep_apart(source, masks, out)
    if (masks or "mask" in source.columns) and not workflow.wants_mask:
        raise Refused(
            "there are masks, but no node of the workflow takes one: give it the title 'mask', or --mask NODE"
        )
    checker = Checker(source, masks, out, workflow, _addresses(source, workflow), options.seed, options.format == "own")
    if options.comfyui:
        options.comfyui = _comfyui(options)
    task = Task(workflow, source.root, masks, out, options.comfyui or "", str(REPOSITORY), checker.own_format)
    return Setup(source, checker, task)


def findings(workflow: Workflow) -> str:
    """Where the picture and the mask go, and where the result comes from."""
    prompt = workflow.prompt
    mask = "the picture's alpha" if workflow.mask_in_alpha else "none"
    if workflow.mask:
        mask = described(prompt, workflow.mask)
    return f"picture: {described(prompt, workflow.image)}; mask: {mask}; result: {described(prompt, workflow.result)}"


def check_writable(out: Place) -> None:
    """Raises Refused if nothing can be written there."""
    try:
        out.check_writable("probe")
    except OSError as error:
        raise Refused(f"cannot write to {out.url}: {error}") from error


def _workflow(options: argparse.Namespace) -> Workflow:
    path = Path(options.workflow).expanduser() if options.workflow else Path(__file__).with_name(SHIPPED)
    if not options.workflow and not (options.checkpoint and options.prompt):
        raise Refused("without a workflow, 01-start-here-inpaint is used: it wants --checkpoint NAME and --prompt TEXT")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"cannot read the workflow {path}: {error}") from error
    flow = understood(parse(text, path.name), options.image, options.mask, options.result)
    settings = [_pair(flow, item) for item in options.set]
    if options.prompt is not None:
        settings.append((flow.text("positive"), options.prompt))
    if options.negative is not None:
        settings.append((flow.text("negative"), options.negative))
    if options.checkpoint:
        settings.append((flow.checkpoint(), options.checkpoint))
    for key, value in settings:
        node, _, name = key.rpartition(".")
        try:
            flow.prompt[node]["inputs"][name] = flow.converted(key, value)
        except ValueError as error:
            raise Refused(str(error)) from None
    return replace(flow, fixed=frozenset(key for key, _ in settings))


def _pair(flow: Workflow, item: str) -> tuple[str, str]:
    key, mark, value = item.partition("=")
    if not mark or "." not in key:
        raise Refused(f"--set {item}: wanted NODE.INPUT=VALUE")
    return flow.address(key), value


def _addresses(source: Source, flow: Workflow) -> dict[str, str]:
    """Where each column goes: "node.input", by the column's name."""
    found = {name: flow.address(name) for name in source.columns if name not in OWN}
    for column, side in (("prompt", "positive"), ("negative", "negative")):
        if column in source.columns:
            found[column] = flow.text(side)
    taken = {f"{node}.image" for node in (flow.image, flow.mask)}
    for column, address in found.items():
        if address in taken:
            raise Refused(f"the table's column '{column}' would replace the picture or the mask: call it image or mask")
    return found


def _keep_apart(source: Source, masks: Place | None, out: Place) -> None:
    """Results must not be taken for pictures the next time, nor overwrite any."""
    for place in filter(None, (source.root, masks)):
        if out.holds(place):
            raise Refused(f"{place.url} lies in {out.url}, where a result could overwrite it: choose another OUT")
    if source.kind == "folder" and source.root.holds(out):
        raise Refused(
            f"{out.url} lies in {source.root.url}: the results would be taken for pictures. Choose an OUT beside it"
        )


def _comfyui(options: argparse.Namespace) -> str:
    folder = Path(options.comfyui).expanduser().resolve()
    if options.address:
        return str(folder)  # it lies on the cluster's machines, perhaps not on this one
    if not (folder / "main.py").is_file():
        raise Refused(f"--comfyui {options.comfyui} holds no main.py: it must name the folder of a ComfyUI")
    python_of(folder)
    return str(folder)
