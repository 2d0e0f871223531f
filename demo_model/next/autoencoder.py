"""What makes latents of pictures and pictures of latents: the host's TAESD, trained narrow where it is expensive.

TAESD is 64 channels wide at every size. Nine tenths of its work are done at the two finest ones. Here fewer channels do
there; `widened` fills the rest with zeros, so that the host's own class computes the same.
"""

import torch
import torch.nn.functional as F

from comfyui_host import in_process

in_process.start()

from comfy.taesd.taesd import TAESD, Block, Clamp, conv  # noqa: E402

ENCODER = (16, 24, 48, 64)  # channels at 256, 128, 64 and 32 pixels
DECODER = (64, 64, 48, 32)  # channels at 32, 64, 128 and 256 pixels
COLOURS = torch.tensor([[4 / 3, 4 / 3, 4 / 3], [3, 0, -3], [-3.5, 7, -3.5]])
RISE = 6.0


class Autoencoder(torch.nn.Module):
    """Pictures (B, 3, 8h, 8w) in [0, 1] to latents (B, 4, h, w) and back.

    It starts as version 2's encoder, which was made by hand, and as a decoder that draws flat blocks of the right
    colour: z = (4 (Y - 1/2), 3 (R - B), 7 (G - (R + B) / 2), 6 mean(Y (row - 3.5))), each a mean over a block of 8x8.
    All else that the encoder tells, such as where an edge runs in the block, it learns.
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = ENCODER
        self.encoder = torch.nn.Sequential(
            conv(3, a), Block(a, a),
            conv(a, b, stride=2, bias=False), Block(b, b), Block(b, b), Block(b, b),
            conv(b, c, stride=2, bias=False), Block(c, c), Block(c, c), Block(c, c),
            conv(c, d, stride=2, bias=False), Block(d, d), Block(d, d), Block(d, d),
            conv(d, 4),
        )  # fmt: skip
        a, b, c, d = DECODER
        self.decoder = torch.nn.Sequential(
            Clamp(), conv(4, a), torch.nn.ReLU(),
            Block(a, a), Block(a, a), Block(a, a), torch.nn.Upsample(scale_factor=2), conv(a, b, bias=False),
            Block(b, b), Block(b, b), Block(b, b), torch.nn.Upsample(scale_factor=2), conv(b, c, bias=False),
            Block(c, c), Block(c, c), Block(c, c), torch.nn.Upsample(scale_factor=2), conv(c, d, bias=False),
            Block(d, d), conv(d, 3),
        )  # fmt: skip
        self._begin()
        self.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def _begin(self) -> None:
        """A few channels pass through all layers unchanged (they are never negative, so no ReLU cuts them)."""
        same, mean, rise = torch.zeros(3, 3, 3)
        same[1, 1], mean[1:, 1:], rise[1, 1:], rise[2, 1:] = 1, 1 / 4, -1 / 8, 1 / 8
        for module in self.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    module.bias.zero_()
        for module in self.modules():
            if isinstance(module, Block):
                module.conv[-1].weight.zero_()

        encoder, decoder = self.encoder, self.decoder
        encoder[0].weight[:4] = 0
        for channel in range(3):
            encoder[0].weight[channel, channel] = same
        encoder[0].bias[3] = 4  # keeps the sum over rows, which has a sign, above zero
        for level, layer in enumerate(layer for layer in encoder if getattr(layer, "stride", None) == (2, 2)):
            layer.weight[:4] = 0
            for channel in range(4):
                layer.weight[channel, channel] = mean
            layer.weight[3, :3] = 2**level / 3 * rise  # row - 3.5 in binary, a digit at each halving
        encoder[-1].weight.zero_()
        encoder[-1].weight[:3, :3, 1, 1] = COLOURS
        encoder[-1].weight[3, 3] = RISE * same
        encoder[-1].bias[:] = torch.tensor([-2.0, 0, 0, -4 * RISE])

        for layer in (layer for layer in decoder if isinstance(layer, torch.nn.Conv2d)):
            for channel in range(min(4, layer.out_channels)):
                layer.weight[channel] = 0
                layer.weight[channel, channel] = same
        decoder[1].bias[:4] = 3
        decoder[-1].weight.zero_()
        decoder[-1].weight[:, :3, 1, 1] = COLOURS.inverse()
        decoder[-1].bias[:] = COLOURS.inverse() @ torch.tensor([2.0 - 3, -3, -3])

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.decoder(z)

    @torch.no_grad()
    def level(self, mean: torch.Tensor, deviation: torch.Tensor, wanted: float) -> None:
        """Makes latents of zero mean and the wanted deviation in each channel; the decoder is told, but for its clamp.

        Args:
            mean, deviation: (4,), of the latents as they are.
        """
        scale, last, first = wanted / deviation, self.encoder[-1], self.decoder[1]
        last.weight *= scale.view(-1, 1, 1, 1)
        last.bias.copy_((last.bias - mean) * scale)
        first.bias += torch.einsum("ocvu,c->o", first.weight, mean)
        first.weight /= scale.view(1, -1, 1, 1)

    @torch.no_grad()
    def widened(self, scale: float) -> TAESD:
        """The host's TAESD, which computes the same; `scale` is the host's between latents and what the UNet sees."""
        vae = TAESD()
        for wide, narrow in ((vae.taesd_encoder, self.encoder), (vae.taesd_decoder, self.decoder)):
            state = narrow.state_dict()
            for name, weight in wide.state_dict().items():
                weight.zero_()
                weight[tuple(slice(0, n) for n in state[name].shape)] = state[name]
        vae.vae_scale.fill_(scale)
        return vae


def busy_crops(x: torch.Tensor, side: int) -> torch.Tensor:
    """A square of each picture, drawn in proportion to the detail in it: (B, 3, side, side), on the grid of cells."""
    detail = (x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)).abs().mean(dim=1, keepdim=True)
    detail = F.avg_pool2d(F.avg_pool2d(detail, 8), side // 8, 1)[:, 0]
    chosen = (detail.flatten(1) + 0.1 * detail.mean()).multinomial(1)[:, 0].tolist()
    corners = [(8 * (i // detail.shape[2]), 8 * (i % detail.shape[2])) for i in chosen]
    return torch.stack([plane[:, v : v + side, u : u + side] for plane, (v, u) in zip(x, corners, strict=True)])


def difference(made: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """|error| + 2 error^2 + |the error's edges| / 2."""
    error = made.float() - x
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return error.abs().mean() + 2 * error.square().mean() + 0.5 * edges
