"""What a program says to a running ComfyUI: upload, queue, follow, fetch. Nothing here knows this pack."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

Progress = Callable[[str, int, int], None]


class PromptError(Exception):
    """A prompt did not come to its end.

    Attributes:
        node_id, node_type: The node that failed; empty if the prompt as a whole did.
        kind: The host's word: "prompt_outputs_failed_validation", "ValueError", "interrupted" ...
    """

    def __init__(self, message: str, kind: str, node_id: str = "", node_type: str = ""):
        super().__init__(message)
        self.kind, self.node_id, self.node_type = kind, node_id, node_type


class HostGone(Exception):
    """The connection to the host broke."""


@dataclass
class Run:
    """A prompt that came to its end.

    Attributes:
        outputs: What each output node returned, by node id.
        progress: Every progress message: node id, value, maximum.
    """

    prompt_id: str
    outputs: dict[str, Any] = field(default_factory=dict)
    progress: list[tuple[str, int, int]] = field(default_factory=list)

    def evaluations(self, node_id: str) -> int:
        """The last value that a node reported; a sampler of this pack counts model evaluations."""
        return max((value for node, value, _ in self.progress if node == node_id), default=0)


class Client:
    """Talks to the host at `address`, "http://127.0.0.1:8188"."""

    def __init__(self, address: str):
        self.address = address

    def object_info(self) -> dict[str, Any]:
        """Every node that the host knows."""
        return json.loads(self._get("/object_info"))

    def upload(self, path: Path) -> str:
        """Put an image among the host's inputs and return the name that LoadImage and LoadImageMask want."""
        boundary = uuid.uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{path.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        return json.loads(self._post("/upload/image", body, f"multipart/form-data; boundary={boundary}"))["name"]

    def run(self, prompt: dict[str, Any], on_progress: Progress | None = None) -> Run:
        """Queue a prompt in API form and wait for its end.

        Raises:
            PromptError: If the host refuses it, a node fails, or it is interrupted.
            HostGone: If the host ends meanwhile.
        """
        try:
            return asyncio.run(self._run(prompt, on_progress))
        except (aiohttp.ClientError, OSError) as error:
            raise HostGone(f"the host at {self.address} is gone: {error}") from error

    def fetch(self, file: dict[str, str]) -> bytes:
        """The content of one file of a run's outputs."""
        return self._get("/view?" + urllib.parse.urlencode(file))

    def interrupt(self) -> None:
        """Stop the prompt that is running now."""
        self._post("/interrupt", b"{}", "application/json")

    def clear_history(self) -> None:
        """Make the host forget the prompts that it has run; their pictures stay."""
        self._post("/history", b'{"clear": true}', "application/json")

    async def _run(self, prompt: dict[str, Any], on_progress: Progress | None) -> Run:
        client_id = uuid.uuid4().hex
        async with aiohttp.ClientSession(self.address) as session:
            # Connect first: what is said before anyone listens is lost.
            async with session.ws_connect("/ws", params={"clientId": client_id}, max_msg_size=0) as socket:
                async with session.post("/prompt", json={"prompt": prompt, "client_id": client_id}) as answer:
                    reply = await answer.json()
                if answer.status != 200:
                    raise _refusal(reply)
                run = Run(reply["prompt_id"])
                await _follow(socket, run, on_progress)
            async with session.get(f"/history/{run.prompt_id}") as answer:
                run.outputs = (await answer.json())[run.prompt_id]["outputs"]
        return run

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.address + path, timeout=60) as answer:
            return answer.read()

    def _post(self, path: str, body: bytes, content_type: str) -> bytes:
        request = urllib.request.Request(self.address + path, body, {"Content-Type": content_type})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()


async def _follow(socket: AsyncIterator[Any], run: Run, on_progress: Progress | None) -> None:
    """Read messages about one prompt until it is done."""
    async for message in socket:
        if message.type != aiohttp.WSMsgType.TEXT:
            continue  # previews
        event = json.loads(message.data)
        data = event["data"]
        if data.get("prompt_id") != run.prompt_id:
            continue
        if event["type"] == "progress":
            run.progress.append((data["node"], data["value"], data["max"]))
            if on_progress:
                on_progress(*run.progress[-1])
        elif event["type"] == "execution_error":
            kind = data["exception_type"].split(".")[-1]
            raise PromptError(data["exception_message"].strip(), kind, data["node_id"], data["node_type"])
        elif event["type"] == "execution_interrupted":
            raise PromptError("the prompt was interrupted", "interrupted", data["node_id"], data["node_type"])
        elif event["type"] == "executing" and data["node"] is None:
            return
    raise HostGone("the host closed the connection before the prompt was done")


def _refusal(reply: dict[str, Any]) -> PromptError:
    """Turn the host's answer to a prompt that it will not queue into an error that names the first node at fault."""
    for node_id, node in (reply.get("node_errors") or {}).items():
        first = node["errors"][0]
        return PromptError(f"{first['message']}: {first['details']}", first["type"], node_id, node["class_type"])
    return PromptError(reply["error"]["message"], reply["error"]["type"])
