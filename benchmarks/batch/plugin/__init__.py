"""Nodes for whoever measures or tests `batch/`: a model that waits instead of computing, and a text that raises."""

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


NODE_CLASS_MAPPINGS = {"BatchWaitingModel": WaitingModel, "BatchRaisingText": RaisingText}
