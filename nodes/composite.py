"""The generated picture over the original one."""

from collections.abc import Sequence
from typing import Any

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..checks import check_image, check_mask, match_batches, naming, scaling_note
from ..pixels.composite import Blending, composite
from ..pixels.pad import ENCODE, fits_padded, unpad
from .notice import NOTHING_MASKED, notice
from .schema import REPORT, blending_inputs, checked, schema, work

ID = "LatentRepaint_Composite"
FOREIGN_MASK = "this mask belongs to a crop or to another picture. After Crop, use Stitch instead of Composite"
GRID = 8
"""Pixels: a decoded picture's sides are multiples of this, whatever the model."""


class Composite(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="Composite Inpaint (Latent RePaint)",
            search=[
                "inpaint",
                "outpaint",
                "paste back",
                "image composite masked",
                "seam",
                "color match",
                "colour match",
            ],
            description="Puts the new part into the original picture and blends the seam. Beyond the mask and its "
            "ramp, every pixel stays exactly as it was.",
            inputs=[
                io.Image.Input("original", tooltip="The picture before inpainting. The result has its size."),
                io.Image.Input("generated", lazy=True, tooltip="The picture from VAE Decode."),
                io.Mask.Input(
                    "mask",
                    tooltip="Encode's painted_mask: nothing that was painted is cut off. Or your own mask: nothing "
                    "changes beyond it and its ramp. Every value above 0.1 counts as white.",
                ),
                *blending_inputs(),
            ],
            outputs=[
                io.Image.Output("image", display_name="image", tooltip="The finished picture."),
                io.Mask.Output(
                    "blended_mask",
                    display_name="mask",
                    tooltip="How much of each pixel comes from the new picture. 0: the original is untouched.",
                ),
                io.String.Output("report", display_name="report", tooltip=REPORT),
            ],
        )

    @classmethod
    def check_lazy_status(cls, original: Any, mask: Any, generated: Any = None, **_rest: Any) -> list[str]:
        """Looks at the picture and its mask before anything is sampled: they rarely depend on that."""
        if generated is None and isinstance(original, Tensor) and isinstance(mask, Tensor):
            with naming(ID):
                image = check_image("original", original)
                decoded = mask.ndim > 1 and _may_be_decoded(image.shape[1:3], mask.shape[-2:])
                if not decoded or _as_from_a_file(image):  # or `check_order` has more to say
                    check_mask("mask", mask, image, FOREIGN_MASK)
        return ["generated"] if generated is None else []

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
            original, generated = check_image("original", original), check_image("generated", generated)
            scaled = scaling_note("mask", mask, original)
            check_order(original, generated)
            height, width = original.shape[1:3]
            advice = f"a crop goes back into its picture with Stitch; otherwise {ENCODE}"
            generated = unpad(generated, height, width, advice)
            mask = check_mask("mask", mask, original, FOREIGN_MASK)
            original, generated, mask = match_batches(original=original, generated=generated, mask=mask)
        home = original.device
        blending = Blending(mask_expand_pixels, mask_blend_pixels, blend, match_colour)
        result = composite(original, generated.to(home), mask.to(home), blending, work())
        report = "\n\n".join(filter(None, [swapped_note(original, generated), scaled, result.report]))
        shown = notice(ID, "" if mask.any() else NOTHING_MASKED, result.doubt)
        return io.NodeOutput(result.image, result.mask, report, ui=shown)


def check_order(original: Tensor, generated: Tensor) -> None:
    """Raises ValueError if the sizes say that each of the two is connected where the other belongs."""
    first, second = original.shape[1:3], generated.shape[1:3]
    if _may_be_decoded(first, second):
        raise ValueError(
            f"inputs original, generated: found {first[1]}x{first[0]} and {second[1]}x{second[0]} pixels, wanted them "
            "the other way round; connect the picture before inpainting to original, the decoded one to generated"
        )


def _may_be_decoded(size: Sequence[int], before: Sequence[int]) -> bool:
    """Whether a picture has the size, (height, width), to which one of another size is padded before it is encoded."""
    off, before_off = (any(side % GRID for side in sides) for sides in (size, before))
    return fits_padded(size, before) and before_off and not off


def swapped_note(original: Tensor, generated: Tensor) -> str:
    """A warning if the picture that is called generated comes from a file, and the original does not."""
    if _as_from_a_file(generated) and not _as_from_a_file(original):
        return "Are original and generated swapped? It is the generated picture that looks as if loaded from a file."
    return ""


def _as_from_a_file(image: Tensor) -> bool:
    """Whether all of a sample of its values are whole levels of 255."""
    levels = 255 * image[0, :: -(-image.shape[1] // 64), :: -(-image.shape[2] // 64), :3]
    return bool(((levels - levels.round()).abs() < 1e-3).all())
