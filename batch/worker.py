"""One worker: a Ray actor with a ComfyUI of its own. It takes pictures from file to file, two at a time: while the host
paints one, the worker writes the one before, or gets the next ready, so that the host need not wait for it."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from . import pictures
from .check_host import misfits
from .comfyui_api import FOLDER
from .errors import BadPicture, HostFailed, HostGone, Refused
from .hosts import EmbeddedHost, OwnHost, RunningHost
from .job import DONE, FAILED, Job, digest
from .places import Place
from .workflow import Workflow

RETRY = "retry"
"""The picture may be done by another try or another host."""
HOST_GONE = "host gone"
"""The same, and this worker's host has to be started again."""
STOP = "stop"
"""No picture can be done any more: the results cannot be written."""
STRIPS = "report"


@dataclass
class Task:
    """All that the pictures of a run have in common.

    Attributes:
        comfyui: A ComfyUI's folder; empty for the embedded one.
        repository: The folder that has comfyui_host/.
        own_format: Results in the picture's own format, not in PNG.
    """

    workflow: Workflow
    pictures: Place
    masks: Place | None
    out: Place
    comfyui: str
    repository: str
    own_format: bool


class Worker:
    """Arguments:
    address: A ComfyUI that runs already; empty to start one.
    """

    def __init__(self, task: Task, address: str = ""):
        self.task, self.address = task, address
        references = [
            str(node["inputs"]["image"])
            for key, node in task.workflow.prompt.items()
            if isinstance(node["inputs"].get("image"), str) and key not in (task.workflow.image, task.workflow.mask)
        ]
        self._ended = 0.0
        self.host: RunningHost | OwnHost
        if address:
            self.host = RunningHost(address)
        elif task.comfyui:
            self.host = OwnHost(Path(task.comfyui), references)
        else:
            self.host = EmbeddedHost(Path(task.repository))

    def start(self) -> dict[str, str]:
        """Have a host that answers and that knows what the workflow needs.

        Returns:
            Its name and version.

        Raises:
            HostGone: If it does not start or does not answer.
            Refused: If it lacks something, or this machine cannot write the results.
        """
        self.host.start()
        if wrong := misfits(self.task.workflow, self.host.client.nodes()):
            raise Refused("\n".join(wrong))
        node = socket.gethostname()
        try:
            self.task.out.check_writable(digest([node, self.host.client.address]))
        except OSError as error:
            raise Refused(f"{node} cannot write to {self.task.out.url}: {error}") from error
        name = self.address or f"{node} {self.host.client.address.rpartition(':')[2]}"
        self.facts = {"host": name, "version": self.host.client.version()}
        return self.facts

    def paint(self, job: Job) -> dict[str, Any]:
        """Take a picture through the workflow.

        Returns:
            An entry of the manifest; its state is "done", "failed", or one of those above. Its seconds count from the
            end of the picture before, where this one has waited for that.
        """
        started = time.monotonic()
        entry: dict[str, Any] = {
            "name": job.name, "state": DONE, "result": job.result, "seed": job.seed, "recipe": job.recipe,
            "image_at": job.image_at, "mask_at": job.mask_at, **self.facts,
        }  # fmt: skip
        try:
            entry |= self._paint(job)
        except BadPicture as error:
            entry |= {"state": FAILED, "error": str(error)}
        except HostFailed as error:
            entry |= {"state": RETRY, "error": str(error)}
        except HostGone as error:
            entry |= {"state": HOST_GONE, "error": str(error)}
        except Refused as error:
            entry |= {"state": STOP, "error": str(error)}
        except OSError as error:  # a far filesystem may answer the next time
            entry |= {"state": RETRY, "error": f"{type(error).__name__}: {error}"}
        started, self._ended = max(started, self._ended), time.monotonic()
        return entry | {"seconds": round(self._ended - started, 3), "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}

    def evaluations(self, schedule: str) -> int | None:
        """What the workflow's Schedule node says about the number of model evaluations of one picture."""
        prompt = {schedule: self.task.workflow.prompt[schedule]}
        waiting = list(prompt)
        while waiting:  # the node and all that leads to it
            for value in prompt[waiting.pop()]["inputs"].values():
                if isinstance(value, list) and value[0] not in prompt:
                    prompt[value[0]] = self.task.workflow.prompt[value[0]]
                    waiting.append(value[0])
        shown = "number of evaluations"
        prompt[shown] = {"class_type": "PreviewAny", "inputs": {"source": [schedule, 1]}}
        try:
            return int(self.host.client.run(prompt)[shown]["text"][0])
        except (HostFailed, HostGone, KeyError, ValueError):
            return None

    def stop(self) -> None:
        self.host.stop()

    def _paint(self, job: Job) -> dict[str, Any]:
        place = self.task.masks if job.in_masks and self.task.masks else self.task.pictures
        content = self._read(self.task.pictures, job.name)
        mask_content = self._read(place, job.mask) if job.mask else b""
        facts = {"image_hash": digest(content), "mask_hash": digest(mask_content)}
        same = all(job.before.get(key) == value for key, value in {**facts, "recipe": job.recipe}.items())
        if same and job.exists and job.before["state"] == DONE:  # touched, but not changed
            return {**job.before, "image_at": job.image_at, "mask_at": job.mask_at}
        image = pictures.read(content, job.name)
        mask = self._mask(job, image, mask_content)
        uploads, image_name, mask_name = self._uploads(job, content, image, mask_content, mask)
        prompt = self.task.workflow.filled(image_name, mask_name, job.seed, job.settings)
        self.host.client.upload(uploads)
        outputs = self.host.client.run(prompt)
        files = outputs.get(self.task.workflow.result, {}).get("images", [])
        if len(files) != 1:
            raise BadPicture(f"the workflow gave {len(files)} results for one picture: wanted 1, so batch_size 1")
        painted = self._fetch(files[0])
        self.host.forget(uploads, [file for output in outputs.values() for file in output.get("images", [])])
        shown = pictures.read(painted, "the result")
        panels = [panel for panel in (image, mask, shown) if panel]
        result = pictures.in_format_of(painted, job.result) if self.task.own_format else painted
        self._write(f"{STRIPS}/{digest(job.result.encode())}.jpg", pictures.strip(panels))
        self._write(job.result, result)
        return {**facts, "result_hash": digest(result)}

    def _mask(self, job: Job, image: Image.Image, content: bytes) -> Image.Image | None:
        if not self.task.workflow.wants_mask:
            return None
        if not job.mask:
            return pictures.mask_from_alpha(image, job.name)
        mask = pictures.read(content, job.mask).convert("L")
        if mask.size != image.size:
            raise BadPicture(f"the mask {job.mask} has {mask.size} pixels, the picture {image.size}")
        return mask

    def _uploads(
        self, job: Job, content: bytes, image: Image.Image, mask_content: bytes, mask: Image.Image | None
    ) -> tuple[dict[str, bytes], str, str]:
        """Files by name, and the names of picture and mask among the host's inputs.

        They follow from the picture's name and the contents, so that they are the same on every host: the result has
        them in it. And no two pictures share a file, which the one that ends first would delete, or a prompt, for which
        the host would name the first one's result again.
        """
        key = digest([job.name, digest(content), digest(mask_content)])
        suffix = "." + job.name.rpartition(".")[2].lower()
        if mask and self.task.workflow.mask_in_alpha:
            suffix, content = ".png", pictures.png(pictures.with_alpha(image, mask, job.name))
        files = {key + suffix: content}
        if mask and self.task.workflow.mask:
            files[key + "_mask.png"] = pictures.png(mask)
        names = [f"{FOLDER}/{name}" for name in files]
        return files, names[0], names[-1]

    def _fetch(self, file: dict[str, str]) -> bytes:
        try:
            return self.host.client.fetch(file)
        except HostFailed:  # it remembers the result of an earlier run, and someone has deleted the file
            self.host.client.forget_results()
            raise

    def _read(self, place: Place, name: str) -> bytes:
        try:
            return place.read(name)
        except FileNotFoundError:
            raise BadPicture(f"there is no {place.link(name)} any more") from None

    def _write(self, name: str, content: bytes) -> None:
        try:
            self.task.out.write(name, content)
        except OSError as error:
            raise Refused(f"cannot write {self.task.out.link(name)}: {error}") from error
