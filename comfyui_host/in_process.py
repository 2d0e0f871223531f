"""The host inside this process, for tests, training and benchmarks: no server, no command line, no files left behind.

host = in_process.start()
model, clip, vae = host.nodes.CheckpointLoaderSimple().load_checkpoint(install.SMALL_MODEL.name)
from latent_repaint.samplers.methods import Blend
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from . import install
from .install import ROOT
from .torchvision_cure import cure_torchvision

PACK = "latent_repaint"


@dataclass(frozen=True)
class Host:
    """The host's modules, under their own names, after they were imported in the order that works.

    Attributes:
        comfy: The package, with every submodule that sampling needs already imported.
        nodes: The host's core nodes; not to be confused with the pack's folder of that name.
        custom_sampler: `comfy_extras.nodes_custom_sampler`: SamplerCustomAdvanced and what goes with it.
        model_advanced: `comfy_extras.nodes_model_advanced`: the ModelSampling* nodes.
        folder_paths: Where the host looks for models, and where it writes.
    """

    comfy: ModuleType
    nodes: ModuleType
    custom_sampler: ModuleType
    model_advanced: ModuleType
    folder_paths: ModuleType


def register_pack() -> None:
    """Make the repository importable as `latent_repaint`, whatever its folder is called.

    The host imports the pack by path, under a name of its own. From `sys.path` it cannot be imported: the pack's
    `nodes/` would hide the host's `nodes.py`. So the package is a bare module that only says where its parts are.
    """
    if PACK not in sys.modules:
        package = ModuleType(PACK)
        package.__path__ = [str(ROOT)]
        sys.modules[PACK] = package


@functools.cache
def start() -> Host:
    """Import the host, once a process, on the GPU if there is one; whatever it writes goes to a temporary folder."""
    register_pack()
    cure_torchvision()
    tree = install.find_host().tree
    sys.path.insert(0, str(tree))

    import torch
    from comfy.cli_args import args  # the host parses sys.argv only where it is told to

    args.cpu = not torch.cuda.is_available()
    args.base_directory = _temporary_folder().name

    for name in ("samplers", "sample", "sd", "utils", "model_base", "model_patcher", "supported_models", "ops"):
        importlib.import_module(f"comfy.{name}")
    extras = "comfy_extras.nodes_custom_sampler", "comfy_extras.nodes_model_advanced"
    host = Host(*map(importlib.import_module, ("comfy", "nodes", *extras, "folder_paths")))
    host.comfy.utils.set_progress_bar_enabled(False)
    for model in (install.DEMO_MODEL, install.SMALL_MODEL):
        host.folder_paths.add_model_folder_path("checkpoints", str(model.parent))
    _load_model_plugin()
    return host


def add_models(host: Host, folder: Path) -> None:
    """Let the host's loaders find the models of a ComfyUI's `models` folder, whose parts have the host's names."""
    for part in sorted(folder.glob("*/")):
        host.folder_paths.add_model_folder_path(part.name, str(part))


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """The base directory of the host; kept in the cache, it is deleted when the process ends."""
    return tempfile.TemporaryDirectory(prefix="latent-repaint-", ignore_cleanup_errors=True)


def _load_model_plugin() -> None:
    path = ROOT / "demo_model" / "plugin" / "__init__.py"
    spec = importlib.util.spec_from_file_location("latent_repaint_demo_model", path)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
