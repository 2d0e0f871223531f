"""Hosts that mean no good, or have gone mad: what they answer fills no memory, goes to no other host and reaches no
other file.

No real host does any of this, so a small server stands in for one."""

import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import pytest

from benchmarks.batch.trial import node
from comfyui_host import client as client_module
from comfyui_host.client import Client, HostFailed, HostGone
from comfyui_host.hosts import StartedHost

FILE = {"filename": "a.png", "subfolder": "", "type": "output"}


@pytest.fixture
def strange():
    """strange(status, content, headers) is a client of a host that gives this answer to everything, byte by byte if it
    pauses."""
    servers = []

    def made(status, content, pause=0.0, **headers):
        class Host(BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):  # the client hangs up
                    step = 1 if pause else max(len(content), 1)
                    for at in range(0, len(content), step):
                        self.wfile.write(content[at : at + step])
                        time.sleep(pause)

            do_POST = do_GET  # noqa: N815

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Host))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return Client(f"http://127.0.0.1:{servers[-1].server_port}")

    yield made
    for server in servers:
        server.shutdown()
        server.server_close()


CALLS = [lambda host: host.put("a.png", b"x"), lambda host: host.run({}), Client.version, lambda host: host.fetch(FILE)]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [302, 307])
def test_no_picture_is_sent_on_to_another_host(strange, status, call):
    with pytest.raises(HostFailed, match="sends on to another address"):
        call(strange(status, b"", Location=f"{strange(200, b'{}').address}/upload/image"))


@pytest.mark.parametrize("content", [b"<html>", b"7", b"[" * 100_000])
def test_what_is_no_json_is_said_to_be_none(strange, content):
    with pytest.raises(HostFailed, match="JSON"):
        strange(200, content).version()


def test_an_answer_that_is_too_long_is_cut(strange, monkeypatch):
    monkeypatch.setattr(client_module, "MOST_JSON", 1 << 20)
    with pytest.raises(HostFailed, match="without an end"):
        strange(200, b" " * (2 << 20)).version()


def test_an_answer_that_drips_has_a_last_moment(strange, monkeypatch):
    monkeypatch.setattr(client_module, "ANSWER", aiohttp.ClientTimeout(total=1.0))
    with pytest.raises(HostGone, match="does not answer"):
        strange(200, b"{}" + b" " * 98, pause=0.05).version()


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
