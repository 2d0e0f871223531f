"""What a program says to a running ComfyUI: upload, queue, follow, fetch. Nothing here knows this pack.

A host is another program, perhaps another person's: each answer has a most in bytes and in seconds, no redirect is
followed, and text is cleaned where it comes in.
"""

from __future__ import annotations

import asyncio
import json
import re
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

Progress = Callable[[str, int, int], None]

MOST_JSON, MOST_FILE, MOST_MESSAGE = 128 << 20, 1 << 30, 64 << 20
"""Bytes of one answer, of one file, of one message on the websocket."""
ANSWER = aiohttp.ClientTimeout(total=600, sock_connect=10, sock_read=120)
SILENCE = 20.0
"""Seconds without a message after which the host is asked whether it still has the prompt."""


class HostGone(Exception):
    """The host ended, or does not answer any more."""


class HostFailed(Exception):
    """The host answers, but not with what was asked for."""


class PromptError(HostFailed):
    """A prompt did not come to its end.

    Attributes:
        node_id, node_type: The node that failed; empty if the prompt as a whole did.
        kind: The host's word: "prompt_outputs_failed_validation", "ValueError", "interrupted" ...
    """

    def __init__(self, message: str, kind: str, node_id: str = "", node_type: str = ""):
        super().__init__(message)
        self.kind, self.node_id, self.node_type = kind, node_id, node_type


@dataclass
class FinishedPrompt:
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

    def pictures(self, node_id: str) -> list[dict[str, str]]:
        """The picture files of one output node, as `fetch` wants them."""
        output = self.outputs.get(node_id)
        files = output.get("images") if isinstance(output, dict) else None
        keys = ("filename", "subfolder", "type")
        found = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
        return [{key: str(file.get(key, "")) for key in keys} for file in found]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """`asyncio.run`, in a thread of its own where a loop runs in this one, as Playwright's does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Client:
    """Talks to the host at `address`, "http://127.0.0.1:8188"; several threads may do so at a time.

    Every method raises HostGone if it does not answer, and HostFailed if it answers with something else.
    """

    def __init__(self, address: str):
        self.address = (address if "://" in address else f"http://{address}").rstrip("/")

    def version(self) -> str:
        system = self._json("/system_stats").get("system")
        return str(system.get("comfyui_version", "unknown"))[:80] if isinstance(system, dict) else "unknown"

    def object_info(self) -> dict[str, Any]:
        """Every node that the host knows."""
        return self._json("/object_info")

    def upload(self, path: Path) -> str:
        """Put an image among the host's inputs and return the name that LoadImage and LoadImageMask want."""
        return self.put(path.name, path.read_bytes())

    def put(self, name: str, content: bytes, subfolder: str = "", overwrite: bool = False) -> str:
        """Put a file of this name among the host's inputs and return the name that it has there."""
        form = aiohttp.FormData({"subfolder": subfolder, "overwrite": str(overwrite).lower()})
        form.add_field("image", content, filename=name, content_type="application/octet-stream")
        return str(_parsed(self._do(self._ask("POST", "/upload/image", data=form))).get("name"))

    def run(self, prompt: dict[str, Any], on_progress: Progress | None = None) -> FinishedPrompt:
        """Queue a prompt in API form and wait for its end, however long that takes.

        Raises:
            PromptError: If the host refuses it, a node fails, or it is interrupted.
            HostGone: If the host ends meanwhile.
        """
        return self._do(self._run(prompt, on_progress))

    def fetch(self, file: dict[str, str]) -> bytes:
        """The content of one file of a run's outputs."""
        return self._do(self._ask("GET", "/view?" + urllib.parse.urlencode(file), most=MOST_FILE))

    def interrupt(self) -> None:
        """Stop the prompt that is running now."""
        self._do(self._ask("POST", "/interrupt", json={}))

    def clear_history(self) -> None:
        """Make the host forget the prompts that it has run; their pictures stay."""
        self._do(self._ask("POST", "/history", json={"clear": True}))

    def forget_results(self) -> None:
        """Make the host compute again what it remembers of earlier prompts. It keeps its models."""
        self._do(self._ask("POST", "/free", json={"free_memory": True, "unload_models": False}))

    def _get(self, path: str) -> bytes:
        return self._do(self._ask("GET", path))

    def _json(self, path: str) -> dict[str, Any]:
        return _parsed(self._get(path))

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return run(work)
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError, ValueError) as error:
            what = clean(str(error)) or type(error).__name__
            raise HostGone(f"the host at {self.address} does not answer: {what}") from error

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        async def refuse(*_: Any) -> None:
            raise HostFailed(f"the host at {self.address} sends on to another address: give that one instead")

        redirects = aiohttp.TraceConfig()
        redirects.on_request_redirect.append(refuse)
        async with aiohttp.ClientSession(timeout=ANSWER, trace_configs=[redirects]) as session:
            yield session

    async def _ask(self, method: str, path: str, most: int = 0, **content: Any) -> bytes:
        async with self._session() as session:
            status, body = await self._answer(session, method, path, most, **content)
        if status != 200:
            raise HostFailed(f"the host at {self.address} answers {status} to {path.partition('?')[0]}")
        return body

    async def _answer(
        self, session: aiohttp.ClientSession, method: str, path: str, most: int = 0, **content: Any
    ) -> tuple[int, bytes]:
        """Status and body of one answer, which is read no further than `most` bytes."""
        body, most = bytearray(), most or MOST_JSON
        async with session.request(method, self.address + path, **content) as answer:
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > most:
                    raise HostFailed(f"the host at {self.address} answers {path.partition('?')[0]} without an end")
            return answer.status, bytes(body)

    async def _run(self, prompt: dict[str, Any], on_progress: Progress | None) -> FinishedPrompt:
        client_id = uuid.uuid4().hex
        async with self._session() as session:
            # Connect first: what is said before anyone listens is lost.
            address, listener = f"{self.address}/ws", {"clientId": client_id}
            async with session.ws_connect(address, params=listener, max_msg_size=MOST_MESSAGE) as socket:
                request = {"prompt": prompt, "client_id": client_id}
                status, body = await self._answer(session, "POST", "/prompt", json=request)
                reply = _parsed(body)
                if status != 200:
                    raise _refusal(reply)
                run = FinishedPrompt(str(reply.get("prompt_id")))
                entry = await self._finished(session, socket, run, on_progress)
        _check_success(entry)
        outputs = entry.get("outputs")
        run.outputs = outputs if isinstance(outputs, dict) else {}
        return run

    async def _finished(
        self, session: aiohttp.ClientSession, socket: Any, run: FinishedPrompt, on_progress: Progress | None
    ) -> dict[str, Any]:
        """Wait for the end of a prompt and return its entry in the host's history. A quiet host is asked now and then:
        connections break without a word, and a host that was restarted has forgotten the prompt."""

        async def entry() -> Any:
            return _parsed((await self._answer(session, "GET", f"/history/{run.prompt_id}"))[1]).get(run.prompt_id)

        listening = True
        while True:
            try:
                if listening:
                    listening = await _follow(socket, run, on_progress)
                else:
                    await asyncio.sleep(1)
            except asyncio.TimeoutError:
                pass
            found = await entry()
            if not found and not _waits(await self._answer(session, "GET", "/queue"), run.prompt_id):
                found = await entry()  # it may just have ended
                if not found:
                    raise HostGone(f"the host at {self.address} was restarted, or has forgotten the prompt")
            if isinstance(found, dict):
                return found


def clean(text: str, most: int = 2000) -> str:
    """Text from elsewhere as something that can be written anywhere: no halves of characters, no control characters."""
    return re.sub(r"[\ud800-\udfff]", "\ufffd", re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)).strip()[:most]


async def _follow(socket: Any, run: FinishedPrompt, on_progress: Progress | None) -> bool:
    """Read messages until one says that a prompt is done; False if the connection ends before.

    Raises:
        asyncio.TimeoutError: If nothing is said for a while.
    """
    while True:
        message = await asyncio.wait_for(socket.receive(), SILENCE)
        if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
            return False
        if message.type == aiohttp.WSMsgType.ERROR:
            return False
        if message.type != aiohttp.WSMsgType.TEXT:
            continue  # previews
        event = _parsed(message.data)
        data = event.get("data")
        if not isinstance(data, dict) or data.get("prompt_id") != run.prompt_id:
            continue
        if event.get("type") == "progress" and {"node", "value", "max"} <= data.keys():
            run.progress.append((data["node"], data["value"], data["max"]))
            if on_progress:
                await asyncio.to_thread(on_progress, *run.progress[-1])  # it may talk to the host itself
        elif event.get("type") == "executing" and data.get("node") is None:
            return True


def _parsed(body: bytes | str) -> dict[str, Any]:
    """An answer in JSON, its text cleaned of halves of characters.

    Raises:
        HostFailed: If it is none.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise HostFailed("the host answers something that is not JSON") from None
    if not isinstance(found, dict):
        raise HostFailed("the host answers something other than a JSON object")
    half = b"\\ud" if isinstance(body, bytes) else "\\ud"
    return _whole(found) if half in body.lower() else found  # type: ignore[operator]


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return {_whole(key): _whole(item) for key, item in value.items()} if isinstance(value, dict) else value


def _waits(answer: tuple[int, bytes], prompt_id: str) -> bool:
    """Whether the host's queue has a prompt, running or waiting."""
    items = [item for items in _parsed(answer[1]).values() if isinstance(items, list) for item in items]
    return any(isinstance(item, list) and prompt_id in item[:2] for item in items)


def _check_success(entry: dict[str, Any]) -> None:
    """Raises PromptError if a prompt that ended did so by an error or by an interruption."""
    status = entry.get("status")
    messages = status.get("messages") if isinstance(status, dict) else None
    for message in messages if isinstance(messages, list) else []:
        event, data = message if isinstance(message, list) and len(message) == 2 else ("", None)
        if event not in ("execution_error", "execution_interrupted") or not isinstance(data, dict):
            continue
        where = str(data.get("node_id", "")), str(data.get("node_type", ""))
        if event == "execution_interrupted":
            raise PromptError("the prompt was interrupted", "interrupted", *where)
        kind = str(data.get("exception_type", "")).split(".")[-1]
        raise PromptError(str(data.get("exception_message", ""))[:2000].strip(), kind, *where)


def _refusal(reply: dict[str, Any]) -> PromptError:
    """Turn the host's answer to a prompt that it will not queue into an error that names the first node at fault."""
    try:
        for node_id, node in (reply.get("node_errors") or {}).items():
            first = node["errors"][0]
            return PromptError(f"{first['message']}: {first['details']}", first["type"], node_id, node["class_type"])
        return PromptError(reply["error"]["message"], reply["error"]["type"])
    except (AttributeError, IndexError, KeyError, TypeError):
        return PromptError(f"the host refuses the prompt: {clean(str(reply), 300)}", "refused")
