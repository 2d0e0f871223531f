"""A node that counts what is alive in the host's process. Only the endurance run loads it."""

import gc
import sys

import torch
from server import PromptServer


def size(root: object) -> int:
    """The bytes of a structure of dictionaries, lists, tuples and what is in them; what is in it twice counts once."""
    sizes, waiting = {}, [root]
    while waiting:
        found = waiting.pop()
        if id(found) in sizes:
            continue
        sizes[id(found)] = sys.getsizeof(found)
        if isinstance(found, dict):
            waiting += [*found, *found.values()]
        elif isinstance(found, (list, tuple)):
            waiting += found
    return sum(sizes.values())


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
        history = sum(map(size, PromptServer.instance.prompt_queue.history.values()))
        return {"ui": {"tensors": [len(alive)], "bytes": [sum(storages.values())], "history": [history]}}


NODE_CLASS_MAPPINGS = {"TensorCensus": TensorCensus}
