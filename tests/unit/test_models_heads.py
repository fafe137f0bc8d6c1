import pytest
import torch

from models.heads.dpt import DPTHead, default_layers
from models.heads.linear import LinearHead
from models.registry import ModelConfig, build_model


@pytest.fixture(scope="module")
def encoder():
    config = ModelConfig(image_size=56, patch_size=8, embed_dim=32, depth=4, heads=2, size="tiny")
    return build_model(config).encoder


@pytest.fixture
def images():
    return torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))


def test_linear_head_maps_each_token_to_its_own_patch(encoder, images):
    head = LinearHead(encoder.embed_dim, 5, encoder.patch_size)
    (tokens,) = encoder.features(images)
    before = head(tokens)
    assert before.shape == (2, 5, 56, 56)
    tokens = tokens.clone()
    tokens[:, 9] += 1.0  # row 1, column 2 of a 7 x 7 grid
    changed = (head(tokens) != before).any(dim=1)
    inside = torch.zeros_like(changed)
    inside[:, 8:16, 16:24] = True
    assert not changed[~inside].any()
    assert changed[inside].float().mean() > 0.99


@pytest.mark.parametrize("side", [4, 7])
def test_dpt_head_gives_maps_of_image_size_for_even_and_odd_grids(side):
    head = DPTHead(32, 3, 16, width=16)
    features = [torch.randn(2, side**2, 32) for _ in range(4)]
    assert head(features).shape == (2, 3, side * 16, side * 16)


def test_dpt_head_reads_all_layers_and_trains_all_weights(encoder, images):
    head = DPTHead(encoder.embed_dim, 1, encoder.patch_size, width=16)
    features = [
        f.detach().requires_grad_() for f in encoder.features(images, default_layers(encoder.depth))
    ]
    head(features).square().mean().backward()
    assert all(f.grad.abs().sum() > 0 for f in features)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


def test_dpt_head_refuses_another_number_of_layers():
    with pytest.raises(ValueError, match="reads 4 layers, not 3"):
        DPTHead(32, 1, 16)([torch.zeros(1, 4, 32)] * 3)


@pytest.mark.parametrize(
    ("depth", "layers"), [(12, [2, 5, 8, 11]), (24, [5, 11, 17, 23]), (2, [0, 0, 0, 1])]
)
def test_default_layers_are_evenly_spread_and_end_at_the_last(depth, layers):
    assert default_layers(depth) == layers
