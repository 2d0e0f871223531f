"""One picture to be done, and what became of it: what goes to a worker, and what stands in the manifest."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import asdict, dataclass, field
from typing import Any

DONE, FAILED, LEFT = "done", "failed", "left"


@dataclass
class Job:
    """A row of the table, checked.

    Attributes:
        name: The picture, relative to PICTURES, with "/" between folders.
        result: The result, relative to OUT.
        mask: Its mask, relative to MASKS if `in_masks`, else to PICTURES; empty if the picture's alpha is the mask.
        settings: Values by "node.input".
        error: Why it cannot be done; empty if it can, as far as is known.
        image_at, mask_at: Size and time of the files, to see quickly that nothing changed.
        exists: The result is there.
        recipe: A hash of all that decides the result but the pictures.
        before: The last entry of the manifest for this picture.
    """

    name: str
    result: str = ""
    mask: str = ""
    in_masks: bool = False
    seed: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    image_at: str = ""
    mask_at: str = ""
    exists: bool = False
    recipe: str = ""
    before: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Job:
        return Job(**json.loads(text))

    def unchanged(self, entry: dict[str, Any]) -> bool:
        """Whether an entry of the manifest is about just this, as far as sizes and times tell."""
        return all(entry.get(key) == getattr(self, key) for key in ("recipe", "image_at", "mask_at"))


def seed_of(name: str, seed: int) -> int:
    """seed = first 48 bits of SHA-256(seed / name): the same on every machine and in every order, and exact in JSON."""
    spelled = unicodedata.normalize("NFC", name)  # some filesystems take accents apart
    return int.from_bytes(hashlib.sha256(f"{seed}/{spelled}".encode()).digest()[:6], "big")


def digest(content: Any) -> str:
    """A short hash of bytes, or of anything that JSON can say."""
    if not isinstance(content, bytes):
        content = json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
    return hashlib.sha256(content).hexdigest()[:32]
