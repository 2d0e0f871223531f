"""What is said to a running ComfyUI: upload, queue, follow, fetch."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.parse
import uuid
from collections.abc import Coroutine
from typing import Any

import aiohttp

from .errors import HostFailed, HostGone
from .workflow import Prompt, described

FOLDER = "batch"
"""The folder among the host's inputs that takes the pictures and masks."""
SILENCE = 20.0
"""Seconds without a message after which the host is asked whether it still has the prompt."""
PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)


class Client:
    """Talks to the host at `address`, "http://127.0.0.1:8188"; several threads may do so at a time.

    Every method raises HostGone if it does not answer.
    """

    def __init__(self, address: str):
        self.address = address.rstrip("/")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._session: aiohttp.ClientSession | None = None

    def version(self) -> str:
        return str(self._json("/system_stats").get("system", {}).get("comfyui_version", "unknown"))

    def nodes(self) -> dict[str, Any]:
        """Every node that the host knows, by class."""
        return self._json("/object_info")

    def upload(self, files: dict[str, bytes]) -> None:
        """Give the host files, by name; it has them as "batch/<name>".

        Raises:
            HostFailed: If the host refuses one.
        """
        self._do(self._upload(files))

    def run(self, prompt: Prompt) -> dict[str, Any]:
        """Queue a prompt and wait for its end.

        Returns:
            What each output node returned, by node id.

        Raises:
            HostFailed: If the host refuses the prompt, a node of it raises, or someone interrupts it.
        """
        return self._do(self._run(prompt))

    def fetch(self, file: dict[str, str]) -> bytes:
        """The content of one file of a prompt's outputs.

        Raises:
            HostFailed: If the host does not have it.
        """
        return self._do(self._get("/view?" + urllib.parse.urlencode(file)))

    def forget_results(self) -> None:
        """Have the host compute again what it remembers of earlier prompts. It keeps its models."""
        self._do(self._post("/free", {"free_memory": True, "unload_models": False}))

    def close(self) -> None:
        if self._session:
            self._do(self._session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _json(self, path: str) -> dict[str, Any]:
        return json.loads(self._do(self._get(path)))

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except aiohttp.ClientResponseError as error:
            raise HostFailed(f"{self.address} answers {error.status} {error.message}") from error
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError, ValueError) as error:
            raise HostGone(f"{self.address} does not answer: {error or type(error).__name__}") from error

    async def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # made here because it belongs to the loop that runs
            self._session = aiohttp.ClientSession(timeout=PATIENCE)
        return self._session

    async def _get(self, path: str) -> bytes:
        async with (await self._open()).get(self.address + path, raise_for_status=True) as answer:
            return await answer.read()

    async def _post(self, path: str, content: Any) -> None:
        async with (await self._open()).post(self.address + path, json=content, raise_for_status=True):
            pass

    async def _upload(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            form = aiohttp.FormData({"subfolder": FOLDER, "overwrite": "true"})
            form.add_field("image", content, filename=name, content_type="application/octet-stream")
            url = f"{self.address}/upload/image"
            async with (await self._open()).post(url, data=form, raise_for_status=True):
                pass

    async def _run(self, prompt: Prompt) -> dict[str, Any]:
        session = await self._open()
        client = uuid.uuid4().hex
        # Connect first: what is said before anyone listens is lost.
        async with session.ws_connect(f"{self.address}/ws", params={"clientId": client}, max_msg_size=0) as socket:
            async with session.post(f"{self.address}/prompt", json={"prompt": prompt, "client_id": client}) as answer:
                reply = await answer.json(content_type=None)
            if answer.status != 200:
                raise HostFailed(_refusal(reply, prompt))
            return _outputs(await self._finished(socket, reply["prompt_id"]), prompt)

    async def _finished(self, socket: Any, prompt_id: str) -> dict[str, Any]:
        """Wait for the end of a prompt and return its entry in the host's history. A quiet host is asked now and then:
        connections break without a word, and a host that was restarted has forgotten the prompt."""
        listening = True
        while True:
            try:
                done = listening and await asyncio.wait_for(_next_end(socket, prompt_id), SILENCE)
                listening = bool(done)
            except asyncio.TimeoutError:
                pass
            entry = json.loads(await self._get(f"/history/{prompt_id}")).get(prompt_id)
            if entry:
                return entry
            queue = json.loads(await self._get("/queue"))
            if not any(item[1] == prompt_id for items in queue.values() for item in items):
                entry = json.loads(await self._get(f"/history/{prompt_id}")).get(prompt_id)  # it may just have ended
                if not entry:
                    raise HostGone(f"{self.address} was restarted or has forgotten the prompt")
                return entry
            if not listening:
                await asyncio.sleep(1)


async def _next_end(socket: Any, prompt_id: str) -> bool:
    """Read messages until the host says that it is done with a prompt; False if the connection ends before."""
    async for message in socket:
        if message.type != aiohttp.WSMsgType.TEXT:
            continue  # previews
        event = json.loads(message.data)
        data = event.get("data", {})
        if data.get("prompt_id") == prompt_id and event["type"] == "executing" and data.get("node") is None:
            return True
        if data.get("prompt_id") == prompt_id and event["type"] in ("execution_error", "execution_interrupted"):
            return True
    return False


def _outputs(entry: dict[str, Any], prompt: Prompt) -> dict[str, Any]:
    """What the output nodes returned; raises what went wrong instead, if something did."""
    status = entry.get("status") or {}
    for event, data in status.get("messages", []):
        if event == "execution_error":
            message = " ".join(str(data.get("exception_message", "")).split())
            raise HostFailed(f"node {described(prompt, data['node_id'])}: {message}")
        if event == "execution_interrupted":
            raise HostFailed("the prompt was interrupted at the host")
    return entry["outputs"]


def _refusal(reply: dict[str, Any], prompt: Prompt) -> str:
    """Why the host will not queue a prompt, by the first node at fault."""
    for node, found in (reply.get("node_errors") or {}).items():
        first = found["errors"][0]
        return f"node {described(prompt, node)}: {first['message']}: {first['details']}"
    error = reply.get("error", reply)
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)
