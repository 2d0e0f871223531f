"""Hosts that mean no good, or have gone mad: what they answer ends no run, fills no memory and reaches no other file.

No real host does any of this, so a small server stands in for one."""

import asyncio
import io
import json
import re
import threading
import time

import aiohttp
import pytest
from aiohttp import web
from PIL import Image

from batch.manifest import DONE, FAILED
from batch.worker import HOST_GONE, NOT_DONE, Worker
from benchmarks.batch.trial import STOCK, node
from comfyui_host import client as client_module
from comfyui_host.client import Client, HostFailed, HostGone, PromptError, _check_success, _parsed, _refusal, clean
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


def test_an_answer_that_drips_has_a_last_moment(fake, monkeypatch):
    monkeypatch.setattr(client_module, "ANSWER", aiohttp.ClientTimeout(total=1.0))
    started = time.monotonic()
    with pytest.raises(HostGone, match="does not answer"):
        Client(fake({"*": iter([b" "] * 200)})).version()
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_picture_is_sent_on_to_another_host(fake, status):
    got = iter([b"{}"])
    here = Client(fake({"*": (status, {"Location": f"{fake({'*': got})}/upload/image"})}))
    for work in (lambda: here.put("a.png", b"x"), lambda: here.run({}), here.version, lambda: here.fetch({})):
        with pytest.raises(HostFailed, match="sends on to another address"):
            work()
    assert list(got) == [b"{}"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"7", b"[" * 100_000, b'{"a": ' * 100_000, b"\xff\xfe"])
def test_what_is_no_json_is_said_to_be_none(fake, content):
    here = Client(fake({"*": content}))
    for work in (here.version, here.object_info):
        with pytest.raises(HostFailed, match="JSON"):
            work()


def test_a_status_is_an_error_and_an_address_that_is_none_too(fake):
    with pytest.raises(HostFailed, match="answers 500 to /object_info"):
        Client(fake({"*": (500, {})})).object_info()
    for address in ("http://127.0.0.1:9", "nonsense", "http://", "ftp://x"):
        with pytest.raises(HostGone, match="does not answer"):
            Client(address).version()


@pytest.mark.parametrize(
    ("path", "answer", "state", "words"),
    [
        ("/free", {}, DONE, ""),
        ("/view", b"<html>", FAILED, "the result is broken"),
        ("/view", b"", FAILED, "the result is broken"),
        ("/view", saved(Image.new("RGB", (64, 64)), "GIF"), FAILED, "the result is broken"),
        ("/view", GOOD["/view"][:60], FAILED, "the result is broken"),
        ("/history/p", [], NOT_DONE, "not JSON|other than a JSON object"),
        ("/history/p", {"p": {"outputs": []}}, FAILED, "gave 0 results"),
        ("/history/p", outputs(7), FAILED, "gave 0 results"),
        ("/history/p", outputs([7, None, []]), FAILED, "gave 0 results"),
        ("/history/p", outputs([FILE, FILE]), FAILED, "gave 2 results"),
        ("/history/p", outputs([{"filename": ["x"], "type": 7}]), DONE, ""),
        ("/history/p", {}, HOST_GONE, "has forgotten the prompt"),
        ("/prompt", {}, NOT_DONE, "not JSON"),
        ("/prompt", b"<html>", NOT_DONE, "not JSON"),
        ("/upload/image", {}, DONE, ""),
        ("/upload/image", b"", NOT_DONE, "not JSON"),
        ("/ws", [b"x", {}, {"data": 7}, {"data": {"prompt_id": "p"}}, END], DONE, ""),
        ("/ws", [{"type": "progress", "data": {"prompt_id": "p"}}, END], DONE, ""),
        ("/ws", [b"x" * (65 << 20), END], DONE, ""),
        ("/ws", [7, END], NOT_DONE, "other than a JSON object"),
        ("/ws", [], DONE, ""),
        ("/object_info", {kind: {"input": {"required": {"image": 7}}} for kind in GOOD["/object_info"]}, DONE, ""),
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


def test_halves_of_characters_are_replaced_where_they_come_in():
    found = _parsed(b'{"\\ud800": ["\\udfff", {"a": "\\ud83d\\ude00"}]}')
    json.dumps(found, ensure_ascii=False).encode()
    assert list(found.values()) == [["\ufffd", {"a": "\U0001f600"}]]
    assert clean("a\ud800b\x1b[2J\nc" + "x" * 9999, 10) == "a\ufffdb [2J cx"


@pytest.mark.parametrize(
    "entry", [{}, {"status": 7}, {"status": {"messages": 7}}, {"status": {"messages": [7, [], ["execution_error", 7]]}}]
)
def test_a_history_of_any_shape_is_no_error_by_itself(entry):
    _check_success(entry)


def test_an_error_of_any_shape_is_a_prompt_s_error():
    with pytest.raises(PromptError):
        _check_success({"status": {"messages": [["execution_error", {}]]}})
    first = {"node_errors": {"1": {"errors": []}}}
    for reply in ({}, {"error": 7}, {"node_errors": 7}, first, {"error": {"message": 1}}):
        assert isinstance(_refusal(reply), PromptError)


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
