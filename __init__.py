"""Latent RePaint: inpainting with any diffusion checkpoint that ComfyUI can load."""

from .nodes import LatentRepaintExtension

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> LatentRepaintExtension:
    """What the host calls to learn about the pack's nodes."""
    return LatentRepaintExtension()
