"""The pack's nodes; their ids, inputs and outputs are a contract with every saved workflow."""

from comfy_api.v0_0_2 import ComfyExtension, io

from .blend_sampler import BlendSampler
from .composite import Composite
from .crop_stitch import Crop, Stitch
from .encode import Encode
from .inpaint_model import InpaintModel
from .ksampler import KSampler
from .mask_to_latent import MaskToLatent
from .match_sampler import MatchSampler
from .repaint_sampler import RePaintSampler
from .schedule import Schedule

NODES: list[type[io.ComfyNode]] = [
    MaskToLatent,
    BlendSampler,
    RePaintSampler,
    MatchSampler,
    KSampler,
    InpaintModel,
    Schedule,
    Encode,
    Composite,
    Crop,
    Stitch,
]


class LatentRepaintExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES
