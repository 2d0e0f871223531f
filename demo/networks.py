"""The demo model's three networks, all of the host's own classes, with weights to start training from."""

import in_process
import torch

in_process.start()

import comfy.ops  # noqa: E402
import comfy.supported_models  # noqa: E402
from comfy.ldm.modules.attention import SpatialTransformer  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, UNetModel  # noqa: E402
from comfy.model_sampling import ModelSamplingDiscrete  # noqa: E402
from comfy.taesd.taesd import TAESD, Block  # noqa: E402

CONFIG = comfy.supported_models.models[-1]({})  # the host's entry for the demo model; starting the host has appended it
LATENT_SCALE = CONFIG.latent_format.scale_factor
UNET = {  # 16, 8 and 4 cells wide; attention where it is cheap
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": CONFIG.__class__.unet_config["model_channels"],
    "num_res_blocks": [1, 1, 1],
    "channel_mult": [1, 1, 1],
    "transformer_depth": [0, 1, 1],
    "transformer_depth_output": [0, 0, 1, 1, 1, 1],
    "transformer_depth_middle": 1,
    "context_dim": CONFIG.__class__.unet_config["context_dim"],
    "use_spatial_transformer": True,
    "legacy": False,
    "num_heads": CONFIG.unet_extra_config["num_heads"],
}


def initialise(network: torch.nn.Module) -> None:
    """Draws first weights as torch does; the host's layers leave theirs unset, because it always loads them."""
    for module in network.modules():
        for kind in type(module).__mro__:
            if kind.__module__.startswith("torch.nn.modules") and hasattr(kind, "reset_parameters"):
                kind.reset_parameters(module)
                break


def new_autoencoder() -> TAESD:
    """TAESD, with first weights that already carry the mean colour of every 8x8 block to the latent and back.

    Three channels pass through all layers unchanged (their values are never negative, so no ReLU cuts them) and each
    residual block starts as the identity. Training has only the detail left to learn.
    """
    vae = TAESD()
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    for module in vae.modules():
        if isinstance(module, Block):
            torch.nn.init.zeros_(module.conv[-1].weight)
    encoder, decoder = vae.taesd_encoder, vae.taesd_decoder
    same, mean = torch.zeros(3, 3), torch.zeros(3, 3)
    same[1, 1], mean[1:, 1:] = 1, 0.25
    with torch.no_grad():
        for last in (encoder[-1], decoder[-1]):
            last.weight.mul_(0.1)
        for layer in (m for half in (encoder, decoder) for m in half if isinstance(m, torch.nn.Conv2d)):
            for channel in range(3):
                layer.weight[channel] = 0
                layer.weight[channel, channel] = mean if layer.stride == (2, 2) else same
        encoder[-1].weight[:3].mul_(4)  # colour in [0, 1] -> latent in [-2, 2] -> [1, 5] inside the decoder -> colour
        encoder[-1].bias[:3] = -2
        decoder[1].bias[:3] = 3
        decoder[-1].weight.mul_(0.25)
        decoder[-1].bias[:] = 0.5 - 3 / 4
    vae.vae_scale.requires_grad_(False).fill_(LATENT_SCALE)  # the UNet then sees what the encoder gives
    vae.vae_shift.requires_grad_(False)
    return vae.to(memory_format=torch.channels_last)


def model_sampling() -> ModelSamplingDiscrete:
    """The noise levels that the host samples SD 1.x at."""
    return ModelSamplingDiscrete(CONFIG)


class Denoiser(torch.nn.Module):
    """eps(x_t, t, caption): the UNet and the text model that it listens to, trained together."""

    def __init__(self):
        super().__init__()
        self.unet = UNetModel(**UNET, operations=comfy.ops.disable_weight_init)
        self.text = CONFIG.clip_target().clip(dtype=torch.float32).clip_l.requires_grad_(True)
        initialise(self)
        embeddings = self.text.transformer.text_model.embeddings
        torch.nn.init.normal_(embeddings.position_embedding.weight, std=0.1)  # words matter more than their order
        for module in self.unet.modules():
            if isinstance(module, ResBlock):
                torch.nn.init.zeros_(module.out_layers[-1].weight)
            if isinstance(module, SpatialTransformer):
                torch.nn.init.zeros_(module.proj_out.weight)
        torch.nn.init.zeros_(self.unet.out[-1].weight)
        self.unet.to(memory_format=torch.channels_last)

    def encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, 77) token ids -> (B, 77, width), what the host's CLIPTextEncode gives for them."""
        embeds = self.text.transformer.get_input_embeddings()(tokens, out_dtype=torch.float32)
        # The host's layers add in place to what autograd has saved: save copies.
        with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved.detach().clone(), lambda saved: saved):
            return self.text.transformer(None, None, embeds=embeds, num_tokens=[tokens.shape[1]] * len(tokens))[0]

    def forward(self, x_t: torch.Tensor, t: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """(B, 4, h, w), (B,), (B, 77) -> the noise in x_t, (B, 4, h, w)."""
        return self.unet(x_t, t, self.encode(tokens))


def tokenize(captions: list[str]) -> torch.Tensor:
    """(B, 77) token ids by the host's tokenizer; a caption must fit into one such row."""
    tokenizer = CONFIG.clip_target().tokenizer()
    return torch.tensor([[token for token, _ in tokenizer.tokenize_with_weights(text)["l"][0]] for text in captions])
