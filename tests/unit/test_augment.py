"""Augmentation: repeatable by record, both views moved alike, colours view by view."""

import torch

from trainer.augment import AugmentConfig, augment, uniforms

SEEDS = torch.tensor([3, 2**62, 0, 77])
PLAIN = AugmentConfig(brightness=0.0, contrast=0.0, saturation=0.0)


def images(size=24, count=4):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)


def test_uniforms_are_splitmix64_started_at_the_mixed_seed():
    word = (1 << 64) - 1

    def mix(x):
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & word
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & word
        return x ^ (x >> 31)

    expected = [
        [(mix((mix(seed) + k * 0x9E3779B97F4A7C15) & word) >> 40) / 2**24 for k in range(1, 6)]
        for seed in SEEDS.tolist()
    ]
    assert uniforms(SEEDS, 5).tolist() == expected


def test_uniforms_are_spread_evenly():
    draws = uniforms(torch.arange(2000), 8)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert torch.allclose(draws.mean(0), torch.tensor(0.5), atol=0.03)
    assert torch.allclose(draws.var(0), torch.tensor(1 / 12), atol=0.01)


def test_a_record_is_changed_alike_in_whatever_batch_it_comes():
    config = AugmentConfig(crop_area_min=0.3, flip_probability=0.5)
    view_1, view_2 = images(), images()
    whole = augment(view_1, view_2, SEEDS, 16, config)
    single = augment(view_1[2:3], view_2[2:3], SEEDS[2:3], 16, config)
    assert torch.equal(whole[0][2:3], single[0])
    assert torch.equal(whole[1][2:3], single[1])
    assert whole[0].shape == (4, 3, 16, 16)
    assert whole[0].dtype == torch.uint8


def test_crop_and_flip_are_shared_by_both_views_and_differ_between_records():
    same = images(count=1).expand(4, -1, -1, -1)
    config = PLAIN.model_copy(update={"crop_area_min": 0.2, "flip_probability": 0.5})
    one, two = augment(same, same, SEEDS, 24, config)
    assert torch.equal(one, two)
    assert len({tuple(image.flatten().tolist()) for image in one}) == 4


def test_colours_differ_between_the_views_and_keep_the_picture():
    view = images()
    one, two = augment(view, view, SEEDS, 24, AugmentConfig())
    assert not torch.equal(one, two)
    flat = torch.stack([view.float().flatten(), one.float().flatten()])
    assert torch.corrcoef(flat)[0, 1] > 0.7


def test_always_flipping_mirrors():
    view = images()
    config = PLAIN.model_copy(update={"flip_probability": 1.0})
    flipped, _ = augment(view, view, SEEDS, 24, config)
    assert (flipped.int() - view.flip(-1).int()).abs().max() <= 1


def test_without_changes_views_are_only_resized():
    view = images()
    assert augment(view, view, SEEDS, 24, PLAIN)[0] is view
    flat = torch.full((4, 3, 24, 24), 200, dtype=torch.uint8)
    assert torch.equal(augment(flat, flat, SEEDS, 8, PLAIN)[0], flat[..., :8, :8])
