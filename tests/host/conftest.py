"""The host tier runs inside the host, without a server. See `tiny.py` for the model and for how to sample with it."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from comfyui_host import in_process, install
from comfyui_host.tiny import fill, tiny_model

# Tensors this small gain nothing from a second thread, and on a busy machine every operation would wait for it.
torch.set_num_threads(1)


@pytest.fixture(scope="session", params=["eps", "v", "flow"])
def any_model(request: pytest.FixtureRequest) -> Any:
    """The tiny model in each of the three parametrisations, one after the other."""
    return tiny_model(request.param)


@pytest.fixture(scope="session")
def eps_model() -> Any:
    """The tiny model as SD 1.x trains it."""
    return tiny_model("eps")


@pytest.fixture(scope="session")
def vae() -> Any:
    """The small model's."""
    host = in_process.start()
    return host.nodes.CheckpointLoaderSimple().load_checkpoint(install.SMALL_MODEL.name)[2]


@pytest.fixture(scope="session")
def video_vae() -> Any:
    """Wan 2.1's, as thin as it goes, with random weights: 8 pixels and, but for the first, 4 frames a cell."""
    host = in_process.start()
    from comfy.ldm.wan.vae import WanVAE

    network = WanVAE(dim=8, z_dim=16, dim_mult=[1, 2, 4, 4], temperal_downsample=[False, True, True])
    fill(network)
    return host.comfy.sd.VAE(sd={name: weight.clone() for name, weight in network.state_dict().items()})


@pytest.fixture
def as_the_server_runs_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without gradients; previews, which the server writes for its page, are not written."""
    monkeypatch.setattr("latent_repaint.nodes.encode.ui.PreviewImage", lambda *args, **kwargs: Mock(as_dict=dict))
    with torch.inference_mode():
        yield


@pytest.fixture
def latent() -> torch.Tensor:
    """The latent of a picture of 128 by 128 pixels, if SD 1.x had encoded it."""
    return torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(7))


@pytest.fixture
def mask() -> torch.Tensor:
    """A square in the middle to regenerate, on the latent's own grid."""
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 5:13] = 1.0
    return mask


@pytest.fixture
def masked(latent: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """Both, as Encode hands them on."""
    return {"samples": latent, "noise_mask": mask}
