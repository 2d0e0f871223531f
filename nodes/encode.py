"""A picture of any size into a latent, without traces of what is masked."""

from typing import Any

from comfy_api.v0_0_2 import io, ui
from torch import Tensor

from ..checks import FLOOR, check_image, check_mask, grey_note, match_batches, naming, scaling_note
from ..pixels.fill import FILLS, fill_masked
from ..pixels.latent_grid import mask_to_grid, painted_pixels
from ..pixels.pad import pad_to_multiple, unpad
from ..pixels.preview import draw_mask
from .notice import NOTHING_MASKED, notice
from .schema import checked, grid_inputs, schema, soft_mask_input, work

ID = "LatentRepaint_Encode"


class Encode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="Encode for Inpaint (Latent RePaint)",
            search=[
                "inpaint",
                "outpaint",
                "vae encode for inpainting",
                "masked content",
                "fill mask",
                "set latent noise mask",
            ],
            description="Encodes a picture of any size for inpainting. What is masked is replaced first, because it "
            "would leave traces around it. Where the size does not suit the VAE, the border is mirrored "
            "outwards, and Composite cuts that off again.",
            inputs=[
                io.Image.Input("image", tooltip="The picture, or the frames of a video. Any size."),
                io.Mask.Input(
                    "mask", tooltip="White (1) is painted, black (0) is kept. Same size or proportions as the picture."
                ),
                io.Vae.Input("vae", tooltip="The VAE of your checkpoint."),
                io.Combo.Input(
                    "fill",
                    options=FILLS,
                    default="diffuse",
                    tooltip="What the picture has under the mask while it is encoded. diffuse: the colours around it, "
                    "carried on smoothly. original: the picture itself, for a denoise below 1. neutral: "
                    "grey. noise: noise in the colours of the picture. With soft_mask, some of the original stays "
                    "under grey.",
                ),
                *grid_inputs(),
                soft_mask_input(),
            ],
            outputs=[
                io.Latent.Output(
                    "samples",
                    display_name="samples",
                    tooltip="The latent with its mask, for KSampler Inpaint (Latent RePaint) or any other sampler.",
                ),
                io.Image.Output(
                    "preview",
                    display_name="preview",
                    tooltip="The picture as it is encoded. Red cells are painted, the rest is kept.",
                ),
                io.Mask.Output(
                    "painted_mask",
                    display_name="painted_mask",
                    tooltip="Every pixel that is painted: the mask, rounded up to whole cells and grown. For Composite "
                    "and Stitch, so that nothing painted is cut off.",
                ),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        image: Tensor,
        mask: Tensor,
        vae: Any,
        fill: str,
        spatial_method: str,
        mask_expand_cells: int,
        soft_mask: bool = False,
    ) -> io.NodeOutput:
        with naming(ID):
            image = check_image("image", image)
            scaled = scaling_note("mask", mask, image)
            image, mask = match_batches(image=image, mask=check_mask("mask", mask, image).to(image.device))
            amiss = [_black_under(image, mask) if fill == "original" else ""]
            if not soft_mask:
                amiss.append(grey_note(mask))
                mask = (mask > 0).float()
            pixels = fill_masked(image, mask, fill, work())
            ratio = vae.spacial_compression_encode()
            pixels, mask = pad_to_multiple(pixels, ratio), pad_to_multiple(mask, ratio)
            latent = vae.encode(pixels[..., :3])
            stills, frames_per_cell = len(latent) == len(image), vae.temporal_compression_decode()
            if not stills:
                _check_frames(len(image), latent.shape[2], frames_per_cell)
            cells = mask_to_grid(
                mask,
                latent.shape[:2] + latent.shape[-2:] if stills else latent.shape,
                spatial_method,
                mask_expand_cells,
                spatial_ratio=ratio,
                temporal_ratio=frames_per_cell,
                soft_mask=soft_mask,
            )
        preview = draw_mask(cells, pixels)
        samples = {"samples": latent, "noise_mask": cells.reshape(len(latent), 1, *latent.shape[2:])}
        painted = painted_pixels(cells, ratio, len(image), None if stills else frames_per_cell)
        painted = unpad(painted[..., None], *image.shape[1:3])[..., 0]
        amiss = ["" if cells.any() else NOTHING_MASKED, *amiss, scaled]
        shown = notice(ID, *amiss, preview=ui.PreviewImage(preview, cls=cls))
        return io.NodeOutput(samples, preview, painted, ui=shown)


def _black_under(image: Tensor, mask: Tensor) -> str:
    """What a person should hear whose picture is black under the mask and not beside it; empty for any other.

    The mask editor of some versions of the page (1.47.3 to 1.48.6) saves its strokes so.
    """
    painted, black = mask > FLOOR, (image[..., :3] <= 1 / 255).all(-1)
    if not painted.any() or black[painted].float().mean() < 0.9 or not (~black[~painted]).float().mean() > 0.5:
        return ""
    return (
        "The picture is black wherever the mask is white: some mask editors save it so. Take another fill than "
        "original, or update the page and paint the mask on the picture anew."
    )


def _check_frames(given: int, cells: int, frames_per_cell: int) -> None:
    """Raises ValueError if the VAE left frames out; it does so without a word, and the video would come back shorter.

    A causal VAE reads the first frame into one cell of time, and every `frames_per_cell` further ones into another.
    """
    read = (cells - 1) * frames_per_cell + 1
    if given != read:
        raise ValueError(
            f"input image: found {given} frames, wanted {read} or {read + frames_per_cell}, because this VAE reads a "
            f"batch as a video of {frames_per_cell}k + 1 frames; leave some out, or encode pictures one by one"
        )
