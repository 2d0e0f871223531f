"""Hosts that mean no good, or have gone mad: what they answer ends no run, fills no memory and reaches no other file.

No real host does any of this, so a small server stands in for one."""

import asyncio
import io
import json
import re
import threading

import pytest
from aiohttp import web
from PIL import Image

from batch.manifest import DONE, FAILED
from batch.worker import HOST_GONE, NOT_DONE, Worker
from benchmarks.batch.trial import STOCK, node
from comfyui_host import client as client_module
from comfyui_host.client import Client, HostFailed
from comfyui_host.hosts import StartedHost


def saved(image, kind="PNG"):
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def outputs(images):
    return {"p": {"outputs": {"3": {"images": images}}}}


FILE = {"filename": "a.png", "subfolder": "", "type": "output"}
END = {"type": "executing", "data": {"prompt_id": "p", "node": None}}
GOOD = {
    "/system_stats": {}, "/object_info": dict.fromkeys(("LoadImage", "ImageInvert", "SaveImage"), {}), "/queue": {},
    "/upload/image": {"name": "x"}, "/prompt": {"prompt_id": "p"}, "/history/p": outputs([FILE]), "/ws": [END],
    "/view": saved(Image.new("RGB", (64, 64))), "/free": {},
}  # fmt: skip


@pytest.fixture
def fake():
    """fake(answers) is the address of a host that gives them: by path, bytes, JSON, a status with headers, or an
    iterator of parts; of /ws, its messages. What another path is answered stands under "*"."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    runners = []

    def made(answers):
        async def answer(request):
            await request.read()
            found = answers.get(request.path, answers.get("*", b""))
            if request.path == "/ws" and isinstance(found, list):
                socket = web.WebSocketResponse()
                await socket.prepare(request)
                for message in found:
                    await (socket.send_bytes if isinstance(message, bytes) else socket.send_json)(message)
                await socket.close()
                return socket
            if isinstance(found, tuple):
                return web.Response(status=found[0], headers=found[1])
            if hasattr(found, "__next__"):
                stream = web.StreamResponse()
                await stream.prepare(request)
                for part in found:
                    await stream.write(part)
                    await asyncio.sleep(0.05)
                return stream
            return web.Response(body=found if isinstance(found, bytes) else json.dumps(found).encode())

        async def start():
            app = web.Application(client_max_size=1 << 24)
            app.router.add_route("*", "/{path:.*}", answer)
            runners.append(web.AppRunner(app, shutdown_timeout=0.1))
            await runners[-1].setup()
            await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
            return f"http://127.0.0.1:{runners[-1].addresses[0][1]}"

        return asyncio.run_coroutine_threadsafe(start(), loop).result(10)

    yield made
    for runner in runners:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)


def test_an_answer_without_an_end_is_cut(fake, monkeypatch):
    monkeypatch.setattr(client_module, "MOST_JSON", 1 << 20)
    sent = iter([b" " * 100_000] * 1000)
    with pytest.raises(HostFailed, match="without an end"):
        Client(fake({"*": sent})).version()
    assert len(list(sent)) > 800


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_picture_is_sent_on_to_another_host(fake, status):
    got = iter([b"{}"])
    here = Client(fake({"*": (status, {"Location": f"{fake({'*': got})}/upload/image"})}))
    for work in (lambda: here.put("a.png", b"x"), lambda: here.run({}), here.version, lambda: here.fetch({})):
        with pytest.raises(HostFailed, match="sends on to another address"):
            work()
    assert list(got) == [b"{}"]


@pytest.mark.parametrize(
    ("path", "answer", "state", "words"),
    [
        ("/free", {}, DONE, ""),
        ("/view", b"<html>", FAILED, "the result is broken"),
        ("/view", saved(Image.new("RGB", (64, 64)), "GIF"), FAILED, "the result is broken"),
        ("/history/p", [], NOT_DONE, "not JSON|other than a JSON object"),
        ("/history/p", outputs([7, None, []]), FAILED, "gave 0 results"),
        ("/history/p", outputs([FILE, FILE]), FAILED, "gave 2 results"),
        ("/history/p", outputs([{"filename": ["x"], "type": 7}]), DONE, ""),
        ("/history/p", {}, HOST_GONE, "has forgotten the prompt"),
        ("/prompt", b"<html>", NOT_DONE, "not JSON"),
        ("/upload/image", b"", NOT_DONE, "not JSON"),
        ("/ws", [b"x", {}, {"data": 7}, {"data": {"prompt_id": "p"}}, END], DONE, ""),
        ("/ws", [b"x" * (65 << 20), END], DONE, ""),
    ],
)
def test_no_answer_makes_a_worker_do_more_than_set_a_picture_aside(
    fake, understood, pictures, tmp_path, path, answer, state, words
):
    (tmp_path / "flow.json").write_text(json.dumps(STOCK))
    task = understood(pictures, workflow=tmp_path / "flow.json")
    worker = Worker(task, fake(GOOD | {path: answer}))
    worker.start()
    entry = worker.paint(task.jobs([{"image": "a.png"}])[0])
    assert entry["state"] == state and re.search(words, entry.get("error", ""))
    assert (tmp_path / "out" / "a.png").exists() == (state == DONE)


def test_only_the_host_s_own_files_are_deleted_whatever_it_names(tmp_path):
    base, outside = tmp_path / "base", tmp_path / "outside.png"
    for path in (base / "output" / "a.png", base / "input" / "batch" / "b.png", outside):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (base / "output" / "link").symlink_to(tmp_path)
    started = StartedHost()
    started.base = base.resolve()
    names = {"output": [str(tmp_path), "../..", "link"], str(tmp_path): [""], "..": [""], "": ["/"]}
    files = [{"type": kind, "subfolder": folder, "filename": "outside.png"} for kind in names for folder in names[kind]]
    started.forget(["batch/b.png", "../../outside.png"], [*files, FILE])
    assert outside.exists()
    assert not (base / "output" / "a.png").exists() and not (base / "input" / "batch" / "b.png").exists()


def test_no_input_of_a_prompt_is_copied_from_or_to_elsewhere(tmp_path):
    own, base = tmp_path / "ComfyUI", (tmp_path / "base").resolve()
    for path in (own / "input" / "sub" / "good.png", tmp_path / "outside.png", own / "secret.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (own / "input" / "link.png").symlink_to(own / "secret.png")
    started = StartedHost(str(own))
    started.base = base
    names = ["sub/good.png", "../secret.png", "link.png", "../../outside.png", f"{tmp_path}/outside.png", "none.png"]
    started._copy_inputs({str(at): node("LoadImage", image=name) for at, name in enumerate(names)})
    assert [path for path in base.rglob("*") if path.is_file()] == [base / "input" / "sub" / "good.png"]
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == [
        "good.png", "good.png", "link.png", "outside.png", "secret.png",
    ]  # fmt: skip
