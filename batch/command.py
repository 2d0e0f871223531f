"""From the command line to the exit code: 0 all done, 1 some pictures failed, 2 refused, 130 interrupted."""

import argparse
import os
import secrets
import sys

from . import Refused
from .prepare import prepare
from .report import Stop, say

USAGE = "python batch [WORKFLOW.json] PICTURES OUT [options]"
EPILOG = """example:
  python batch flow.json photos results --comfyui ~/ComfyUI --dry-run
Run the same command again to go on: what is done and did not change is skipped. More in docs/batch.md."""


def main(arguments: list[str] | None = None) -> int:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # names may have signs that a terminal lacks
    options = parsed(arguments)
    stop = Stop()
    try:
        found = prepare(options)
        if not options.address:  # Ray runs whatever it is sent, and its ports are open: let it listen to this run alone
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        from .run import run  # Ray reads its settings when it is imported

        return run(options, found, stop)
    except Refused as error:
        say(f"\nNot done: {error}")
        return 2
    except KeyboardInterrupt:
        say("\nEnded. The same command goes on where this one stopped.")
        return 130


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    made = argparse.ArgumentParser(
        prog="python batch",
        usage=USAGE,
        description="Takes PICTURES (a folder, a pattern in quotes, or a table) through a workflow from File > Export\n"
        "(API), or through batch/inpaint.json, into the folder OUT. Folders and tables may be URLs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("paths", nargs="+", metavar="WORKFLOW.json PICTURES OUT")
    what = made.add_argument_group("what is done")
    what.add_argument("--masks", metavar="DIR", help="masks with the pictures' names (else NAME_mask.png, else alpha)")
    what.add_argument("--set", metavar="NODE.INPUT=VALUE", action="append", default=[], help="change an input for all")
    what.add_argument("--prompt", metavar="TEXT", help="the text that leads to 'positive'")
    what.add_argument("--negative", metavar="TEXT", help="the text that leads to 'negative' alone")
    what.add_argument("--checkpoint", metavar="NAME", help="the checkpoint, as ComfyUI lists it")
    what.add_argument("--seed", type=int, help="each picture's seed follows from this and its name (0)")
    what.add_argument("--image", metavar="NODE", help="the node that takes the picture, by id or title")
    what.add_argument("--mask", metavar="NODE", help="the node that takes the mask")
    what.add_argument("--result", metavar="NODE", help="the node that gives the result")
    what.add_argument("--format", choices=["png", "own"], default="png", help="own: as the picture was (JPEG, ...)")
    where = made.add_argument_group("where it is done")
    where.add_argument("--comfyui", metavar="DIR", help="start this ComfyUI (the same path on every machine)")
    where.add_argument("--host", metavar="URL", action="append", default=[], help="a ComfyUI that runs; repeatable")
    where.add_argument("--address", default="", help="a Ray cluster: 'auto' or HEAD:6379 (else this machine alone)")
    where.add_argument("--workers", type=int, help="how many ComfyUIs to start (one a GPU, else one)")
    again = made.add_argument_group("again")
    again.add_argument("--retry-failed", action="store_true", help="also do again what failed before")
    again.add_argument("--dry-run", action="store_true", help="only show what would be done")
    found = made.parse_args(arguments)
    if len(found.paths) not in (2, 3) or not all(found.paths):
        made.error(f"wanted [WORKFLOW.json] PICTURES OUT, found {found.paths}")
    if len(found.paths) == 2 and found.paths[0].endswith(".json"):
        made.error(f"wanted WORKFLOW.json PICTURES OUT; of PICTURES and OUT one is missing: {' '.join(found.paths)}")
    if found.host and (found.comfyui or found.workers):
        made.error("--host names ComfyUIs that run already: there is nothing to start with --comfyui or --workers")
    if found.workers is not None and found.workers < 1:
        made.error("--workers: wanted 1 or more")
    found.workflow = found.paths[0] if len(found.paths) == 3 else ""
    found.pictures, found.out = found.paths[-2:]
    return found
