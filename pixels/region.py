"""Rectangles, and which part of a picture a mask concerns."""

from dataclasses import dataclass

import torch
from scipy import ndimage
from torch import Tensor

from ..checks import FLOOR


@dataclass(frozen=True)
class Box:
    """The pixels top <= y < bottom, left <= x < right."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def grown(self, pixels: int) -> "Box":
        return Box(self.top - pixels, self.left - pixels, self.bottom + pixels, self.right + pixels)

    def within(self, height: int, width: int) -> "Box":
        """The part of the box that lies in a picture of that size."""
        return Box(max(self.top, 0), max(self.left, 0), min(self.bottom, height), min(self.right, width))

    def united(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def of(self, x: Tensor) -> Tensor:
        """The view of an image (B, H, W, C) or mask (B, H, W) that the box cuts out; the box lies in the picture."""
        return x[:, self.top : self.bottom, self.left : self.right]

    def of_one(self, x: Tensor) -> Tensor:
        """The same of a single image (H, W, C) or mask (H, W)."""
        return x[self.top : self.bottom, self.left : self.right]

    def seen_from(self, other: "Box") -> "Box":
        """The same pixels, counted from the other box's corner."""
        return Box(self.top - other.top, self.left - other.left, self.bottom - other.top, self.right - other.left)


def bounding_box(mask: Tensor) -> Box | None:
    """The smallest box around all masked pixels of all masks (B, H, W), or None if nothing is masked."""
    masked = mask > FLOOR
    rows, columns = (masked.any(axis).any(0).nonzero() for axis in (2, 1))
    if not len(rows):
        return None
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def distance_to_mask(mask: Tensor) -> Tensor:
    """Euclidean distance in pixels to the nearest masked pixel of (B, H, W), 0 on the mask; exact, SciPy's transform.

    A picture without any masked pixel is infinitely far from one.
    """
    far = torch.full(mask.shape, torch.inf)
    for distance, masked in zip(far, (mask > FLOOR).cpu(), strict=True):
        if masked.any():
            distance.copy_(torch.from_numpy(ndimage.distance_transform_edt(~masked.numpy())))
    return far.to(mask.device)


def fill_holes(mask: Tensor) -> Tensor:
    """The mask (B, H, W) with everything that it encloses set to 1."""
    filled = [torch.from_numpy(ndimage.binary_fill_holes(m.numpy())) for m in (mask > FLOOR).cpu()]
    enclosed = torch.stack(filled).to(mask.device) & (mask <= FLOOR)
    return torch.where(enclosed, 1.0, mask)
