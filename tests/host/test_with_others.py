"""The samplers among the host's other nodes: they behave, or refuse with a reason."""

import comfy.cldm.cldm
import comfy.controlnet
import comfy.sample
import comfy.samplers
import pytest
import safetensors.torch
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_perpneg import PerpNegGuider
from sampling import (
    NEGATIVE,
    POSITIVE,
    TOLERANCE,
    announced,
    cfg_guider,
    combined,
    guided,
    kept_error,
    one_of_each,
    watched,
)

from comfyui_host.tiny import CONTEXT_WIDTH, conditioning, fill, host, ksampler, sample, sigmas, tiny_model
from latent_repaint.samplers.host import evaluations

NODES = host.custom_sampler
OTHER = conditioning(4)


def control_net(calls: list[float]):
    """A real ControlNet for the tiny model, which writes down the timestep of every call."""
    network = comfy.cldm.cldm.ControlNet(
        image_size=32, in_channels=4, model_channels=32, hint_channels=3, num_res_blocks=[1, 1], channel_mult=[1, 2],
        num_heads=8, transformer_depth=[0, 0], transformer_depth_middle=1, transformer_depth_output=[0, 0, 0, 0],
        use_spatial_transformer=True, context_dim=CONTEXT_WIDTH, legacy=False,
    )  # fmt: skip
    fill(network)
    network.register_forward_pre_hook(lambda _, __, given: calls.append(float(given["timesteps"][0])), with_kwargs=True)
    device = comfy.model_management.get_torch_device()
    return comfy.controlnet.ControlNet(network.to(device), load_device=device)


@one_of_each
def test_controlnet_steers_every_evaluation_within_its_window(eps_model, latent, mask, method):
    calls: list[float] = []
    hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(0))
    apply = host.nodes.ControlNetApplyAdvanced().apply_controlnet
    net, schedule, sampler = control_net(calls), sigmas(eps_model, 5), combined("euler_ancestral", method)
    plain = guided(cfg_guider(eps_model), sampler, schedule, latent, mask)
    steered = guided(
        cfg_guider(eps_model, *apply(POSITIVE, NEGATIVE, net, hint, 1.0, 0.0, 1.0)), sampler, schedule, latent, mask
    )
    assert len(calls) == announced(eps_model, sampler, schedule)
    assert (steered - plain).abs().max() > 1e-3 and kept_error(steered, latent, mask) <= TOLERANCE
    calls.clear()
    guided(cfg_guider(eps_model, *apply(POSITIVE, NEGATIVE, net, hint, 1.0, 0.3, 0.7)), sampler, schedule, latent, mask)
    sampling = eps_model.get_model_object("model_sampling")
    low, high = sampling.percent_to_sigma(0.7), sampling.percent_to_sigma(0.3)
    visited = evaluations(sampler, sampling, schedule, "node")
    wanted = [float(sampling.timestep(torch.tensor(sigma))) for sigma in visited if low <= sigma <= high]
    assert sorted(calls) == pytest.approx(sorted(wanted))


@one_of_each
def test_a_lora_is_at_work_in_every_evaluation(masked, method, tmp_path):
    """Through the host's loader; it must equal a model into whose weights it was multiplied by hand."""
    model, baked = tiny_model(), tiny_model()
    name = "middle_block.1.transformer_blocks.0.attn2.to_k"
    generator = torch.Generator().manual_seed(0)
    down, up = torch.randn(4, CONTEXT_WIDTH, generator=generator), torch.randn(64, 4, generator=generator)
    lora = {f"diffusion_model.{name}.lora_down.weight": down, f"diffusion_model.{name}.lora_up.weight": up}
    safetensors.torch.save_file(lora, tmp_path / "tiny.safetensors")
    host.folder_paths.add_model_folder_path("loras", str(tmp_path))
    loaded = host.nodes.LoraLoaderModelOnly().load_lora_model_only(model, "tiny.safetensors", 0.5)[0]
    baked.model.diffusion_model.get_submodule(name).weight.data += 0.5 * up @ down
    schedule = sigmas(model, 5)
    sampler = combined("euler_ancestral", method)
    ours, plain, expected = (sample(m, sampler, schedule, masked, cfg=3.0).samples for m in (loaded, model, baked))
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)
    assert (ours - plain).abs().max() > 0.01


GUIDERS = {
    "basic": lambda model: NODES.BasicGuider.execute(model, POSITIVE)[0],
    "cfg": cfg_guider,
    "dual": lambda model: NODES.DualCFGGuider.execute(model, POSITIVE, OTHER, NEGATIVE, 3.0, 2.0, "regular")[0],
    "nested": lambda model: NODES.DualCFGGuider.execute(model, POSITIVE, OTHER, NEGATIVE, 3.0, 2.0, "nested")[0],
    "perpneg": lambda model: PerpNegGuider.execute(model, POSITIVE, NEGATIVE, OTHER, 3.0, 1.0)[0],
}


@one_of_each
@pytest.mark.parametrize("guider", GUIDERS)
def test_guiders_keep_the_known_part(eps_model, latent, mask, guider, method):
    schedule, sampler = sigmas(eps_model, 5), combined("euler_ancestral", method)
    samples = guided(GUIDERS[guider](eps_model), sampler, schedule, latent, mask)
    assert samples.isfinite().all() and kept_error(samples, latent, mask) <= TOLERANCE
    basic = guided(GUIDERS["basic"](eps_model), sampler, schedule, latent, mask)
    assert guider == "basic" or (samples - basic).abs().max() > 1e-3


@one_of_each
def test_wrappers_are_called(eps_model, latent, mask, method):
    """Around the run once, around all else at every evaluation: one that is there may remember what it sees, so none
    is asked for the conditional prediction alone."""
    calls: dict[str, int] = {}
    model, schedule, sampler = eps_model.clone(), sigmas(eps_model, 5), combined("euler_ancestral", method)
    once = WrappersMP.OUTER_SAMPLE, WrappersMP.SAMPLER_SAMPLE
    always = WrappersMP.PREDICT_NOISE, WrappersMP.CALC_COND_BATCH, WrappersMP.APPLY_MODEL
    for kind in (*once, *always):

        def wrapper(executor, *args, kind=kind, **named):
            calls[kind] = calls.get(kind, 0) + 1
            return executor(*args, **named)

        model.add_wrapper(kind, wrapper)
    wrapped = guided(cfg_guider(model), sampler, schedule, latent, mask)
    torch.testing.assert_close(wrapped, guided(cfg_guider(eps_model), sampler, schedule, latent, mask))
    total = announced(eps_model, sampler, schedule)
    assert calls == dict.fromkeys(once, 1) | dict.fromkeys(always, total)


@one_of_each
@pytest.mark.parametrize("noise_mask", [True, False])
def test_an_inpainting_model_gets_mask_and_masked_picture(vae, noise_mask, method):
    """InpaintModelConditioning: without the noise mask nothing is kept, and the run is the plain sampler's."""
    pixels = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(0))
    pixel_mask = torch.zeros(1, 128, 128)
    pixel_mask[:, 32:96, 40:104] = 1
    with torch.inference_mode():
        encode = host.nodes.InpaintModelConditioning().encode
        positive, negative, latent = encode(POSITIVE, NEGATIVE, pixels, vae, pixel_mask, noise_mask)
    model, seen = watched(tiny_model(in_channels=9), lambda arguments: arguments["c"]["c_concat"].clone())
    guider, schedule = cfg_guider(model, positive, negative), sigmas(model, 4)
    sampler, plain = combined("euler_ancestral", method), ksampler("euler_ancestral")
    ours = guided(guider, sampler, schedule, latent["samples"], latent.get("noise_mask"))
    assert len(seen) == announced(model, sampler if noise_mask else plain, schedule)
    cells = torch.nn.functional.avg_pool2d(pixel_mask, 8)
    picture = model.model.process_latent_in(positive[0][1]["concat_latent_image"])
    for given in seen:
        assert torch.equal(given[0, 0], cells[0])
        torch.testing.assert_close(given[:1, 1:], picture)
    if noise_mask:
        assert kept_error(ours, latent["samples"], cells[None]) <= TOLERANCE
    else:
        assert torch.equal(ours, guided(guider, plain, schedule, latent["samples"], None))
