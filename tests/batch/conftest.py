"""The batch tier: `python batch` as a user runs it, against real hosts, with the demo model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from batch.check import Task
from batch.command import parsed
from batch.prepare import prepare
from benchmarks.batch.trial import DEMO_MODEL, PLUGIN, Trial, make_mask, make_picture
from comfyui_host import install
from comfyui_host.server_process import Server, serve


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A host of someone's own, with a node that raises and a model that waits."""
    with serve(install.find_host(), plugin=PLUGIN) as server:
        yield server


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A Ray cluster of one machine, which saves each run the start of its own."""
    from ray.cluster_utils import Cluster

    for attempt in range(4):  # on a busy machine Ray does not start within its 30 seconds
        try:
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
            break
        except Exception:
            if attempt == 3:
                raise
    yield cluster
    cluster.shutdown()


@pytest.fixture
def begin() -> Iterator[Callable[..., Trial]]:
    """begin(...) is `python batch ...` under way; it does not outlive the test."""
    trials = []

    def made(*arguments: Any, **more: Any) -> Trial:
        trials.append(Trial(*arguments, **more))
        return trials[-1]

    yield made
    for trial in trials:
        trial.kill()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures in two folders, with masks beside them."""
    folder = tmp_path / "pictures"
    for number, name in enumerate(["a", "b", "deep/er/c"]):
        make_picture(folder / f"{name}.png", number)
        make_mask(folder / f"{name}_mask.png", number)
    return folder


@pytest.fixture
def understood(tmp_path: Path) -> Callable[..., Task]:
    """understood(pictures, "--seed", "3") is all that `python batch` knows before it starts Ray."""

    def made(pictures: Any, *options: str, out: Any = tmp_path / "out", workflow: Any = None) -> Task:
        flow = [str(workflow)] if workflow else [*DEMO_MODEL]
        return prepare(parsed([*flow, str(pictures), str(out), *options]))

    return made
