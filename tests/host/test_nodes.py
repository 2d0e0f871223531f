"""The nodes themselves: what they hand on, and what they refuse by name."""

import inspect
import re

import comfy.nested_tensor
import comfy.sample
import comfy.samplers
import pytest
import torch
from sampling import NEGATIVE, POSITIVE, TOLERANCE, drop_in, kept_error, passes, run_drop_in

from comfyui_host.families import FAMILIES
from comfyui_host.tiny import host, ksampler, sample, sigmas
from latent_repaint.nodes import NODES
from latent_repaint.nodes.blend_sampler import BlendSampler
from latent_repaint.nodes.ksampler import KSampler
from latent_repaint.nodes.mask_to_latent import MaskToLatent
from latent_repaint.nodes.match_sampler import MatchSampler
from latent_repaint.nodes.repaint_sampler import RePaintSampler
from latent_repaint.nodes.schedule import Schedule

pytestmark = pytest.mark.usefixtures("as_the_server_runs_nodes")


def to_latent(mask, samples, **changed):
    inputs = {"spatial_method": "max", "mask_expand_cells": 1, "mask_hipass_filter": 0.0, "temporal_method": "max"}
    return MaskToLatent.execute(mask, samples, **inputs | changed).result


def test_every_node_has_a_valid_schema_with_a_tooltip_for_every_input_and_output():
    for node in NODES:
        schema = node.GET_SCHEMA()
        schema.validate()
        assert schema.category == "latent repaint" and schema.description
        for part in (*schema.inputs, *schema.outputs):
            assert part.tooltip, f"{schema.node_id}.{part.id}"


def test_mask_to_latent_adds_the_mask_and_nothing_else(latent):
    given = {"samples": latent, "batch_index": [4]}
    mask = torch.zeros(1, 128, 128)
    mask[0, 60, 60] = 1
    masked, grid, preview = to_latent(mask, given)
    assert masked["samples"] is latent and masked["batch_index"] == [4] and "noise_mask" not in given
    assert torch.equal(masked["noise_mask"][:, 0], grid) and grid.sum() == 9
    assert preview.shape == (1, 128, 128, 3) and preview[0, 60, 60, 0] > 0.4 and preview[0, 0, 0].sum() == 0


@pytest.mark.parametrize("effort", [1.0, 2.0, 2.6])
@pytest.mark.parametrize("method", ["match", "repaint", "blend"])
def test_the_drop_in_keeps_the_kept_part_and_the_budget(eps_model, latent, mask, masked, method, effort):
    model, counted = passes(eps_model)
    result = drop_in(model, masked, cfg=1.0, method=method, evaluations_per_step=effort)
    assert kept_error(result["samples"], latent, mask) <= TOLERANCE
    assert len(counted) == (5 if method == "blend" else round(5 * effort))


def test_the_drop_in_without_a_mask_is_the_hosts_ksampler(eps_model, latent):
    settings = 3, 5, 2.0, "dpm_2", "karras", POSITIVE, NEGATIVE, {"samples": latent}, 0.7
    plain = host.nodes.common_ksampler(eps_model, *settings)[0]
    ours = drop_in(eps_model, {"samples": latent}, sampler_name="dpm_2", scheduler="karras", denoise=0.7)
    assert torch.equal(ours["samples"], plain["samples"])


def test_the_drop_in_leaves_a_latent_without_work_bit_for_bit(eps_model, latent):
    unmasked = {"samples": latent, "noise_mask": torch.zeros(1, 1, 16, 16)}
    assert torch.equal(drop_in(eps_model, unmasked)["samples"], latent)
    assert torch.equal(drop_in(eps_model, {"samples": latent}, denoise=0.0)["samples"], latent)


def said(model, latent, **changed):
    """What the drop-in shows: its one line, and whether something is amiss; or nothing."""
    shown = run_drop_in(model, latent, **{"steps": 1} | changed).ui
    return shown and (*shown["text"], *shown["amiss"])


def test_the_drop_in_says_one_line(eps_model, latent, masked):
    line, amiss = said(eps_model, {"samples": latent})
    assert line.startswith("The latent has no mask, so the whole picture is painted anew") and amiss
    line, amiss = said(eps_model, {"samples": latent, "noise_mask": torch.zeros(1, 1, 16, 16)})
    assert line.startswith("Nothing is masked") and amiss
    assert said(eps_model, {"samples": latent}, denoise=0.0) is None
    line, amiss = said(eps_model, masked, steps=5, evaluations_per_step=2.0)
    assert re.fullmatch(r"5 steps and 5 extra evaluations in \d+\.\d s\.", line) and not amiss


def test_the_drop_in_says_where_the_picture_is_small_for_the_model():
    family = FAMILIES["sd3"]()
    positive, negative = family.prompts()
    masked = {"samples": family.latent(), "noise_mask": family.mask()}
    line, amiss = said(family.model, masked, positive=positive, negative=negative)
    assert line == "64x64 pixels are few for this model, which was trained on 1024x1024: crop to 1024." and amiss


def test_the_drop_in_offers_every_solver_but_those_that_choose_their_own_steps(eps_model, latent):
    (offered,) = (slot.options for slot in KSampler.GET_SCHEMA().inputs if slot.id == "sampler_name")
    assert [*offered] == [name for name in comfy.samplers.KSampler.SAMPLERS if name not in ("dpm_fast", "dpm_adaptive")]
    with pytest.raises(ValueError, match="LatentRepaint_KSampler: input sampler_name: found 'dpm_adaptive'"):
        drop_in(eps_model, {"samples": latent}, sampler_name="dpm_adaptive")


@pytest.mark.parametrize("denoise", [1e-3, 1e-9, 5e-324])
def test_a_schedule_out_of_all_proportion_is_refused(eps_model, latent, denoise):
    with pytest.raises(ValueError, match="LatentRepaint_KSampler: inputs steps, denoise: found 200, .* at most 100000"):
        drop_in(eps_model, {"samples": latent}, steps=200, denoise=denoise)


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.0), (0.3, 0.7), (1.0, 1.0)])
def test_any_window_keeps_the_kept_part(any_model, latent, mask, masked, start, end):
    inner = ksampler("euler_ancestral")
    for sampler in (
        BlendSampler.execute(inner, "predicted", start, end),
        RePaintSampler.execute(inner, 1, 2, start, end, "fresh"),
        MatchSampler.execute(inner, 1.0, start, end),
    ):
        result = sample(any_model, sampler.result[0], sigmas(any_model, 6), masked)
        assert result.samples.isfinite().all() and kept_error(result.samples, latent, mask) <= TOLERANCE


def test_schedule_draws_and_counts(any_model):
    sampler = RePaintSampler.execute(ksampler("euler"), 2, 3, 0.0, 1.0, "fresh").result[0]
    plot, count = Schedule.execute(any_model, sampler, sigmas(any_model, 10)).result
    assert count == 10 + 4 * 2 * 2  # jumps of 2, twice, from t = 0, 2, 4, 6
    assert plot.ndim == 4 and plot.shape[-1] == 3 and 0 <= plot.min() and plot.max() <= 1 and plot.std() > 0.02
    assert Schedule.execute(any_model, ksampler("heun"), sigmas(any_model, 10)).result[1] == 19


def test_the_drop_in_makes_an_empty_latent_fit_as_far_as_the_host_can(eps_model):
    empty = {"samples": torch.zeros(1, 4, 8, 8), "downscale_ratio_spacial": 16}
    result = drop_in(eps_model, empty, steps=2)
    knows = "downscale_ratio_spacial" in inspect.signature(comfy.sample.fix_empty_latent_channels).parameters
    assert result["samples"].shape == ((1, 4, 16, 16) if knows else (1, 4, 8, 8))
    assert result.keys() == {"samples"} and empty.keys() == {"samples", "downscale_ratio_spacial"}
