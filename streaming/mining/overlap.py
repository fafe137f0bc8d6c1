"""From where pixels go to where patches go.

A *flow* says where points of one view lie in the other. It is sampled on a square lattice over the
view (see `lattice`): float, shape (side, side, 2), x and y in pixels of the other view, NaN where
a point has no counterpart (occluded, unknown). Pixel centres have whole coordinates, so that a
view of 224 pixels reaches from -0.5 to 223.5.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@lru_cache(maxsize=8)
def lattice(view_size: int, patch_size: int, votes_per_side: int) -> NDArray[np.float32]:
    """Positions along one axis at which a flow is sampled.

    Args:
        view_size: side of a view in pixels, a multiple of `patch_size`.
        patch_size: side of a patch in pixels.
        votes_per_side: points along the side of each patch; `patch_size` makes them the pixels.

    Returns:
        read-only, shape (patches along a side * votes_per_side,), in pixels.
    """
    side = view_size // patch_size * votes_per_side
    step = patch_size / votes_per_side
    positions = ((np.arange(side) + 0.5) * step - 0.5).astype(np.float32)
    positions.flags.writeable = False
    return positions


def visible_share(
    flow_12: NDArray[np.floating], flow_21: NDArray[np.floating], view_size: int
) -> float:
    """Share of the points of a view that lie inside the other, 0-1, in the view where it is less.

    Finer than counting patches: a shift by half a patch can cost a row and a column of them.
    """
    low, high = np.float32(-0.5), np.float32(view_size - 0.5)
    inside = [((flow >= low) & (flow < high)).all(axis=-1) for flow in (flow_12, flow_21)]
    return min(float(np.count_nonzero(seen) / seen.size) for seen in inside)


@lru_cache(maxsize=8)
def identity_flow(view_size: int, patch_size: int, votes_per_side: int) -> NDArray[np.float32]:
    """The flow of views that are the same, read-only, shape (side, side, 2)."""
    positions = lattice(view_size, patch_size, votes_per_side)
    flow = np.stack(np.meshgrid(positions, positions), axis=-1)
    flow.flags.writeable = False
    return flow


_TIE_RANGE = 4096
"""A vote counts more than any distance between patches."""


def correspond(
    flow_12: NDArray[np.floating],
    flow_21: NDArray[np.floating],
    view_size: int,
    patch_size: int,
) -> NDArray[np.int16]:
    """Corresponding patches of two views by a vote of their points, both ways (MIMIC, 2023).

    Each point of a patch votes for the patch of the other view in which it lies, or for "out". A
    patch whose votes for "out" outnumber those for its best patch has no partner. For the others
    the votes of both directions are added up, and two patches correspond when each is the best of
    the other; so targets are unique, and exchanging the views gives the inverse.

    Args:
        flow_12: where the points of view 1 lie in view 2, shape (side, side, 2).
        flow_21: where the points of view 2 lie in view 1, shape (side, side, 2).
        view_size: side of the views in pixels.
        patch_size: side of a patch in pixels.

    Returns:
        shape (patches,): for each patch of view 1 in row-major order the patch of view 2, or -1.
    """
    across = view_size // patch_size
    votes_12, inside_1 = _votes(flow_12, across, patch_size)
    votes_21, inside_2 = _votes(flow_21, across, patch_size)
    score = (votes_12 + votes_21.T) * _TIE_RANGE - _distances(across)
    best_2 = score.argmax(axis=1)
    best_1 = score.argmax(axis=0)
    matched = inside_1 & inside_2[best_2] & (best_1[best_2] == np.arange(across * across))
    return np.where(matched, best_2, -1).astype(np.int16)


def overlap(correspondence: NDArray[np.int16]) -> float:
    """Share of the patches that have a partner, 0-1."""
    return float(np.count_nonzero(correspondence >= 0) / len(correspondence))


def _votes(
    flow: NDArray[np.floating], across: int, patch_size: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Votes (patches, patches), and whether a patch's best candidate beats "out" (patches,)."""
    patches = across * across
    framed = across + 2
    # A frame of one patch around the grid gathers the votes for "out"; fmax sends NaN there too.
    cell = flow * np.float32(1 / patch_size) + np.float32(0.5 / patch_size + 1)
    cell = np.fmin(np.fmax(cell, np.float32(0)), np.float32(framed - 0.5)).astype(np.int64)
    ballots = _voters(len(flow), across) + cell[..., 1] * framed + cell[..., 0]
    counts = np.bincount(ballots.ravel(), minlength=patches * framed**2)
    inner = counts.reshape(patches, framed, framed)[:, 1:-1, 1:-1]
    votes = inner.astype(np.int32).reshape(patches, patches)
    best = votes.max(axis=1)
    voters_of_patch = (len(flow) // across) ** 2
    out = voters_of_patch - votes.sum(axis=1)
    return votes, (best > 0) & (best >= out)


@lru_cache(maxsize=8)
def _voters(side: int, across: int) -> NDArray[np.int64]:
    """First ballot number of the patch that each lattice point belongs to, (side, side)."""
    patch = np.arange(side) // (side // across)
    return np.asarray((patch[:, None] * across + patch) * (across + 2) ** 2, np.int64)


@lru_cache(maxsize=8)
def _distances(across: int) -> NDArray[np.int32]:
    """Squared distance of each two patches of the grid; settles ties alike in both directions.

    A shift by half a patch splits the votes evenly between neighbours: the nearer one has it.
    """
    row, column = np.divmod(np.arange(across * across), across)
    squared = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2
    return np.asarray(np.minimum(squared, _TIE_RANGE - 1), np.int32)
