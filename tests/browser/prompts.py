"""What the page would queue, compared so that a difference can be read."""

from __future__ import annotations

from typing import Any

Prompt = dict[str, Any]


def differences(found: Prompt, wanted: Prompt) -> list[str]:
    """One line for every node or input that differs, "7 CLIPTextEncode.text: 'a', wanted 'b'"; empty if none does."""
    lines = [f"{key} {wanted[key]['class_type']}: missing" for key in wanted.keys() - found.keys()]
    lines += [f"{key} {found[key]['class_type']}: not wanted" for key in found.keys() - wanted.keys()]
    for key in wanted.keys() & found.keys():
        kind = wanted[key]["class_type"]
        if found[key]["class_type"] != kind:
            lines.append(f"{key}: {found[key]['class_type']}, wanted {kind}")
        have, want = values(found[key]), values(wanted[key])
        lines += [
            f"{key} {kind}.{name}: {have.get(name)!r}, wanted {want.get(name)!r}"
            for name in sorted(have.keys() | want.keys())
            if have.get(name) != want.get(name)
        ]
    return sorted(lines)


def values(node: dict[str, Any]) -> dict[str, Any]:
    """A node's inputs without PreviewAny's text, which is the page's own, filled in after a run."""
    return {name: value for name, value in node["inputs"].items() if name != "preview"}
