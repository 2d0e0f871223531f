"""`python comfyui_host`: the embedded ComfyUI, with this pack and the demo model, for whoever talks to it over HTTP;
or, with --own DIR, a ComfyUI of your own with its models and node packs, and folders of inputs and outputs of its own.

It installs what is missing first. When it answers, it prints one JSON line with its address and its folder. It ends and
deletes that folder when standard input closes, and on Ctrl-C.
"""

import argparse
import json
import sys
import threading
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the folders of the repository are packages

from comfyui_host import install, pip_step  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="python comfyui_host", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, help="the host's port (a free one, if not given)")
    parser.add_argument("--plugin", type=Path, help="a folder of nodes to load beside the pack")
    parser.add_argument("--install", action="store_true", help="only install what is missing")
    parser.add_argument("--own", metavar="DIR", help="start this ComfyUI as it is, in place of the embedded one")
    arguments = parser.parse_args()
    try:
        host = install.host_in(arguments.own) if arguments.own else install.run_under_host()
    except pip_step.StepError as error:
        sys.exit(str(error))
    if arguments.install:
        return
    from comfyui_host.server_process import HostError, serve, serve_own

    try:
        own = arguments.own
        with serve_own(host, arguments.port) if own else serve(host, arguments.port, plugin=arguments.plugin) as server:
            print(json.dumps({"address": server.address, "base": str(server.base)}), flush=True)
            closing = threading.Thread(target=sys.stdin.buffer.read, daemon=True)  # it returns when that end closes
            closing.start()
            while closing.is_alive():
                closing.join(0.5)
                if server.process.poll() is not None:
                    raise HostError(f"the host ended by itself:\n{server.tail()}")
    except HostError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
