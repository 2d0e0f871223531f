"""What cannot start says why, and leaves nothing running."""

import socket

import psutil
import pytest

from comfyui_host import install
from comfyui_host.server_process import HostError, serve


def test_a_taken_port_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(HostError, match=f"port {port} is taken"), serve(install.find_host(), port):
            pass


def test_a_host_that_dies_while_it_starts_shows_its_last_words(tmp_path):
    before = set(psutil.Process().children(recursive=True))
    (tmp_path / "main.py").write_text("raise RuntimeError('no space for models')")
    dying = install.HostFiles(tmp_path, install.find_host().python)
    with pytest.raises(HostError, match="no space for models"), serve(dying):
        pass
    assert set(psutil.Process().children(recursive=True)) <= before
