import math

import torch

from models.positions import Rotation, pack_rotations, rotary_angles, sine_cosine_embedding


def test_sine_cosine_embedding_follows_its_formula():
    dim, rows, cols = 8, 2, 3
    embedding = sine_cosine_embedding(dim, rows, cols)
    assert embedding.shape == (6, dim)
    row, col = 1, 2
    frequencies = [1.0, 10_000**-0.5]
    expected = [
        *(math.sin(col * f) for f in frequencies),
        *(math.cos(col * f) for f in frequencies),
        *(math.sin(row * f) for f in frequencies),
        *(math.cos(row * f) for f in frequencies),
    ]
    torch.testing.assert_close(embedding[row * cols + col], torch.tensor(expected))


def test_tokens_before_the_patches_stand_nowhere():
    assert (sine_cosine_embedding(8, 2, 2, prefix=1)[0] == 0).all()
    assert (rotary_angles(8, 2, 2, prefix=1)[0] == 0).all()


def test_rotation_keeps_lengths_and_sees_only_the_difference_of_positions():
    rows = cols = 5
    rotation = Rotation.of(rotary_angles(16, rows, cols)[None])
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 16, generator=generator).expand(2, 1, 1, 25, 16)
    turned_query, turned_key = rotation(query), rotation(key)
    torch.testing.assert_close(turned_query.norm(dim=-1), query.norm(dim=-1))
    scores = (turned_query @ turned_key.transpose(-2, -1))[0, 0].reshape(5, 5, 5, 5)
    torch.testing.assert_close(scores[0, 0, 1, 2], scores[3, 2, 4, 4])
    torch.testing.assert_close(scores[2, 3, 0, 1], scores[4, 4, 2, 2])
    assert (scores[0, 0, 1, 2] - scores[0, 0, 2, 1]).abs() > 1e-3


def test_packed_rotations_turn_each_sequence_by_its_own_positions():
    angles = rotary_angles(8, 3, 3)
    chosen = torch.tensor([[0, 4], [8, 2]])
    part, whole = Rotation.of(angles[chosen]), Rotation.of(angles[None])
    heads = torch.randn(2, 3, 11, 8, generator=torch.Generator().manual_seed(0))
    packed = pack_rotations([part, whole])(heads)
    assert torch.equal(packed[:, :, :2], part(heads[:, :, :2]))
    assert torch.equal(packed[:, :, 2:], whole(heads[:, :, 2:]))
