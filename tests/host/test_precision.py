"""Half precision, and no float64 where a device may have none (on Apple's GPUs it is an error).

There is no GPU here: what a device other than the CPU does is not tested, only that nothing would ask it for float64.
"""

import sys

import comfy.samplers
import pytest
import torch
from sampling import METHODS, combined, drop_in, kept_error
from torch.utils._python_dispatch import TorchDispatchMode

from comfyui_host.install import ROOT
from comfyui_host.tiny import sample, sigmas, tiny_model
from latent_repaint.nodes.composite import Composite
from latent_repaint.nodes.crop_stitch import Crop, Stitch
from latent_repaint.nodes.mask_to_latent import MaskToLatent
from latent_repaint.pixels.composite import BLENDS
from latent_repaint.pixels.fill import FILLS, fill_masked

TOLERANCE = {torch.float16: 0.005, torch.bfloat16: 0.03}  # of the root mean square of the regenerated part
HALVES = pytest.mark.parametrize("half", TOLERANCE, ids=lambda dtype: str(dtype)[6:])


def difference(result: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor) -> float:
    """Root mean square of the difference over that of what is wanted, where the mask is."""
    where = (mask > 0).expand(wanted.shape)
    return float((result.float() - wanted)[where].norm() / wanted[where].norm())


@HALVES
@pytest.mark.parametrize("method", METHODS)
def test_half_precision_latents(any_model, latent, mask, masked, method, half):
    """At cfg 1, where the host divides by 1e-37, which is 0 in half precision."""
    sampler = combined("euler_ancestral", method)
    schedule = sigmas(any_model, 8)
    full = sample(any_model, sampler, schedule, masked).samples
    given = {"samples": latent.to(half), "noise_mask": mask}
    result = sample(any_model, sampler, schedule, given).samples
    assert difference(result, full, mask) < TOLERANCE[half]
    # the host scales the latent in and out, which rounds twice
    kept = (result.float() - given["samples"].float()).abs() * (1 - mask)
    assert (kept <= torch.finfo(half).eps * latent.abs()).all()


@HALVES
@pytest.mark.parametrize("method", ["match", "repaint", "blend"])
def test_half_precision_models(latent, mask, masked, method, half):
    full = drop_in(tiny_model("eps"), masked, method=method, sampler_name="euler_ancestral")["samples"]
    model = tiny_model("eps")
    model.model.diffusion_model.to(half).dtype = half
    result = drop_in(model, masked, method=method, sampler_name="euler_ancestral")["samples"]
    assert 0 < difference(result, full, mask) < TOLERANCE[half]
    assert kept_error(result, latent, mask) <= 1e-5  # only the model is coarse


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.bool, torch.uint8])
def test_a_mask_of_any_dtype_is_the_same_mask(eps_model, latent, mask, masked, dtype):
    wanted = drop_in(eps_model, masked)["samples"]
    assert torch.equal(drop_in(eps_model, {"samples": latent, "noise_mask": mask.to(dtype)})["samples"], wanted)


class NoFloat64(TorchDispatchMode):
    """Remembers every line of this pack that makes a float64 tensor; the host's own lines are the host's to answer for.

    A measurement on the CPU may: SciPy's distances come in float64, and are float32 before they leave it.
    """

    def __init__(self):
        super().__init__()
        self.found: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        made = result if isinstance(result, (tuple, list)) else [result]
        if any(isinstance(x, torch.Tensor) and x.dtype == torch.float64 for x in made):
            frame = sys._getframe(1)
            while frame and ("/torch/" in frame.f_code.co_filename or frame.f_code.co_filename == __file__):
                frame = frame.f_back
            self.found.add(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        return result

    def ours(self) -> set[str]:
        folders = [f"{ROOT}/{name}/" for name in ("samplers", "pixels", "nodes")]
        found = {line for line in self.found if any(line.startswith(folder) for folder in folders)}
        return {line for line in found if not line.endswith(" distance_to_mask")}


def test_no_sampler_asks_for_float64(eps_model, masked):
    with NoFloat64() as watch:
        for name in comfy.samplers.KSampler.SAMPLERS:
            if name not in ("dpm_fast", "dpm_adaptive"):
                drop_in(eps_model, masked, steps=3, sampler_name=name)
        for model in (eps_model, tiny_model("v"), tiny_model("flow")):
            for method in METHODS:
                sample(model, combined("euler", method), sigmas(model, 3), masked)
    assert not watch.ours()


def test_no_pixel_node_asks_for_float64(latent, as_the_server_runs_nodes):
    image, mask = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 128, 128)
    mask[:, 40:60, 50:90] = 1
    with NoFloat64() as watch:
        MaskToLatent.execute(mask, {"samples": latent}, "area", 2, 0.1, "mean", image=image)
        for method in FILLS:
            fill_masked(image, mask, method)
        for blend in BLENDS:
            Composite.execute(image, image.flip(1), mask, 3, 16, blend, 1.0)
        stitch, crop, _ = Crop.execute(image, mask, 1.2, 96, 0, 32, True).args
        Stitch.execute(stitch, crop, 0, 16, "multiband", 1.0)
    assert not watch.ours()
