"""Lets torchvision be imported beside a torch that cannot load its C++ library.

pip may pair a CPU build of torch with a torchvision built for CUDA. Such a torchvision stops on import, because it
registers Python companions for two operators that its library would have declared. Everything ComfyUI uses of it for
images is written in Python, so declaring the two operators is enough.
"""

import sys

NMS_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def cure_torchvision() -> None:
    """Declare torchvision's operators where, and only where, torchvision cannot do so itself."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        import torch

        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        torch.library.define("torchvision::nms", NMS_SCHEMA)
        torch.library.define("torchvision::qnms", NMS_SCHEMA)
