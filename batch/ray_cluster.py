"""Ray: joins a cluster or makes one of this machine, and turns the table into jobs by Ray Data."""

from __future__ import annotations

import logging
import math
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before Ray is imported: nothing is reported to its makers.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
import ray.data
import ray.exceptions

from .check_rows import Checker
from .errors import Refused
from .job import Job
from .table import Source

ROOM = Path(__file__).parent
STORE = 256 << 20  # bytes; only rows of the table go through Ray's object store, never a picture
BLOCK = 1 << 20  # bytes; so that one large table is checked by many tasks
ROWS = 500
LONGEST_FOLDER = 20
STARTS = 3
NEXT_TO_NO_CPU = 0.01
"""A worker waits for its host and wants no processor, but Ray spreads over machines only what wants some."""


class RayCluster:
    """A connection to Ray, in a `with` statement.

    Arguments:
        address: A cluster's, "auto" for the one that runs on this machine; empty to start Ray here, and end it too.

    Raises:
        Refused: If there is no cluster at that address.
    """

    def __init__(self, address: str):
        self.address = address

    def __enter__(self) -> RayCluster:
        self._knock()
        for attempt in range(STARTS):
            try:
                self._join()
                break
            except Exception as error:  # Ray raises plain ones too: it starts within 30 s, or not at all
                ray.shutdown()
                if self.address or attempt == STARTS - 1:
                    what = f"join Ray at {self.address}" if self.address else "start Ray on this machine"
                    raise Refused(f"cannot {what}: {error}") from error
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.target_max_block_size = BLOCK
        context.execution_options.preserve_order = True
        return self

    def __exit__(self, *_: object) -> None:
        ray.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _knock(self) -> None:
        """Ray itself waits for minutes before it says that nobody is there."""
        host, colon, port = self.address.rpartition(":")
        if not colon or not port.isdigit():
            return  # empty, or "auto"
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise Refused(f"cannot join Ray at {self.address}: {error}") from error

    def _join(self) -> None:
        self._folder = "" if self.address else tempfile.mkdtemp(prefix="ray-", dir=_short_folder())
        alone = {"object_store_memory": STORE, "_temp_dir": self._folder}
        with tempfile.TemporaryDirectory(prefix="batch-code-") as code:
            # Every machine needs this room's code, and nothing else of the repository. As a working directory it comes
            # before whatever is called `batch` in the folder that the user is in.
            shutil.copytree(ROOM, Path(code) / ROOM.name, ignore=shutil.ignore_patterns("__pycache__"))
            ray.init(
                address=self.address or "local",
                include_dashboard=None if self.address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"working_dir": code},
                **({} if self.address else alone),  # type: ignore[arg-type]
            )

    def gpus(self) -> int:
        """How many GPUs the machine or the cluster has."""
        return int(ray.cluster_resources().get("GPU", 0))

    def jobs(self, source: Source, masks_beside: bool, checker: Checker) -> Iterator[list[Job]]:
        """The table's rows, checked, in its order and a few hundred at a time.

        Raises:
            Refused: If the table cannot be read.
        """
        try:
            rows = source.dataset(masks_beside)
            checked = rows.map_batches(checker, batch_format="pyarrow", batch_size=ROWS, zero_copy_batch=True)
            for batch in checked.iter_batches(batch_format="pyarrow", batch_size=ROWS):
                yield [Job.from_json(text) for text in batch["job"].to_pylist()]
        except (ray.exceptions.RayError, OSError, ValueError) as error:
            cause = getattr(error, "cause", None) or error
            raise Refused(
                f"cannot read {source.root.link(source.file)}: {str(cause).strip().splitlines()[-1]}"
            ) from error


def _short_folder() -> str | None:
    """Where temporary files go, unless its path is too long: Ray makes sockets there, and a socket's path may have 104
    characters on macOS and 108 on Linux, of which Ray's own part takes some 80."""
    return "/tmp" if os.name == "posix" and len(tempfile.gettempdir()) > LONGEST_FOLDER else None  # noqa: S108


def share_of_gpu(gpus: int, workers: int) -> float:
    """What a worker asks Ray for: a GPU of its own, or an equal part where there are more workers than GPUs."""
    return 1 / math.ceil(workers / gpus) if gpus else 0.0


def actor(worker: type, gpu: float, at_a_time: int, *arguments: Any) -> Any:
    """A Ray actor that Ray starts again, on another machine if need be, whenever its process ends.

    Arguments:
        at_a_time: How many calls it takes at the same time.
    """
    made: Any = ray.remote(worker).options(
        num_cpus=NEXT_TO_NO_CPU, num_gpus=gpu, max_restarts=-1, max_task_retries=0, scheduling_strategy="SPREAD",
        max_concurrency=at_a_time,
    )  # fmt: skip
    return made.remote(*arguments)
