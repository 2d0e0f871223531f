"""Teaches the host the sizes of the demo's models, so that its stock loaders take them as they take one of SD 1.5.

It is a custom_nodes folder without nodes: on import it adds two entries to the host's list of models. Only the demo and
the tests use it; the node pack itself never does.
"""

import comfy.latent_formats
import comfy.supported_models
from comfy.sd1_clip import SD1ClipModel, SD1Tokenizer, SDClipModel
from comfy.supported_models_base import ClipTarget

NODE_CLASS_MAPPINGS: dict[str, type] = {}

WIDTH = 64
TEXT_MODEL = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 4 * WIDTH,
    "hidden_act": "quick_gelu",
    "max_position_embeddings": 77,
    "eos_token_id": 49407,
}


class DemoTokenizer(SD1Tokenizer):
    """The stock tokenizer, told the width that textual-inversion embeddings would need to have."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.clip_l.embedding_size = WIDTH


class DemoTextModel(SDClipModel):
    """CLIP's text model, two layers deep and `WIDTH` wide."""

    def __init__(self, **kwargs):
        super().__init__(return_projected_pooled=False, textmodel_json_config=dict(TEXT_MODEL), **kwargs)


class DemoClip(SD1ClipModel):
    """What SD 1.x calls its text encoder, around the small text model."""

    def __init__(self, **kwargs):
        super().__init__(clip_model=DemoTextModel, **kwargs)


class DemoLatent(comfy.latent_formats.SD15):
    """SD 1.5's, but for the colours of the host's live previews: those that `python demo_model/next measure` finds."""

    def __init__(self):
        super().__init__()
        self.latent_rgb_factors = [
            [0.595, 0.505, 0.431],
            [0.290, 0.008, -0.372],
            [-0.090, 0.146, -0.058],
            [0.003, -0.005, -0.007],
        ]
        self.latent_rgb_factors_bias = [0.137, 0.066, 0.013]


class SmallLatent(comfy.latent_formats.SD15):
    """The same for the small model: the colours are those of `networks.encode`."""

    def __init__(self):
        super().__init__()
        self.latent_rgb_factors = [[1 / 2, 1 / 2, 1 / 2], [1 / 3, 0, -1 / 3], [-2 / 21, 4 / 21, -2 / 21], [0, 0, 0]]


class LatentRepaintDemo(comfy.supported_models.SD15):
    """SD 1.5 with 64 instead of 320 channels and a context 64 instead of 768 wide."""

    unet_config = comfy.supported_models.SD15.unet_config | {"context_dim": WIDTH, "model_channels": 64}
    latent_format = DemoLatent

    def clip_target(self, state_dict=None):
        return ClipTarget(DemoTokenizer, DemoClip)


class LatentRepaintSmall(LatentRepaintDemo):
    """The small model, known by its three levels of one block each."""

    unet_config = LatentRepaintDemo.unet_config | {"num_res_blocks": [1, 1, 1]}
    latent_format = SmallLatent


comfy.supported_models.models += [LatentRepaintSmall, LatentRepaintDemo]
