import pytest
import torch

from models.masking import place_tokens, random_mask, select_tokens, visible_indices

CPU = torch.device("cpu")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("patches", "ratio", "masked"), [(196, 0.9, 176), (196, 0.75, 147), (49, 0.5, 24), (4, 0.25, 1)]
)
def test_each_row_hides_the_same_number_of_patches(patches, ratio, masked):
    mask = random_mask(64, patches, ratio, generator())
    assert mask.dtype == torch.bool
    assert mask.shape == (64, patches)
    assert mask.sum(dim=1).unique().tolist() == [masked]


def test_masks_repeat_with_their_seed_and_differ_between_rows_and_seeds():
    first = random_mask(8, 49, 0.5, generator(3))
    assert torch.equal(first, random_mask(8, 49, 0.5, generator(3)))
    assert not torch.equal(first, random_mask(8, 49, 0.5, generator(4)))
    assert len(first.unique(dim=0)) == 8


def test_each_patch_is_hidden_equally_often():
    rows, ratio = 20_000, 0.75
    share = random_mask(rows, 16, ratio, generator()).double().mean(dim=0)
    standard_error = (ratio * (1 - ratio) / rows) ** 0.5
    assert (share - ratio).abs().max() < 5 * standard_error


def test_pairs_of_patches_are_hidden_independently_of_their_distance():
    rows = 20_000
    mask = random_mask(rows, 8, 0.5, generator()).double()
    together = (mask.T @ mask / rows)[~torch.eye(8, dtype=torch.bool)]
    expected = 4 * 3 / (8 * 7)  # choosing 4 of 8 without replacement
    assert (together - expected).abs().max() < 5 * (expected / rows) ** 0.5


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.99, 1.0])
def test_a_ratio_that_hides_nothing_or_all_is_refused(ratio):
    with pytest.raises(ValueError, match="of 16 patches"):
        random_mask(2, 16, ratio, generator())


def test_visible_indices_are_those_not_masked_in_order():
    mask = torch.tensor([[True, False, True, False], [False, True, True, False]])
    assert visible_indices(mask, CPU).tolist() == [[1, 3], [0, 3]]


def test_rows_that_hide_different_numbers_are_refused():
    mask = torch.tensor([[True, False], [True, True]])
    with pytest.raises(ValueError, match="same number"):
        visible_indices(mask, CPU)


def test_placed_tokens_stand_at_their_patch_and_the_filler_elsewhere():
    tokens = torch.randn(3, 16, 5, generator=generator())
    mask = random_mask(3, 16, 0.75, generator())
    indices = visible_indices(mask, CPU)
    visible = select_tokens(tokens, indices)
    assert visible.shape == (3, 4, 5)
    filler = torch.full((1, 1, 5), 7.0)
    placed = place_tokens(visible, indices, filler, 16)
    assert torch.equal(placed[~mask], tokens[~mask])
    assert (placed[mask] == 7.0).all()
