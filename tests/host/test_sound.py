"""Sound: latents of three axes, (batch, channels, length). A real network, Stable Audio's, one block deep."""

import pytest
import torch
from comfy.ldm.audio.embedders import NumberConditioner
from sampling import TOLERANCE, drop_in

from comfyui_host.families import Family
from comfyui_host.tiny import fill, host, patcher
from latent_repaint.nodes.mask_to_latent import MaskToLatent

LENGTH = 40


@pytest.fixture(scope="module")
def sound() -> Family:
    own = {"audio_model": "dit1.0", "embed_dim": 64, "depth": 1, "num_heads": 1, "dtype": torch.float32}
    embedder = NumberConditioner(768)
    fill(embedder)
    seconds = embedder.state_dict()
    network = host.comfy.model_base.StableAudio1(host.comfy.supported_models.StableAudio(own), seconds, seconds)
    fill(network.diffusion_model)
    return Family(patcher(network), (2, 64, LENGTH), 768)


def to_latent(mask, latent, method="max", cells=0):
    with torch.inference_mode():
        return MaskToLatent.execute(mask, {"samples": latent}, method, cells, 0.0, "max").result


@pytest.fixture(autouse=True)
def _no_files(as_the_server_runs_nodes):
    pass


def test_a_masks_width_is_the_length_of_the_sound(sound):
    """A drawn picture of 400x64: a stroke from a quarter to a half, a few pixels high."""
    mask = torch.zeros(1, 64, 400)
    mask[0, 30:33, 100:200] = 1
    masked, grid, preview = to_latent(mask, sound.latent())
    assert masked["noise_mask"].shape == (1, 1, LENGTH) and preview.shape == (1, 64, 512, 3)
    assert masked["noise_mask"][0, 0].tolist() == [float(10 <= k < 20) for k in range(LENGTH)]
    assert torch.equal(grid, masked["noise_mask"])
    assert to_latent(mask, sound.latent(), cells=2)[1].sum() == 14
    with pytest.raises(ValueError, match="LatentRepaint_MaskToLatent: input mask: found a batch of 3"):
        to_latent(mask.repeat(3, 1, 1), sound.latent())


@pytest.mark.parametrize("method", ["match", "repaint", "blend"])
def test_a_stretch_is_painted_and_the_rest_is_kept(sound, method):
    masks = torch.zeros(2, 1, 400)
    masks[0, :, :100], masks[1, :, 300:] = 1, 1
    latent, (positive, negative) = sound.latent(), sound.prompts()
    masked = to_latent(masks, latent)[0]
    result = drop_in(sound.model, masked, method=method, positive=positive, negative=negative)["samples"]
    changed = (result - latent).abs().amax(1) > TOLERANCE
    assert result.shape == latent.shape and torch.equal(changed, masked["noise_mask"][:, 0] > 0)
