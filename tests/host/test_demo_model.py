"""The embedded model, through the loaders and nodes that a user's own checkpoint goes through."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from comfyui_host import in_process
from demo_model import measure


@pytest.fixture(scope="module")
def loaded():
    host = in_process.start()
    with torch.inference_mode():
        yield host.nodes.CheckpointLoaderSimple().load_checkpoint(host.demo_checkpoint)


def test_the_file_fits_into_the_repository():
    paths = list((in_process.ROOT / "demo_model" / "weights").glob("*.safetensors"))
    assert [path.name for path in paths] == ["latent-repaint-demo.safetensors"]
    assert paths[0].stat().st_size <= 16_000_000


def test_it_is_an_sd15_class_model(loaded):
    model, _, vae = loaded
    assert isinstance(model.model.model_config, in_process.start().comfy.supported_models.SD15)
    assert vae.spacial_compression_decode() == 8
    assert vae.encode(torch.rand(1, 128, 128, 3)).shape == (1, 4, 16, 16)


def test_held_out_pictures_survive_the_autoencoder(loaded):
    images, _ = measure.held_out(16)
    assert measure.reconstruction_psnr(loaded[2], images).mean() >= 28.5


def test_its_encoder_is_the_closed_form_that_training_used(loaded):
    from demo_model import networks

    images, _ = measure.held_out(2)
    expected = networks.encode(images.movedim(-1, 1))
    assert torch.allclose(loaded[0].model.process_latent_in(loaded[2].encode(images)), expected, atol=5e-3)  # fp16 file


def test_a_new_decoder_leaves_the_rest_of_the_file_as_it_is(loaded, tmp_path):
    from demo_model import export, networks

    source = next((in_process.ROOT / "demo_model" / "weights").glob("*.safetensors"))
    path = shutil.copy(source, tmp_path / "model.safetensors")
    decoder = networks.new_autoencoder().taesd_decoder
    export.replace_decoder(decoder, {"decoder": {"step": 0}}, path)
    before, after = load_file(source), load_file(path)
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith(export.DECODER) for name in changed)
    export.load_decoder(again := networks.new_autoencoder().taesd_decoder, path)
    assert all(torch.equal(x.half().float(), y) for x, y in zip(decoder.parameters(), again.parameters(), strict=True))


def test_live_previews_show_the_picture_in_its_colours(loaded):
    import latent_preview

    model, _, vae = loaded
    images, _ = measure.held_out(4)
    previewer = latent_preview.Latent2RGBPreviewer(model.model.latent_format.latent_rgb_factors)
    for image in images:
        shown = previewer.decode_latent_to_preview(model.model.process_latent_in(vae.encode(image[None])))
        blocks = torch.nn.functional.avg_pool2d(image.movedim(-1, 0), 8).movedim(0, -1)
        assert (torch.from_numpy(np.array(shown)) / 255 - blocks).abs().max() < 0.02


def test_latents_have_about_unit_deviation(loaded):
    model, _, vae = loaded
    latent = model.model.process_latent_in(vae.encode(measure.held_out(16)[0]))
    assert 0.5 < latent.std() < 2


def test_it_denoises_better_than_the_mean_and_listens_to_its_caption(loaded):
    model, clip, vae = loaded
    images, captions = measure.held_out(16)
    losses = measure.denoising_losses(model, clip, vae, images, captions)
    for level in (50, 250, 500, 750):
        assert losses[level]["captioned"] < losses[level]["mean"]
    assert losses[750]["captioned"] < losses[750]["unconditional"]


def test_its_text_model_is_the_one_that_was_trained(loaded):
    from demo_model import networks

    denoiser = networks.Denoiser()
    clip = loaded[1]
    denoiser.text.transformer.text_model.load_state_dict(
        clip.cond_stage_model.clip_l.transformer.text_model.state_dict()
    )
    captions = ["", "night, moon, red house"]
    stock = torch.cat([in_process.start().nodes.CLIPTextEncode().encode(clip, text)[0][0][0] for text in captions])
    assert torch.allclose(denoiser.encode(networks.tokenize(captions)), stock, atol=1e-5)
    assert not torch.allclose(stock[0], stock[1], atol=1e-2)


def test_sampling_is_finite_and_in_range(loaded):
    picture = measure.sample(*loaded, ["sunset, lake"], seed=0)
    assert picture.shape == (1, 128, 128, 3)
    assert picture.isfinite().all() and 0 <= picture.min() and picture.max() <= 1


def test_the_example_is_a_scene_that_was_not_trained_on():
    with (
        Image.open(in_process.ROOT / "demo" / "example_image.png") as image,
        Image.open(in_process.ROOT / "demo" / "example_mask.png") as mask,
    ):
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(128, 128, 3)
        assert mask.size == image.size and mask.mode == "L"
        assert set(mask.tobytes()) == {0, 255}
    scene = torch.from_numpy(measure.draw(measure.HELD_OUT + 56).image)
    assert (pixels / 255 - scene).abs().max() <= 1 / 255
