"""Work on the neighbourhood of the mask only."""

from typing import Any

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..checks import check_image, check_mask, match_batches, naming, scaling_note
from ..pixels.composite import Blending
from ..pixels.crop_stitch import PLACED, Cut, crop, stitch_crops
from ..pixels.placement import Framing
from .notice import notice
from .schema import REPORT, blending_inputs, checked, schema, work
from .trained_size import trained_side

CROP_ID = "LatentRepaint_Crop"
STITCH_ID = "LatentRepaint_Stitch"
StitchType = io.Custom("LATENT_REPAINT_STITCH")
SIZE_UNKNOWN = (
    "Nothing was scaled: what size this model likes is not known. Set output_target_width and output_target_height."
)


class Crop(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            CROP_ID,
            display_name="Crop for Inpaint (Latent RePaint)",
            search=["inpaint crop", "crop and stitch", "only masked area", "detailer", "large picture"],
            description="Cuts out the part of the picture around the mask, at the size that the model knows. Only "
            "that part is sampled: it is faster, and gives more detail. Stitch puts it back.",
            inputs=[
                io.Image.Input("image", tooltip="The whole picture, or all frames of a video."),
                io.Mask.Input(
                    "mask",
                    tooltip="White (1) is painted anew. One crop is cut around it, or one for each island; with "
                    "nothing white, it is the whole picture.",
                ),
                io.Float.Input(
                    "context_from_mask_extend_factor",
                    default=2.5,
                    min=1.0,
                    max=100.0,
                    step=0.01,
                    tooltip="How many times as wide and high as the mask the crop is. More shows the model more of "
                    "the surroundings; less leaves more pixels for the mask. At least 32 pixels on each side "
                    "are shown.",
                ),
                io.Int.Input(
                    "output_target_width",
                    default=512,
                    min=0,
                    max=8192,
                    step=8,
                    tooltip="Width in pixels to which the crop is scaled: 512 for SD 1.5, 1024 for SDXL. 0: it "
                    "follows from the height. Both 0: the size that the connected model was trained at; without a "
                    "model, nothing is scaled.",
                ),
                io.Int.Input(
                    "output_target_height",
                    default=512,
                    min=0,
                    max=8192,
                    step=8,
                    tooltip="Height in pixels to which the crop is scaled. 0: it follows from the width. With both "
                    "set, the crop shows more on two sides, so that nothing is distorted.",
                ),
                io.Int.Input(
                    "output_padding",
                    default=32,
                    min=1,
                    max=512,
                    tooltip="Width and height become multiples of this many pixels, by showing more of the picture. "
                    "32 suits every common VAE.",
                ),
                io.Boolean.Input(
                    "mask_fill_holes",
                    default=False,
                    optional=True,
                    tooltip="Also paint what the mask encloses, so that an outline is enough.",
                ),
                io.Combo.Input(
                    "islands",
                    options=list(PLACED),
                    default="together",
                    optional=True,
                    tooltip="together: one crop around everything white, the same for all frames of a video. each: "
                    "one crop for each separate part of the mask and each picture, as large as possible. moving: "
                    "for video, one crop for each frame, which moves smoothly with the mask.",
                ),
                io.Mask.Input(
                    "context_mask",
                    optional=True,
                    tooltip="White marks what must also be in the crop, without being painted.",
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="Your checkpoint's MODEL. With output_target_width and output_target_height at 0, the crop "
                    "gets the size that it was trained at: 512 for SD 1.5, 1024 for SDXL, SD 3.5, Flux and Qwen.",
                ),
            ],
            outputs=[
                StitchType.Output("stitch", display_name="stitch", tooltip="What Stitch needs to put the crop back."),
                io.Image.Output(
                    "cropped_image", display_name="image", tooltip="The part of the picture around the mask."
                ),
                io.Mask.Output(
                    "cropped_mask", display_name="mask", tooltip="The mask, cut and scaled like the picture."
                ),
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
        islands: str = "together",
        context_mask: Tensor | None = None,
        model: Any = None,
    ) -> io.NodeOutput:
        unknown = ""
        if model is not None and output_target_width == output_target_height == 0:
            side = trained_side(model)
            output_target_width = output_target_height = side or 0
            unknown = "" if side else SIZE_UNKNOWN
        framing = Framing(context_from_mask_extend_factor, output_target_width, output_target_height, output_padding)
        with naming(CROP_ID):
            image = check_image("image", image)
            scaled = scaling_note("mask", mask, image)
            masks = {"mask": check_mask("mask", mask, image).to(image.device)}
            if context_mask is not None:
                masks["context_mask"] = check_mask("context_mask", context_mask, image).to(image.device)
            image, mask, *context = match_batches(image=image, **masks)
            context_mask = context[0] if context else None
            cut = crop(image, mask, framing, mask_fill_holes, islands, context_mask, work())
        return io.NodeOutput(*cut, ui=notice(CROP_ID, unknown, scaled))


class Stitch(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            STITCH_ID,
            display_name="Stitch Inpaint (Latent RePaint)",
            search=["inpaint stitch", "crop and stitch", "uncrop", "paste back"],
            description="Puts the new crop back into the whole picture and blends the seam. Beyond the mask and its "
            "ramp, every pixel stays exactly as it was.",
            inputs=[
                StitchType.Input("stitch", tooltip="From Crop."),
                io.Image.Input(
                    "generated",
                    tooltip="The decoded crop, or all of them. Several results for each crop give several pictures.",
                ),
                *blending_inputs(),
                io.Mask.Input(
                    "painted_mask",
                    optional=True,
                    tooltip="Encode's painted_mask: nothing that was painted is cut off. Without it, Crop's mask "
                    "counts.",
                ),
            ],
            outputs=[
                io.Image.Output("image", display_name="image", tooltip="The whole picture, finished."),
                io.String.Output("report", display_name="report", tooltip=REPORT),
                io.Mask.Output(
                    "blended_mask",
                    display_name="mask",
                    tooltip="How much of each pixel comes from the crop. 0: the picture is untouched.",
                ),
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
        painted_mask: Tensor | None = None,
    ) -> io.NodeOutput:
        blending = Blending(mask_expand_pixels, mask_blend_pixels, blend, match_colour)
        with naming(STITCH_ID):
            if not isinstance(stitch, Cut):
                raise ValueError(
                    f"input stitch: found {type(stitch).__name__}, wanted a link to Crop for Inpaint (Latent RePaint)"
                )
            generated = check_image("generated", generated).to(stitch.image.device)
            result = stitch_crops(stitch, generated, blending, painted_mask, work())
        return io.NodeOutput(result.image, result.report, result.mask, ui=notice(STITCH_ID, result.doubt))
