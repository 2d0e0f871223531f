"""One worker: a Ray actor with a ComfyUI of its own. It takes pictures from file to file, two at a time: while the host
paints one, the worker writes the one before, or gets the next ready, so that the host need not wait for it."""

import json
import socket
import time
from pathlib import Path
from typing import Any

from comfyui_host.client import HostFailed, HostGone, PromptError, clean
from comfyui_host.hosts import RunningHost, StartedHost
from comfyui_host.prompt import Prompt, described, misfits, upstream

from . import BadPicture, Refused, pictures
from .check import Job, Task
from .manifest import DONE, FAILED
from .pictures import Picture
from .places import digest, strip_name

NOT_DONE = "not done"  # the picture may be done by another try, or by another host
HOST_GONE = "host gone"  # the same, and this worker's host has to be started again
STOP = "stop"  # no picture can be done any more: the results cannot be written
FOLDER = "batch"  # among the host's inputs, for the pictures and masks


class Worker:
    """`address` is a ComfyUI that runs already; empty to start one."""

    def __init__(self, task: Task, address: str = ""):
        self.task, self.address, self._ended = task, address, 0.0
        room = Path(task.repository) / "comfyui_host"
        self.host = RunningHost(address) if address else StartedHost(task.comfyui, room)

    def start(self) -> dict[str, str]:
        """Have a host that answers and knows what the workflow needs, and return its name and version. Raises HostGone
        or HostFailed if it does not start, Refused if it lacks something or cannot write the results."""
        flow = self.task.workflow
        self.host.start(flow.prompt)
        self.known = self.host.client.object_info()
        if wrong := self._misfits(flow.prompt):
            raise Refused("\n".join(map(clean, wrong)))
        self.task.out.check_writable()
        name = self.address or f"{socket.gethostname()} {self.host.client.address.rpartition(':')[2]}"
        self.facts = {"host": name, "version": clean(self.host.client.version())}
        return self.facts

    def paint(self, job: Job) -> dict[str, Any]:
        """Take a picture through the workflow, and return an entry of the manifest: "done", "failed", or in one of the
        states above. Its seconds count from the end of the picture before, where it has waited for that."""
        started = time.monotonic()
        entry: dict[str, Any] = {**job.facts(), "state": DONE, **self.facts}
        try:
            entry |= self._paint(job)
        except (BadPicture, HostGone, Refused) as error:
            state = {BadPicture: FAILED, HostGone: HOST_GONE, Refused: STOP}[type(error)]
            entry |= {"state": state, "error": clean(str(error))}
        except FileNotFoundError as error:
            entry |= {"state": FAILED, "error": clean(f"there is no {error.filename or job.name} any more")}
        except PromptError as error:
            where = f"node {described(self.task.workflow.prompt, error.node_id)}: " if error.node_id else ""
            entry |= {"state": NOT_DONE, "error": clean(f"{where}{error}")}
        except (HostFailed, OSError) as error:  # a far filesystem may answer the next time
            entry |= {"state": NOT_DONE, "error": clean(f"{type(error).__name__}: {error}")}
        started, self._ended = max(started, self._ended), time.monotonic()
        return entry | {"seconds": round(self._ended - started, 3), "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}

    def evaluations(self, schedule: str) -> int | None:
        """What the workflow's Schedule node says about the number of model evaluations of one picture."""
        shown = "number of evaluations"
        show = {shown: {"class_type": "PreviewAny", "inputs": {"source": [schedule, 1]}}}
        try:
            run = self.host.client.run(upstream(self.task.workflow.prompt, schedule) | show)
            return int(run.outputs[shown]["text"][0])
        except (HostFailed, HostGone, IndexError, KeyError, TypeError, ValueError):
            return None

    def stop(self) -> None:
        self.host.stop()

    def _misfits(self, prompt: Prompt) -> list[str]:
        flow = self.task.workflow
        return misfits(prompt, self.known, [(node, "image") for node in (flow.image, flow.mask)])

    def _paint(self, job: Job) -> dict[str, Any]:
        content = self.task.source.root.read(job.name)
        mask_content = self.task.mask_place(job).read(job.mask) if job.mask else b""
        facts: dict[str, Any] = {"image_hash": digest(content), "mask_hash": digest(mask_content)}
        same = all(job.before.get(key) == value for key, value in {**facts, "recipe": job.recipe}.items())
        if same and job.result_at and job.before.get("state") == DONE:  # touched, but not changed
            return {**job.before, "image_at": job.image_at, "mask_at": job.mask_at}
        replaces = self._replaced(job)
        picture = pictures.read(content, job.name)
        mask = self.task.mask(job, mask_content, picture)
        made, seeds = self._painted(job, facts, picture, mask)
        result, shown = pictures.finished(made, picture, mask if job.mask or mask is None else None)
        if self.task.own_format:
            result = pictures.in_format_of(result, job.result, picture)
        panels, out = [panel for panel in (picture.pixels, mask, shown) if panel], self.task.out
        strip, at = pictures.strip(panels, picture, digest(result)), strip_name(job.result)
        try:
            out.write(at, strip, digest(out.read(at)) if out.taken(at) else "")
            out.write(job.result, result, replaces)
        except OSError as error:
            raise Refused(f"cannot write {out.link(job.result)}: {error}") from error
        other = {key: value for key, value in seeds.items() if value != job.seed}
        return {**facts, **({"seeds": other} if other else {}), "result_hash": digest(result)}

    def _replaced(self, job: Job) -> str:
        """The digest of this tool's own result that is there, by the manifest, or by the strip, which is written first,
        where a run was killed in between. Raises BadPicture if it is someone else's."""
        out, strip = self.task.out, strip_name(job.result)
        if not out.taken(job.result):
            return ""
        there = digest(out.read(job.result))
        if there != job.before.get("result_hash") and not (
            out.taken(strip) and pictures.comment_in(out.read(strip)) == there
        ):
            raise out.occupied(job.result)
        return there

    def _painted(self, job: Job, facts: dict[str, Any], picture: Picture, mask: Any) -> tuple[bytes, dict[str, int]]:
        """The host's result, and the seeds that it used.

        The names of its inputs follow from the picture's name and content: the result has them in it. No two pictures
        share a file, which the first would delete, or a prompt, for which the host names the first result again.
        """
        flow, client = self.task.workflow, self.host.client
        key = digest(json.dumps([job.name, *facts.values()]).encode())
        files = {f"{key}.png": pictures.for_image_loader(picture, mask if flow.mask_in_alpha else None)}
        if mask and flow.mask:
            files[f"{key}_mask.png"] = pictures.for_mask_loader(mask)
        names = [f"{FOLDER}/{name}" for name in files]
        prompt, seeds = flow.filled(names[0], names[-1], job.seed or 0, job.settings, self.known)
        if job.settings and (wrong := self._misfits(prompt)):
            raise BadPicture("values that the host cannot use", wrong[0])
        for name, content in files.items():
            client.put(name, content, FOLDER, overwrite=True)
        run = client.run(prompt)
        results = run.pictures(flow.result)
        if len(results) != 1:
            said = f"the workflow gave {len(results)} results for one picture: wanted 1, so batch_size 1"
            raise BadPicture("workflows with several results", said)
        try:
            made = client.fetch(results[0])
        except HostFailed:  # it remembers the result of an earlier run, and someone has deleted the file
            client.forget_results()
            raise
        self.host.forget(names, [file for node in run.outputs for file in run.pictures(node)])
        return made, seeds
