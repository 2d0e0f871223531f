"""The embedded model, through the loaders and nodes that a user's own checkpoint goes through."""

import latent_preview
import numpy as np
import pytest
import torch
from PIL import Image

from comfyui_host import in_process
from demo_model import measure, networks

WEIGHTS = in_process.ROOT / "demo_model" / "weights" / "latent-repaint-demo.safetensors"
pytestmark = pytest.mark.usefixtures("without_gradients")


@pytest.fixture
def without_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def loaded():
    host = in_process.start()
    with torch.inference_mode():
        return host.nodes.CheckpointLoaderSimple().load_checkpoint(host.demo_checkpoint)


def test_it_is_an_sd15_class_model_that_fits_into_the_repository(loaded):
    assert list(WEIGHTS.parent.glob("*.safetensors")) == [WEIGHTS] and WEIGHTS.stat().st_size <= 16_000_000
    model, _, vae = loaded
    assert isinstance(model.model.model_config, in_process.start().comfy.supported_models.SD15)
    assert vae.spacial_compression_decode() == 8


def test_held_out_pictures_survive_the_autoencoder_as_it_was_trained(loaded):
    model, _, vae = loaded
    images, _ = measure.held_out(16)
    assert measure.reconstruction_psnr(vae, images).mean() >= 28.5
    latent = model.model.process_latent_in(vae.encode(images))
    assert 0.5 < latent.std() < 2
    assert torch.allclose(latent, networks.encode(images.movedim(-1, 1)), atol=5e-3)  # fp16 file


def test_live_previews_show_the_picture_in_its_colours(loaded):
    model, _, vae = loaded
    previewer = latent_preview.Latent2RGBPreviewer(model.model.latent_format.latent_rgb_factors)
    for image in measure.held_out(4)[0]:
        shown = previewer.decode_latent_to_preview(model.model.process_latent_in(vae.encode(image[None])))
        blocks = torch.nn.functional.avg_pool2d(image.movedim(-1, 0), 8).movedim(0, -1)
        assert (torch.from_numpy(np.array(shown)) / 255 - blocks).abs().max() < 0.02


def test_it_denoises_better_than_the_mean_and_listens_to_its_caption(loaded):
    losses = measure.denoising_losses(*loaded, *measure.held_out(16))
    for level in (50, 250, 500, 750):
        assert losses[level]["captioned"] < losses[level]["mean"]
    assert losses[750]["captioned"] < losses[750]["unconditional"]


def test_its_text_model_is_the_one_that_was_trained(loaded):
    denoiser, clip = networks.Denoiser(), loaded[1]
    stock = clip.cond_stage_model.clip_l.transformer.text_model
    denoiser.text.transformer.text_model.load_state_dict(stock.state_dict())
    captions = ["", "night, moon, red house"]
    encoded = torch.cat([in_process.start().nodes.CLIPTextEncode().encode(clip, text)[0][0][0] for text in captions])
    assert torch.allclose(denoiser.encode(networks.tokenize(captions)), encoded, atol=1e-5)
    assert not torch.allclose(encoded[0], encoded[1], atol=1e-2)


def test_the_example_is_a_scene_that_was_not_trained_on():
    folder = in_process.ROOT / "demo"
    pixels, mask = (np.asarray(Image.open(folder / f"example_{name}.png")) for name in ("image", "mask"))
    assert mask.shape == pixels.shape[:2] and set(np.unique(mask)) == {0, 255}
    assert np.abs(pixels / 255 - measure.draw(measure.HELD_OUT + 56).image).max() <= 1 / 255
