"""Starting and ending: what cannot start says why, and nothing is left running."""

import json
import socket
import subprocess
import time

import psutil
import pytest

from comfyui_host import install, server_process
from comfyui_host.client import Client, HostGone
from comfyui_host.server_process import HostError, serve


def test_a_taken_port_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(HostError, match=f"port {port} is taken"), serve(install.find_host(), port):
            pass


def test_a_host_that_dies_while_it_starts_shows_its_last_words(tmp_path):
    (tmp_path / "main.py").write_text("raise RuntimeError('no space for models')")
    before = set(psutil.Process().children(recursive=True))
    host = install.HostFiles(tmp_path, install.find_host().python)
    with pytest.raises(HostError, match="no space for models"), serve(host):
        pass
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_host_killed_in_the_middle_of_a_job_is_noticed_and_starts_again_with_nothing_half_done(prompt):
    with serve(install.find_host()) as server:
        client = Client(server.address)
        for name in ("example_image.png", "example_mask.png"):
            client.upload(install.ROOT / "demo" / name)
        short = prompt("blend", steps=3, noise_seed=40)
        picture = result(client, short)
        with pytest.raises(HostGone, match="the host"):
            client.run(prompt("repaint", steps=500), lambda *_: server.process.kill())
        (saved,) = (server.base / "output").glob("*.png")
        half = saved.with_name(saved.name.replace("00001", "00002"))
        half.write_bytes(picture[: len(picture) // 2])  # as if it had been killed while it wrote

        server.process.wait()
        with (server.base / "server.log").open("ab") as log:
            server.process = subprocess.Popen(
                server.process.args, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        server_process._wait_until_ready(server)
        assert json.loads(client._get("/history")) == {}
        assert json.loads(client._get("/queue")) == {"queue_running": [], "queue_pending": []}
        assert result(client, short) == picture
        assert half.read_bytes() == picture[: len(picture) // 2] and saved.read_bytes() == picture


def result(client, prompt):
    return client.fetch(client.run(prompt).outputs["save"]["images"][0])


def test_leaving_ends_the_host_and_its_folder(tmp_path, monkeypatch):
    (tmp_path / "main.py").write_text(
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "time.sleep(600)"
    )
    monkeypatch.setattr(server_process, "_wait_until_ready", lambda server: None)
    host = install.HostFiles(tmp_path, install.find_host().python)
    with serve(host) as server:
        base, pid = server.base, server.process.pid
        for _ in range(600):
            children = psutil.Process(pid).children(recursive=True)
            if children:
                break
            time.sleep(0.1)
    # In a container without an init process, what was killed may stay a zombie.
    alive = [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert children and not alive
    assert not psutil.pid_exists(pid) and not base.exists()
