"""Nodes for whoever measures or tests `batch/`: a model that waits and a VAE that averages instead of computing, a text
that raises, and a small seed."""

import copy
import time

import torch


class WaitingModel:
    """A model of which each evaluation takes a given time on the clock and next to none of the processor."""

    CATEGORY, FUNCTION, RETURN_TYPES = "latent repaint/tests", "patch", ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "seconds": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 60.0})}}

    def patch(self, model, seconds):
        def wait(_, arguments):
            time.sleep(seconds)
            return torch.zeros_like(arguments["input"])

        patched = model.clone()
        patched.set_model_unet_function_wrapper(wait)
        return (patched,)


class AveragingVAE:
    """A VAE that costs next to nothing: cells are averages of 8 x 8 pixels, in the first three channels of four."""

    CATEGORY, FUNCTION, RETURN_TYPES = "latent repaint/tests", "make", ("VAE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"vae": ("VAE",)}}

    def make(self, vae):
        def encode(pixels):
            cells = torch.nn.functional.avg_pool2d(pixels[..., :3].movedim(-1, 1), 8)
            return torch.cat([cells, torch.zeros_like(cells[:, :1])], dim=1)

        def decode(cells):
            return torch.nn.functional.interpolate(cells[:, :3], scale_factor=8).movedim(1, -1).clamp(0.0, 1.0)

        made = copy.copy(vae)
        made.encode, made.decode = encode, decode
        return (made,)


class RaisingText:
    """A text as it is, but an error for one with the word poison in it."""

    CATEGORY, FUNCTION, RETURN_TYPES = "latent repaint/tests", "check", ("STRING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": ""})}}

    def check(self, text):
        if "poison" in text:
            raise ValueError("this text cannot be used: poison")
        return (text,)


class SmallSeed:
    """A text as it is, from a node whose seed goes to 99."""

    CATEGORY, FUNCTION, RETURN_TYPES = "latent repaint/tests", "check", ("STRING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seed": ("INT", {"default": 0, "min": 0, "max": 99}), "text": ("STRING", {"default": ""})}}

    def check(self, seed, text):
        return (text,)


NODE_CLASS_MAPPINGS = {
    "BatchWaitingModel": WaitingModel,
    "BatchAveragingVAE": AveragingVAE,
    "BatchRaisingText": RaisingText,
    "BatchSmallSeed": SmallSeed,
}
