"""From the command line to what the run needs, with everything refused here that can be known before Ray starts."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from comfyui_host import install
from comfyui_host.pip_step import StepError
from comfyui_host.prompt import address, converted, described, parse, split

from . import Refused
from .check import Task
from .manifest import was_out
from .places import Folder
from .table import OWN, PICTURES, Source, find
from .workflow import Workflow, understood

REPOSITORY = Path(__file__).resolve().parents[1]
OWN_WORKFLOW = Path(__file__).with_name("inpaint.json")
FILES = ("image", "mask", "video", "audio", "file", "path", "directory", "folder", "upload")
"""Inputs with such a name, if they are texts, may name any file of the host's: no table fills them."""


def prepare(options: argparse.Namespace) -> Task:
    """Read the workflow, find its nodes and the pictures, check the folders. Raises Refused if anything is wrong."""
    try:
        return _prepared(options, _workflow(options))
    except (ValueError, StepError) as error:
        raise Refused(str(error)) from None


def _prepared(options: argparse.Namespace, flow: Workflow) -> Task:
    source, out = find(options.pictures), Folder(options.out)
    masks = Folder(options.masks) if options.masks else None
    if masks and masks.local and not masks.local.is_dir():
        raise Refused(f"--masks {masks.shown} is no folder")
    _keep_apart(source, masks, out)
    if (masks or "mask" in source.columns) and not flow.wants_mask:
        raise Refused("there are masks, but no node takes one: give it the title 'mask', or --mask NODE")
    if (options.seed is not None or "seed" in source.columns) and (flow.strange_seeds or not flow.seeds):
        found = flow.strange_seeds[0] if flow.strange_seeds else "no seed of the workflow"
        why = "would not reach it, since it is not one number that only seeds use. Write it into its own node instead"
        raise Refused(f"{found}: --seed and the column 'seed' {why}")
    addresses, own_format = _addresses(source, flow), options.format == "own"
    comfyui = str(Path(options.comfyui).expanduser().resolve()) if options.comfyui else ""
    if comfyui and not options.address:  # else it lies on the cluster's machines, perhaps not on this one
        install.host_in(comfyui, "--comfyui ")
    return Task(flow, source, masks, out, addresses, options.seed or 0, own_format, comfyui, str(REPOSITORY))


def findings(task: Task) -> Iterator[str]:
    """Which node takes what, for a person to see before anything is painted."""
    flow, prompt = task.workflow, task.workflow.prompt
    mask = "none: the workflow takes none"
    if flow.mask or flow.mask_in_alpha:
        channel = prompt[flow.mask]["inputs"].get("channel") if flow.mask else "alpha"
        mask = described(prompt, flow.mask or flow.image) + (f", channel {channel}" if channel else "")
    yield f"picture   {described(prompt, flow.image)}"
    yield f"mask      {mask}"
    for column, side in (("prompt", "positive"), ("negative", "negative")):
        try:
            node, name = split(prompt, flow.text(side))
            text = "the table's" if column in task.source.columns else repr(str(prompt[node]["inputs"][name])[:80])
            yield f"{column:9} {described(prompt, node)}, {name}: {text}"
        except Refused:
            yield f"{column:9} as the workflow has it"
    for node, name in flow.seeds:
        yield f"seed      {described(prompt, node)}, {name}"
    for words in flow.strange_seeds:
        yield f"seed      {words} is left as it is: it comes from where it cannot be set"
    if not (flow.seeds or flow.strange_seeds):
        yield "seed      as the workflow has it"
    yield f"result    {described(prompt, flow.result)}"


def _workflow(options: argparse.Namespace) -> Workflow:
    if not options.workflow and not (options.checkpoint and options.prompt):
        raise Refused("without a workflow, batch/inpaint.json is used: it wants --checkpoint NAME and --prompt TEXT")
    path = Path(options.workflow).expanduser() if options.workflow else OWN_WORKFLOW
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused(f"cannot read the workflow {path}: {error}") from None
    prompt = parse(content, path.name)
    flow = understood(prompt, options.image, options.mask, options.result)
    settings = []
    for key, mark, value in (item.partition("=") for item in options.set):
        if not mark or "." not in key:
            raise Refused(f"--set {key}{mark}{value}: wanted NODE.INPUT=VALUE")
        settings.append((address(flow.prompt, key), value))
        _keep_free(flow, settings[-1][0], f"--set {key}")
    for side, text in (("positive", options.prompt), ("negative", options.negative)):
        settings += [(flow.text(side), text)] if text is not None else []
    if options.checkpoint:
        settings.append((flow.checkpoint(), options.checkpoint))
    for key, value in settings:
        node, name = split(flow.prompt, key)
        flow.prompt[node]["inputs"][name] = converted(flow.prompt, key, value)
    return replace(flow, fixed=frozenset(key for key, _ in settings))


def _addresses(source: Source, flow: Workflow) -> dict[str, str]:
    """Where each column goes: "node.input", by the column's name."""
    others = [name for name in source.columns if name not in OWN]
    if strange := [name for name in others if "." not in name]:
        raise Refused(f"the table has a column '{strange[0]}'; there are {', '.join(OWN)} and NODE.INPUT")
    found = {name: address(flow.prompt, name) for name in others}
    for column, side in (("prompt", "positive"), ("negative", "negative")):
        if column in source.columns:
            found[column] = flow.text(side)
    if len(set(found.values())) < len(found):
        raise Refused(f"two columns of the table fill one input: {', '.join(found)}")
    for column, key in found.items():
        node, name = split(flow.prompt, key)
        _keep_free(flow, key, f"the table's column '{column}'")
        if isinstance(flow.prompt[node]["inputs"][name], str) and any(word in name.lower() for word in FILES):
            raise Refused(f"the table's column '{column}' would name files of the host's: only --set may do that")
    return found


def _keep_free(flow: Workflow, key: str, what: str) -> None:
    if key in (f"{flow.image}.image", f"{flow.mask}.image"):
        raise Refused(f"{what} would replace the picture or the mask: PICTURES, the table and --masks name these")


def _keep_apart(source: Source, masks: Folder | None, out: Folder) -> None:
    """Results must not be taken for pictures the next time, nor overwrite any."""
    for place in filter(None, (source.root, masks)):
        if out.holds(place):
            raise Refused(f"{place.shown} lies in {out.shown}, where a result could overwrite it: choose another OUT")
    if source.kind == "folder" and source.root.holds(out):
        why = "the results would be taken for pictures. Choose an OUT beside it"
        raise Refused(f"{out.shown} lies in {source.root.shown}: {why}")
    if source.kind == "folder" and was_out(source.root) and not was_out(out) and out.taken(""):
        if any(name.lower().endswith(PICTURES) for name, _ in out.names()):
            why = f"{source.root.shown} has results of an earlier run in it, {out.shown} has other pictures"
            raise Refused(f"PICTURES and OUT look swapped: {why}. If that is meant, choose another OUT")
