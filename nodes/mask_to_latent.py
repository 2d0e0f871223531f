"""A mask in pixels onto the latent's own grid, where the host takes it as it is."""

from typing import Any

import torch
from comfy_api.v0_0_2 import io, ui
from torch import Tensor

from ..checks import check_image, check_latent, grey_note, naming
from ..pixels.latent_grid import TEMPORAL_METHODS, centre_crop, mask_to_grid, of_latent_rank
from ..pixels.preview import draw_mask
from .notice import NOTHING_MASKED, notice
from .schema import checked, grid_inputs, schema, soft_mask_input

ID = "LatentRepaint_MaskToLatent"
PREVIEW_PIXELS_PER_CELL = 8  # of a preview without a picture
PREVIEW_OF_SOUND = (64, 512)  # pixels; time goes from left to right


class MaskToLatent(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="Mask to Latent (Latent RePaint)",
            search=["inpaint mask", "noise mask", "set latent noise mask", "resize mask", "grow mask", "video mask"],
            description="Puts a mask into a latent without losing a stroke, so that any sampler inpaints. The preview "
            "shows which cells will be painted.",
            inputs=[
                io.Mask.Input(
                    "mask",
                    tooltip="White (1) is painted, black (0) is kept. One mask for all pictures or frames, or "
                    "one for each.",
                ),
                io.Latent.Input("samples", tooltip="The encoded picture or video that the mask belongs to."),
                *grid_inputs(),
                io.Float.Input(
                    "mask_hipass_filter",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Mask values below this count as black. Raise it to drop faint smudges.",
                ),
                io.Combo.Input(
                    "temporal_method",
                    options=list(TEMPORAL_METHODS),
                    default="max",
                    tooltip="For video only: how the frames under a latent frame decide about it. With max nothing is "
                    "lost.",
                ),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="Tells how many pixels and frames a cell covers. Connect it for "
                    "video; for pictures the sizes tell it.",
                ),
                io.Image.Input("image", optional=True, tooltip="The picture that the preview is drawn on."),
                soft_mask_input(),
            ],
            outputs=[
                io.Latent.Output("latent", display_name="samples", tooltip="The latent with the mask on its own grid."),
                io.Mask.Output(
                    "grid", display_name="mask", tooltip="The mask on the latent's grid: one value for each cell."
                ),
                io.Image.Output(
                    "preview",
                    display_name="preview",
                    tooltip="Red cells are painted. Amber cells are painted only late in the run. The rest is kept.",
                ),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        mask: Tensor,
        samples: dict,
        spatial_method: str,
        mask_expand_cells: int,
        mask_hipass_filter: float,
        temporal_method: str,
        vae: Any = None,
        image: Tensor | None = None,
        soft_mask: bool = False,
    ) -> io.NodeOutput:
        with naming(ID):
            latent = check_latent(samples, "samples")
            image = None if image is None else check_image("image", image)
            spatial, temporal = _per_cell(samples, vae)
            cells = mask_to_grid(
                mask,
                latent.shape,
                spatial_method,
                mask_expand_cells,
                mask_hipass_filter,
                temporal_method,
                spatial,
                temporal,
                soft_mask,
            )
        if image is None:
            side = spatial or PREVIEW_PIXELS_PER_CELL
            size = (cells.shape[-2] * side, cells.shape[-1] * side) if latent.ndim > 3 else PREVIEW_OF_SOUND
            image = torch.zeros(1, 1, 1, 3).expand(-1, *size, -1)
        else:
            image = _encoded_part(image, cells)
        preview = draw_mask(cells, image)
        masked = {**samples, "noise_mask": of_latent_rank(cells, latent.shape)}
        amiss = "" if cells.any() else NOTHING_MASKED, "" if soft_mask else grey_note(mask)
        shown = notice(ID, *amiss, preview=ui.PreviewImage(preview, cls=cls))
        return io.NodeOutput(masked, cells, preview, ui=shown)


def _per_cell(samples: dict, vae: Any) -> tuple[int | None, int | None]:
    """Pixels and frames that a cell of the latent covers, as far as they are known."""
    if samples["samples"].ndim == 3:  # the whole width of a mask is the length of the sound
        return None, None
    if vae is None:  # what the host's empty latents say of themselves from 0.11 on
        return samples.get("downscale_ratio_spacial"), samples.get("downscale_ratio_temporal")
    return vae.spacial_compression_decode(), vae.temporal_compression_decode()


def _encoded_part(image: Tensor, cells: Tensor) -> Tensor:
    """The middle of the image which the host's VAE encode keeps."""
    ratio = min(image.shape[1] // cells.shape[-2], image.shape[2] // cells.shape[-1])
    return centre_crop(image.movedim(-1, 1), ratio).movedim(1, -1) if ratio else image
