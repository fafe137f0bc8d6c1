"""What a model saw and what it made of it, as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ReconstructionPicture:
    """One reconstruction; all pictures are uint8 RGB of the same shape (height, width, 3).

    Attributes:
        masked: view 1 with its masked patches greyed out.
        view_2: the other view, whole.
        reconstructed: view 1 with its masked patches filled in by the model.
        target: view 1.
    """

    masked: NDArray[np.uint8]
    view_2: NDArray[np.uint8]
    reconstructed: NDArray[np.uint8]
    target: NDArray[np.uint8]
