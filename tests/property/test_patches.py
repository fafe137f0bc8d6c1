import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.patches import patchify, unpatchify

sizes = st.integers(1, 5)


@given(batch=sizes, channels=sizes, rows=sizes, cols=sizes, patch_size=sizes)
def test_unpatchify_undoes_patchify(batch, channels, rows, cols, patch_size):
    shape = (batch, channels, rows * patch_size, cols * patch_size)
    images = torch.arange(torch.Size(shape).numel()).reshape(shape)
    patches = patchify(images, patch_size)
    assert patches.shape == (batch, rows * cols, patch_size**2 * channels)
    assert torch.equal(unpatchify(patches, patch_size, (rows, cols)), images)


@given(rows=sizes, cols=sizes, patch_size=sizes, data=st.data())
def test_a_patch_holds_its_pixels_by_row_column_channel(rows, cols, patch_size, data):
    row = data.draw(st.integers(0, rows * patch_size - 1))
    col = data.draw(st.integers(0, cols * patch_size - 1))
    channel = data.draw(st.integers(0, 2))
    images = torch.zeros(1, 3, rows * patch_size, cols * patch_size)
    images[0, channel, row, col] = 1.0
    (lit,) = patchify(images, patch_size).nonzero().tolist()
    patch = (row // patch_size) * cols + col // patch_size
    value = ((row % patch_size) * patch_size + col % patch_size) * 3 + channel
    assert lit == [0, patch, value]


@given(side=sizes, patch_size=sizes)
def test_a_square_grid_need_not_be_named(side, patch_size):
    images = torch.arange(side**2 * patch_size**2 * 3).reshape(
        1, 3, side * patch_size, side * patch_size
    )
    assert torch.equal(unpatchify(patchify(images, patch_size), patch_size), images)


def test_what_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="65x64 pixels do not divide into patches of 16"):
        patchify(torch.zeros(1, 3, 65, 64), 16)
    with pytest.raises(ValueError, match="6 patches do not form a square grid"):
        unpatchify(torch.zeros(1, 6, 12), 2)
    with pytest.raises(ValueError, match="6 patches do not fill a grid of 2x2"):
        unpatchify(torch.zeros(1, 6, 12), 2, (2, 2))
