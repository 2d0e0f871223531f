"""Whether a host can run a workflow, from what it says about its nodes, before the first picture."""

from __future__ import annotations

from typing import Any

from .workflow import Workflow, described

SHOWN = 8


def misfits(workflow: Workflow, known: dict[str, Any]) -> list[str]:
    """What the host does not have: nodes, and files or other choices that the workflow names.

    Arguments:
        known: The host's answer to /object_info.
    """
    wrong = []
    for node, content in workflow.prompt.items():
        kind = content["class_type"]
        if kind not in known:
            wrong.append(f"the host does not know node {described(workflow.prompt, node)}: install its node pack there")
            continue
        inputs = known[kind].get("input", {})
        for name, spec in {**inputs.get("required", {}), **inputs.get("optional", {})}.items():
            value, choices = content["inputs"].get(name), _choices(spec)
            if name == "image" and node in (workflow.image, workflow.mask):
                continue  # each picture brings its own
            if isinstance(value, str) and choices is not None and value not in choices:
                some = ", ".join(map(str, choices[:SHOWN])) + (", ..." if len(choices) > SHOWN else "")
                wrong.append(
                    f"node {described(workflow.prompt, node)}, input {name}: found '{value}', the host has: "
                    f"{some or 'none'}"
                )
    return wrong


def _choices(spec: Any) -> list[Any] | None:
    """The values that an input can take, if the host lists them: in the old way in place of the type, or beside it."""
    if not isinstance(spec, list) or not spec:
        return None
    if isinstance(spec[0], list):
        return spec[0]
    if spec[0] == "COMBO" and len(spec) > 1 and isinstance(spec[1].get("options"), list):
        return spec[1]["options"]
    return None
