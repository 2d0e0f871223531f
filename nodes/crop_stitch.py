"""Work on the neighbourhood of the mask only."""

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..checks import check_image, check_mask, match_batches, naming
from ..pixels.crop_stitch import Cut, crop
from ..pixels.crop_stitch import stitch as put_back
from .composite import REPORT, blending_inputs, device
from .schema import checked, schema

CROP_ID = "LatentRepaint_Crop"
STITCH_ID = "LatentRepaint_Stitch"
StitchType = io.Custom("LATENT_REPAINT_STITCH")


class Crop(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CROP_ID,
            display_name="Crop (Latent RePaint)",
            description="Cuts out the neighbourhood of the mask, at the resolution that the model likes. Sampling then "
            "costs what the crop costs, not the picture. Stitch puts the result back.",
            inputs=[
                io.Image.Input("image", tooltip="The whole picture, or all frames of a video."),
                io.Mask.Input(
                    "mask",
                    tooltip="White (1) is painted anew. One crop is cut around everything white in all "
                    "pictures of the batch together; with nothing white, the whole picture.",
                ),
                io.Float.Input(
                    "context_from_mask_extend_factor",
                    default=1.2,
                    min=1.0,
                    max=100.0,
                    step=0.01,
                    tooltip="Width and height of the crop, as a factor of the mask's. More context helps the model to "
                    "carry the picture on, and leaves fewer pixels for the mask. 32 pixels a side are always shown.",
                ),
                io.Int.Input(
                    "output_target_width",
                    default=512,
                    min=0,
                    max=8192,
                    step=8,
                    tooltip="Width in pixels that the crop is scaled to; what the model was trained on is best. "
                    "0: follows from the height; both 0: nothing is scaled.",
                ),
                io.Int.Input(
                    "output_target_height",
                    default=512,
                    min=0,
                    max=8192,
                    step=8,
                    tooltip="Height in pixels that the crop is scaled to. 0: follows from the width. With both given, "
                    "the crop is widened to their aspect; nothing is distorted.",
                ),
                io.Int.Input(
                    "output_padding",
                    default=32,
                    min=1,
                    max=512,
                    tooltip="Width and height of the crop are rounded up to multiples of this many pixels, by showing "
                    "more of the picture, so that the VAE takes them as they are.",
                ),
                io.Boolean.Input(
                    "mask_fill_holes",
                    default=False,
                    optional=True,
                    tooltip="Also paint what the mask encloses: an outline then does for a filled shape.",
                ),
            ],
            outputs=[
                StitchType.Output("stitch", display_name="stitch", tooltip="What Stitch needs to put the crop back."),
                io.Image.Output("cropped_image", display_name="image", tooltip="The neighbourhood of the mask."),
                io.Mask.Output("cropped_mask", display_name="mask", tooltip="The mask, cut and scaled alike."),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        image: Tensor,
        mask: Tensor,
        context_from_mask_extend_factor: float,
        output_target_width: int,
        output_target_height: int,
        output_padding: int,
        mask_fill_holes: bool = False,
    ) -> io.NodeOutput:
        with naming(CROP_ID):
            image = check_image("image", image)
            image, mask = match_batches(image=image, mask=check_mask("mask", mask, image).to(image.device))
            return io.NodeOutput(
                *crop(
                    image,
                    mask,
                    context_from_mask_extend_factor,
                    output_target_width,
                    output_target_height,
                    output_padding,
                    mask_fill_holes,
                    device(),
                )
            )


class Stitch(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            STITCH_ID,
            display_name="Stitch (Latent RePaint)",
            description="Scales the generated crop back and puts it over the whole picture. Outside the mask and its "
            "ramp the result is the original, bit for bit.",
            inputs=[
                StitchType.Input("stitch", tooltip="From Crop."),
                io.Image.Input("generated", tooltip="The decoded crop; a batch of them gives a batch of pictures."),
                *blending_inputs(),
            ],
            outputs=[
                io.Image.Output("image", display_name="image", tooltip="The whole picture, finished."),
                io.String.Output("report", display_name="report", tooltip=REPORT),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        stitch: Cut,
        generated: Tensor,
        mask_expand_pixels: int,
        mask_blend_pixels: int,
        blend: str,
        match_colour: float,
    ) -> io.NodeOutput:
        with naming(STITCH_ID):
            generated = check_image("generated", generated).to(stitch.image.device)
            result = put_back(stitch, generated, mask_expand_pixels, mask_blend_pixels, blend, match_colour, device())
        return io.NodeOutput(result.image, result.report)
