"""What all methods promise (design: behaviour all methods share), on every solver, in the real host."""

import pytest
import torch
from tiny import host, ksampler, sample, sigmas, tiny_model

from latent_repaint.samplers.blend import Blend
from latent_repaint.samplers.host import combine, evaluations
from latent_repaint.samplers.repaint import RePaint, RePaintBudget

SOLVERS = ["euler", "euler_ancestral", "dpmpp_2m", "dpmpp_2m_sde", "uni_pc", "ddim", "heun", "lcm", "ddpm", "euler_cfg_pp"]
METHODS = {
    "fixed": Blend(known_noise="fixed"),
    "fresh": Blend(known_noise="fresh"),
    "predicted": Blend(known_noise="predicted"),
    "repaint": RePaint(jump_length=2, jump_n_sample=3, known_noise="fresh"),
    "repaint_predicted": RePaint(jump_length=1, jump_n_sample=2, known_noise="predicted"),
    "budget": RePaintBudget(evaluations_per_step=1.7, known_noise="fresh"),
}
TOLERANCE = 1e-5  # of a kept latent, in float32: the host scales it on its way in and out


def combined(solver: str, method: str):
    return combine(ksampler(solver), METHODS[method], "node")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_known_region_is_kept_and_evaluations_are_as_announced(any_model, latent, mask, solver, method):
    sampler, schedule = combined(solver, method), sigmas(any_model, 6)
    result = sample(any_model, sampler, schedule, {"samples": latent, "noise_mask": mask}, cfg=3.0)
    assert result.samples.isfinite().all()
    assert ((result.samples - latent) * (1 - mask)).abs().max() <= TOLERANCE
    assert ((result.denoised - latent) * (1 - mask)).abs().max() <= TOLERANCE
    assert ((result.samples - latent) * mask).abs().max() > 0.1
    assert result.evaluations == len(evaluations(sampler, any_model.get_model_object("model_sampling"), schedule, "node"))
