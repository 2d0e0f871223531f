"""The generated picture over the original one."""

import comfy.model_management
import torch
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..checks import check_image, check_mask, match_batches, naming
from ..pixels.composite import BLENDS
from ..pixels.composite import composite as put_over
from ..pixels.pad import unpad
from .schema import checked, schema

ID = "LatentRepaint_Composite"
REPORT = "Largest difference outside the mask, colour shift and seam energy, before and after."


def device() -> torch.device:
    """Where pixels are computed: the host's GPU, or the CPU where torch lacks antialiased scaling (Apple's, others)."""
    found = comfy.model_management.get_torch_device()
    return found if found.type == "cuda" else torch.device("cpu")


def blending_inputs() -> list[io.Input]:
    """The inputs that Composite and Stitch share."""
    return [
        io.Int.Input(
            "mask_expand_pixels",
            default=0,
            min=0,
            max=1024,
            tooltip="Pixels around the mask that also come from the generated picture in full. Raise it where a rim of "
            "the old content is left.",
        ),
        io.Int.Input(
            "mask_blend_pixels",
            default=16,
            min=0,
            max=1024,
            tooltip="Pixels beyond that, over which the generated picture fades into the original. 0 is a hard edge. "
            "Farther out the original keeps every bit.",
        ),
        io.Combo.Input(
            "blend",
            options=BLENDS,
            default="multiband",
            tooltip="multiband: colours fade over the whole width, fine detail within 2 to 3 pixels, so that nothing "
            "shows double. feather: everything fades over the whole width.",
        ),
        io.Float.Input(
            "match_colour",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="How much of the colour shift between the two pictures, measured in a ring around the mask, is "
            "taken out of the generated one. 0: none, 1: all of it.",
        ),
    ]


class Composite(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="Composite (Latent RePaint)",
            description="Puts the generated picture in place of the masked part. Outside the mask and its ramp the "
            "result is the original, bit for bit; the padding of Encode is taken off.",
            inputs=[
                io.Image.Input("original", tooltip="The picture before inpainting. The result has its size."),
                io.Image.Input(
                    "generated", tooltip="The decoded result: as large as the original, or padded by Encode."
                ),
                io.Mask.Input(
                    "mask",
                    tooltip="The mask of the original's size that was painted anew. Every value above 0 "
                    "counts in full.",
                ),
                *blending_inputs(),
            ],
            outputs=[
                io.Image.Output("image", display_name="image", tooltip="The finished picture."),
                io.Mask.Output(
                    "blended_mask",
                    display_name="mask",
                    tooltip="The weight of the generated picture; 0 is where the original is untouched.",
                ),
                io.String.Output("report", display_name="report", tooltip=REPORT),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        original: Tensor,
        generated: Tensor,
        mask: Tensor,
        mask_expand_pixels: int,
        mask_blend_pixels: int,
        blend: str,
        match_colour: float,
    ) -> io.NodeOutput:
        with naming(ID):
            original = check_image("original", original)
            generated = unpad(check_image("generated", generated), *original.shape[1:3])
            original, generated, mask = match_batches(
                original=original, generated=generated, mask=check_mask("mask", mask, original)
            )
        home = original.device
        return io.NodeOutput(
            *put_over(
                original,
                generated.to(home),
                mask.to(home),
                mask_expand_pixels,
                mask_blend_pixels,
                blend,
                match_colour,
                device(),
            )
        )
