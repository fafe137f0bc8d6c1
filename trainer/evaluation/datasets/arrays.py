"""The nouns of evaluation data: pictures with their truth, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LabelledViews:
    """Views with their depth.

    Attributes:
        images: uint8 RGB, shape (n, height, width, 3).
        depths_m: float32, shape (n, height, width), metres along the optical axis; 0 is unknown.
        scenes: int64, shape (n,): number of the room of each.
    """

    images: NDArray[np.uint8]
    depths_m: NDArray[np.float32]
    scenes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ViewPairs:
    """Two views of one scene each.

    Attributes:
        view_1: uint8 RGB, shape (n, height, width, 3).
        view_2: the same of the other views.
        scenes: int64, shape (n,): number of the room or source of each.
    """

    view_1: NDArray[np.uint8]
    view_2: NDArray[np.uint8]
    scenes: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.view_1)


@dataclass(frozen=True, slots=True)
class MatchedPairs:
    """Pairs with known geometry.

    Attributes:
        pairs: the views.
        correspondence: int16, shape (n, patches): for each patch of view 1 in row-major order the
            patch of view 2 that shows the same place, or -1.
        depths_m: float32, shape (n, height, width), of the first views; 0 is unknown.
    """

    pairs: ViewPairs
    correspondence: NDArray[np.int16]
    depths_m: NDArray[np.float32]
