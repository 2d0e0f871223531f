"""Starting and ending: what cannot start says why, and nothing is left running."""

import socket

import psutil
import pytest

from comfyui_host import install
from comfyui_host.server_process import HostError, serve

ANSWERS = """
import http.server, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


def host(folder, program: str) -> install.HostFiles:
    """A host that is this program."""
    (folder / "main.py").write_text(program)
    return install.HostFiles(folder, install.find_host().python)


def test_a_taken_port_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(HostError, match=f"port {port} is taken"), serve(install.find_host(), port):
            pass


def test_a_host_that_dies_while_it_starts_shows_its_last_words(tmp_path):
    before = set(psutil.Process().children(recursive=True))
    dying = host(tmp_path, "raise RuntimeError('no space for models')")
    with pytest.raises(HostError, match="no space for models"), serve(dying):
        pass
    assert set(psutil.Process().children(recursive=True)) <= before


def test_leaving_ends_the_host_and_its_folder(tmp_path):
    with serve(host(tmp_path, ANSWERS)) as server:
        base, process = server.base, psutil.Process(server.process.pid)
        children = process.children(recursive=True)
    # In a container without an init process, what was killed may stay a zombie.
    alive = [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert children and not alive
    assert not process.is_running() and not base.exists()
