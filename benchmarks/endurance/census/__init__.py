"""A node that counts the tensors which are alive in the host's process. Only the endurance run loads it."""

import gc

import torch


class TensorCensus:
    INPUT_TYPES = classmethod(lambda cls: {"required": {"after": ("INT", {"default": 0})}})
    RETURN_TYPES = ()
    FUNCTION = "count"
    CATEGORY = "testing"
    OUTPUT_NODE = True

    def count(self, after: int) -> dict:
        gc.collect()
        alive = [found for found in gc.get_objects() if type(found) is torch.Tensor]
        storages = {found.untyped_storage().data_ptr(): found.untyped_storage().nbytes() for found in alive}
        return {"ui": {"tensors": [len(alive)], "bytes": [sum(storages.values())]}}


NODE_CLASS_MAPPINGS = {"TensorCensus": TensorCensus}
