"""The demo's models, through the loaders and nodes that a user's own checkpoint goes through."""

import latent_preview
import numpy as np
import pytest
import torch
from PIL import Image

from comfyui_host import in_process
from comfyui_host.install import DEMO_MODEL, SMALL_MODEL
from demo_model import measure, networks
from demo_model.next import measure as demo_measure

pytestmark = pytest.mark.usefixtures("without_gradients")


@pytest.fixture
def without_gradients():
    with torch.inference_mode():
        yield


def load(path):
    with torch.inference_mode():
        return in_process.start().nodes.CheckpointLoaderSimple().load_checkpoint(path.name)


@pytest.fixture(scope="module")
def loaded():
    return load(SMALL_MODEL)


@pytest.fixture(scope="module")
def demo():
    return load(DEMO_MODEL)


@pytest.fixture(scope="module", params=["demo's", "small"])
def either(request, demo, loaded):
    """A model, and so many of the scenes that it was not trained on."""
    return (demo, demo_measure.held_out) if request.param == "demo's" else (loaded, measure.held_out)


def test_they_are_sd15_class_models_that_fit_into_the_repository(demo, loaded):
    assert {path.name for path in DEMO_MODEL.parent.iterdir()} == {DEMO_MODEL.name, "autoencoder.safetensors"}
    assert list(SMALL_MODEL.parent.glob("*.safetensors")) == [SMALL_MODEL]
    assert DEMO_MODEL.stat().st_size <= 20_000_000 and SMALL_MODEL.stat().st_size <= 16_000_000
    for model, _, vae in (demo, loaded):
        assert isinstance(model.model.model_config, in_process.start().comfy.supported_models.SD15)
        assert vae.spacial_compression_decode() == 8


def test_held_out_pictures_survive_the_autoencoder_as_it_was_trained(loaded):
    model, _, vae = loaded
    images, _ = measure.held_out(16)
    assert measure.reconstruction_psnr(vae, images).mean() >= 28.5
    latent = model.model.process_latent_in(vae.encode(images))
    assert 0.5 < latent.std() < 2
    assert torch.allclose(latent, networks.encode(images.movedim(-1, 1)), atol=5e-3)  # fp16 file


def test_the_demos_autoencoder_is_crisp(demo):
    model, _, vae = demo
    images, _ = demo_measure.held_out(4)
    assert measure.reconstruction_psnr(vae, images).mean() >= 31
    assert 0.5 < model.model.process_latent_in(vae.encode(images)).std() < 1.2


def test_live_previews_show_the_picture_in_its_colours(either):
    (model, _, vae), held_out = either
    formats = model.model.latent_format
    previewer = latent_preview.Latent2RGBPreviewer(formats.latent_rgb_factors, formats.latent_rgb_factors_bias)
    for image in held_out(4)[0]:
        shown = previewer.decode_latent_to_preview(model.model.process_latent_in(vae.encode(image[None])))
        blocks = torch.nn.functional.avg_pool2d(image.movedim(-1, 0), 8).movedim(0, -1)
        assert (torch.from_numpy(np.array(shown)) / 255 - blocks).square().mean().sqrt() < 0.04


def test_it_denoises_better_than_the_mean_and_listens_to_its_caption(either):
    loaded, held_out = either
    losses = measure.denoising_losses(*loaded, *held_out(8))
    for level in (50, 250, 500, 750):
        assert losses[level]["captioned"] < losses[level]["mean"]
    assert losses[750]["captioned"] < losses[750]["unconditional"]


def test_the_example_is_a_scene_that_was_not_trained_on():
    folder = in_process.ROOT / "demo"
    pixels, mask = (np.asarray(Image.open(folder / f"example_{name}.png")) for name in ("image", "mask"))
    assert mask.shape == pixels.shape[:2] and set(np.unique(mask)) == {0, 255}
    assert np.abs(pixels / 255 - demo_measure.draw(demo_measure.HELD_OUT + 574).image).max() <= 1 / 255
