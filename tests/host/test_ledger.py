"""The ledger: what saved workflows rely on. Ids, inputs and outputs stand for ever; new ones come last."""

import pytest

from latent_repaint.nodes import NODES

SPATIAL = ("max", "area", "mean", "nearest", "min")
WINDOW = {"start_percent": "FLOAT", "end_percent": "FLOAT"}
KEPT = {"kept": "LATENT"}
NOISE = {"known_noise": ("fixed", "fresh", "predicted")}
BLENDING = {
    "mask_expand_pixels": "INT",
    "mask_blend_pixels": "INT",
    "blend": ("feather", "multiband"),
    "match_colour": "FLOAT",
}

# id: (inputs in order, with their type, or for a combo its options; outputs in order)
LEDGER = {
    "LatentRepaint_MaskToLatent": (
        {"mask": "MASK", "samples": "LATENT", "spatial_method": SPATIAL, "mask_expand_cells": "INT",
         "mask_hipass_filter": "FLOAT", "temporal_method": ("max", "mean", "min"), "vae": "VAE", "image": "IMAGE",
         "soft_mask": "BOOLEAN"},
        ["samples LATENT", "mask MASK", "preview IMAGE"]),
    "LatentRepaint_BlendSampler": ({"sampler": "SAMPLER", **NOISE, **WINDOW, **KEPT}, ["sampler SAMPLER"]),
    "LatentRepaint_RePaintSampler": (
        {"sampler": "SAMPLER", "jump_length": "INT", "jump_n_sample": "INT", **WINDOW, **NOISE, **KEPT},
        ["sampler SAMPLER"]),
    "LatentRepaint_MatchSampler": (
        {"sampler": "SAMPLER", "inner_steps": "FLOAT", **WINDOW, **KEPT}, ["sampler SAMPLER"]),
    "LatentRepaint_KSampler": (
        {"model": "MODEL", "seed": "INT", "steps": "INT", "cfg": "FLOAT", "sampler_name": "COMBO", "scheduler": "COMBO",
         "positive": "CONDITIONING", "negative": "CONDITIONING", "latent_image": "LATENT", "denoise": "FLOAT",
         "method": ("match", "repaint", "blend"), "evaluations_per_step": "FLOAT"},
        ["samples LATENT"]),
    "LatentRepaint_InpaintModel": (
        {"model": "MODEL", "method": ("match", "repaint", "blend"), "evaluations_per_step": "FLOAT", **KEPT},
        ["model MODEL"]),
    "LatentRepaint_Schedule": (
        {"model": "MODEL", "sampler": "SAMPLER", "sigmas": "SIGMAS"}, ["plot IMAGE", "evaluations INT"]),
    "LatentRepaint_Encode": (
        {"image": "IMAGE", "mask": "MASK", "vae": "VAE", "fill": ("diffuse", "original", "neutral", "noise"),
         "spatial_method": SPATIAL, "mask_expand_cells": "INT", "soft_mask": "BOOLEAN"},
        ["samples LATENT", "preview IMAGE", "painted_mask MASK"]),
    "LatentRepaint_Composite": (
        {"original": "IMAGE", "generated": "IMAGE", "mask": "MASK", **BLENDING},
        ["image IMAGE", "mask MASK", "report STRING"]),
    "LatentRepaint_Crop": (
        {"image": "IMAGE", "mask": "MASK", "context_from_mask_extend_factor": "FLOAT", "output_target_width": "INT",
         "output_target_height": "INT", "output_padding": "INT", "mask_fill_holes": "BOOLEAN",
         "islands": ("together", "each", "moving"), "context_mask": "MASK", "model": "MODEL"},
        ["stitch LATENT_REPAINT_STITCH", "image IMAGE", "mask MASK"]),
    "LatentRepaint_Stitch": (
        {"stitch": "LATENT_REPAINT_STITCH", "generated": "IMAGE", **BLENDING, "painted_mask": "MASK"},
        ["image IMAGE", "report STRING", "mask MASK"]),
}  # fmt: skip
SCHEMAS = {node.GET_SCHEMA().node_id: node.GET_SCHEMA() for node in NODES}


@pytest.mark.parametrize("node_id", LEDGER | SCHEMAS)
def test_a_node_is_what_saved_workflows_take_it_for(node_id):
    """What is new is written down here too, or the next change may break it unseen."""
    inputs, outputs = LEDGER[node_id]
    schema = SCHEMAS[node_id]
    assert schema.category == "latent repaint"
    assert [slot.id for slot in schema.inputs] == list(inputs)
    for slot, wanted in zip(schema.inputs, inputs.values(), strict=True):
        if isinstance(wanted, tuple):
            assert slot.io_type == "COMBO" and set(wanted) <= set(slot.options)
        else:
            assert slot.io_type == wanted
    assert [f"{slot.display_name or slot.id} {slot.io_type}" for slot in schema.outputs] == outputs
