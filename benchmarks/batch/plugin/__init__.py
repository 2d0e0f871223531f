"""Nodes for whoever measures or tests `batch/`: one that waits, and a text that raises."""

import time


class Wait:
    """A picture as it is, after so many seconds on the clock, and next to none of the processor."""

    CATEGORY, FUNCTION, RETURN_TYPES = "latent repaint/tests", "wait", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        seconds, seed = ("FLOAT", {"default": 1.0}), ("INT", {"default": 0, "max": 2**64 - 1})
        return {"required": {"image": ("IMAGE",), "mask": ("MASK",), "seconds": seconds, "seed": seed}}

    def wait(self, image, mask, seconds, seed):
        time.sleep(seconds)
        return (image,)


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


NODE_CLASS_MAPPINGS = {"BatchWait": Wait, "BatchRaisingText": RaisingText}
