"""The three networks of the demo's models, all of the host's own classes, with weights to start training from."""

import torch
import torch.nn.functional as F

from comfyui_host import in_process

in_process.start()

import comfy.ops  # noqa: E402
import comfy.supported_models  # noqa: E402
from comfy.ldm.modules.attention import SpatialTransformer  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, UNetModel  # noqa: E402
from comfy.model_sampling import ModelSamplingDiscrete  # noqa: E402
from comfy.taesd.taesd import TAESD, Block  # noqa: E402

CONFIG = comfy.supported_models.models[-1]({})  # the host's entry for the demo's model, appended as it starts
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
VOCABULARY_SIZE = 49408  # of the host's CLIP
COLOURS = torch.tensor([[4 / 3, 4 / 3, 4 / 3], [3, 0, -3], [-3.5, 7, -3.5]])
RISE = 6.0


def initialise(network: torch.nn.Module) -> None:
    """Draws first weights as torch does; the host's layers leave theirs unset, because it always loads them."""
    for module in network.modules():
        for kind in type(module).__mro__:
            if kind.__module__.startswith("torch.nn.modules") and hasattr(kind, "reset_parameters"):
                kind.reset_parameters(module)
                break


def encode(images: torch.Tensor) -> torch.Tensor:
    """z = (4 (Y - 1/2), 3 (R - B), 7 (G - (R + B) / 2), 6 mean(Y (v - 3.5))), each a mean over a block of 8x8 pixels.

    Y is the mean of R, G and B, v = 0..7 the row in the block. What one block cannot tell, such as where an edge runs,
    its neighbours do: to draw it is left to the decoder. Over the scenes each channel has about zero mean and a
    deviation of a half to one.

    Args:
        images: (B, 3, 8h, 8w) in [0, 1].

    Returns:
        (B, 4, h, w).
    """
    colours = torch.einsum("zc,bcvu->bzvu", COLOURS.to(images.device), images)
    rows = torch.arange(8, device=images.device).repeat(images.shape[2] // 8).sub(3.5).view(-1, 1)
    luma = images.mean(dim=1, keepdim=True)
    blocks = F.avg_pool2d(torch.cat([colours, RISE * luma * rows], dim=1), 8)
    return blocks - torch.tensor([2.0, 0, 0, 0], device=images.device).view(-1, 1, 1)


def new_autoencoder() -> TAESD:
    """TAESD whose encoder computes `encode` and whose decoder starts with flat blocks of the right colour.

    A few channels pass through all layers unchanged (they are never negative, so no ReLU cuts them) and each residual
    block starts as the identity. Only the decoder is to be trained.
    """
    vae = TAESD()
    same, mean, rise = torch.zeros(3, 3, 3)
    same[1, 1], mean[1:, 1:], rise[1, 1:], rise[2, 1:] = 1, 1 / 4, -1 / 8, 1 / 8
    encoder, decoder = vae.taesd_encoder, vae.taesd_decoder
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.zero_()
        for channel in range(3):
            encoder[0].weight[channel, channel] = same
        encoder[0].bias[3] = 4  # keeps the sum over rows, which has a sign, above zero
        for level, layer in enumerate(layer for layer in encoder if getattr(layer, "stride", None) == (2, 2)):
            for channel in range(4):
                layer.weight[channel, channel] = mean
            layer.weight[3, :3] = 2**level / 3 * rise  # v - 3.5 = (v0 - 1/2) + 2 (v1 - 1/2) + 4 (v2 - 1/2) in binary
        encoder[-1].weight[:3, :3, 1, 1] = COLOURS
        encoder[-1].weight[3, 3] = RISE * same
        encoder[-1].bias[:] = torch.tensor([-2.0, 0, 0, -4 * RISE])

        for module in decoder.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    module.bias.zero_()
        for module in decoder.modules():
            if isinstance(module, Block):
                module.conv[-1].weight.zero_()
        for layer in (layer for layer in decoder if isinstance(layer, torch.nn.Conv2d)):
            for channel in range(min(4, layer.out_channels)):
                layer.weight[channel] = 0
                layer.weight[channel, channel] = same
        decoder[1].bias[:4] = 3
        decoder[-1].weight.zero_()
        decoder[-1].weight[:, :3, 1, 1] = COLOURS.inverse()
        decoder[-1].bias[:] = COLOURS.inverse() @ torch.tensor([2.0 - 3, -3, -3])
        vae.vae_scale.fill_(LATENT_SCALE)  # the UNet then sees what the encoder gives
    vae.requires_grad_(False).taesd_decoder.requires_grad_(True)
    return vae.to(memory_format=torch.channels_last)


def model_sampling() -> ModelSamplingDiscrete:
    """The noise levels that the host samples SD 1.x at."""
    return ModelSamplingDiscrete(CONFIG)


class Denoiser(torch.nn.Module):
    """eps(x_t, t, caption): the UNet and the text model that it listens to, trained together.

    Args:
        vocabulary: the token ids that captions will hold, ascending. Rows for these alone are kept and trained: the
            scenes need some fifty of the 49,408 that CLIP knows. None keeps all.
        sizes: of the UNet.
    """

    def __init__(self, vocabulary: torch.Tensor | None = None, sizes: dict = UNET):
        super().__init__()
        self.vocabulary = vocabulary
        self.unet = UNetModel(**sizes, operations=comfy.ops.disable_weight_init)
        self.text = CONFIG.clip_target().clip(dtype=torch.float32).clip_l.requires_grad_(True)
        initialise(self)
        embeddings = self.text.transformer.text_model.embeddings
        if vocabulary is not None:
            embeddings.token_embedding = torch.nn.Embedding(len(vocabulary), embeddings.token_embedding.embedding_dim)
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
        table = self.text.transformer.get_input_embeddings().weight
        rows = tokens if self.vocabulary is None else torch.searchsorted(self.vocabulary, tokens)
        embeds = F.embedding(rows, table)
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
