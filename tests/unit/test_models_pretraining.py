import pytest
import timm
import torch
from pydantic import ValidationError

from models.masking import random_mask, visible_indices
from models.registry import DECODERS, ENCODERS, ModelConfig, build_model

TINY = {
    "image_size": 32,
    "patch_size": 8,
    "embed_dim": 64,
    "depth": 2,
    "heads": 4,
    "decoder_dim": 32,
    "decoder_depth": 2,
    "decoder_heads": 2,
}
KINDS = [("croco", "cosine"), ("croco", "rope"), ("mae", "cosine"), ("mae", "rope")]
every_kind = pytest.mark.parametrize(("objective", "positions"), KINDS)


def tiny(objective="croco", positions="cosine", seed=0):
    return build_model(ModelConfig(objective=objective, positions=positions, **TINY), seed)


def draw_views(count=4, seed=0):
    """Pairs that share content: view 2 is view 1 moved by a patch."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 12, 12, generator=generator)
    scene = torch.nn.functional.interpolate(coarse, size=48, mode="bilinear")
    return scene[:, :, :32, :32], scene[:, :, :32, 8:40]


def draw_mask(count=4, ratio=0.75, seed=1):
    return random_mask(count, 16, ratio, torch.Generator().manual_seed(seed))


@every_kind
def test_output_has_the_promised_shapes(objective, positions):
    loss, patches = tiny(objective, positions)(*draw_views(), draw_mask())
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert patches.shape == (4, 16, 192)


@every_kind
def test_weights_and_outputs_repeat_with_the_seed_whatever_was_drawn_before(objective, positions):
    first = tiny(objective, positions)
    torch.rand(1)
    second = tiny(objective, positions)
    other = tiny(objective, positions, seed=1)
    inputs = (*draw_views(), draw_mask())
    assert torch.equal(first(*inputs).patches, second(*inputs).patches)
    assert not torch.equal(first(*inputs).patches, other(*inputs).patches)


def test_initial_weights_are_xavier_uniform_and_tokens_normal():
    model = tiny("mae")
    weight = model.encoder.patch_embed.proj.weight
    bound = (6 / (192 + 64)) ** 0.5
    assert weight.abs().max() <= bound
    torch.testing.assert_close(weight.std(), torch.tensor(bound / 3**0.5), rtol=0.05, atol=0)
    for token in (model.encoder.cls_token, model.mask_token):
        assert 0.01 < token.std() < 0.03
    biases = [p for n, p in model.named_parameters() if n.endswith("bias")]
    assert biases
    assert all((bias == 0).all() for bias in biases)


@every_kind
def test_prediction_never_sees_masked_pixels(objective, positions):
    model = tiny(objective, positions)
    view_1, view_2 = draw_views()
    mask = draw_mask()
    hidden = mask.reshape(4, 1, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    repainted = torch.where(hidden, torch.tensor(5.0), view_1)
    before, after = (model(view, view_2, mask).patches for view in (view_1, repainted))
    assert torch.equal(before, after)


@pytest.mark.parametrize("positions", ["cosine", "rope"])
def test_only_croco_looks_at_view_2(positions):
    view_1, view_2 = draw_views()
    mask = draw_mask()
    for objective, looks in (("croco", True), ("mae", False)):
        model = tiny(objective, positions)
        before = model(view_1, view_2, mask).patches
        after = model(view_1, view_2.flip(-1), mask).patches
        assert torch.equal(before, after) != looks


@pytest.mark.parametrize("positions", ["cosine", "rope"])
def test_views_that_are_encoded_together_do_not_see_each_other(positions):
    model = tiny("croco", positions)
    view_1, view_2 = draw_views()
    visible = visible_indices(draw_mask(), view_1.device)
    packed_1, packed_2 = model.encoder.encode_pair(view_1, view_2, visible)
    torch.testing.assert_close(packed_1, model.encoder(view_1, visible))
    torch.testing.assert_close(packed_2, model.encoder(view_2))


@every_kind
def test_features_of_all_layers_end_in_the_encoding(objective, positions):
    encoder = tiny(objective, positions).encoder
    images, _ = draw_views()
    shallow, deep = encoder.features(images, [0, 1])
    patch_tokens = encoder(images)[:, encoder.prefix :]
    assert shallow.shape == deep.shape == (4, 16, encoder.embed_dim)
    assert encoder.grid == (4, 4)
    assert torch.equal(deep, patch_tokens)
    assert not torch.equal(shallow, deep)
    assert torch.equal(encoder.features(images)[0], deep)
    assert torch.equal(encoder.features(images, [-1, 0])[1], shallow)
    with pytest.raises(IndexError):
        encoder.features(images, [2])


@every_kind
def test_four_fixed_pairs_are_learnt_by_heart(objective, positions):
    model = tiny(objective, positions)
    inputs = (*draw_views(), draw_mask())
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, betas=(0.9, 0.95))
    warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=10)
    losses = []
    for _ in range(150):
        loss = model(*inputs).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        warm_up.step()
        losses.append(loss.item())
    # The mean of each patch alone, without any detail, would lose about 1.
    assert losses[0] > 1.0
    assert losses[-1] < 0.2


@every_kind
def test_reduced_precision_gives_finite_gradients_everywhere(objective, positions):
    model = tiny(objective, positions)
    inputs = (*draw_views(), draw_mask())
    exact = model(*inputs).loss
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(*inputs).loss
    loss.backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, exact, rtol=0.02, atol=0)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "positions"), [("croco", "cosine"), ("mae", "rope")])
def test_compiled_networks_give_the_same_losses_and_gradients(objective, positions):
    plain, compiled = tiny(objective, positions), tiny(objective, positions)
    # Traces forward and backward as every backend does, but needs no C++ compiler.
    step = torch.compile(compiled, backend="aot_eager")
    for seed in (1, 2):
        inputs = (*draw_views(), draw_mask(seed=seed))
        expected, actual = plain(*inputs).loss, step(*inputs).loss
        torch.testing.assert_close(actual, expected)
        expected.backward()
        actual.backward()
    for theirs, ours in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-6, rtol=1e-4)


@every_kind
def test_views_of_one_colour_give_finite_losses_and_gradients(objective, positions):
    model = tiny(objective, positions)
    flat = torch.zeros(2, 3, 32, 32)
    loss = model(flat, flat, draw_mask(2)).loss
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
def test_named_sizes_have_the_dimensions_of_timm(size):
    config = ModelConfig(size=size)
    with torch.device("meta"):
        in_timm = timm.create_model(f"vit_{size}_patch16_224", num_classes=0)
    dimensions = (in_timm.embed_dim, len(in_timm.blocks), in_timm.blocks[0].attn.num_heads)
    assert config.encoder == dimensions
    assert config.patch_count == in_timm.patch_embed.num_patches


@pytest.mark.parametrize("objective", ["croco", "mae"])
def test_named_dimensions_are_built_and_overridden_one_by_one(objective):
    named = build_model(ModelConfig(objective=objective, size="tiny"))
    assert (named.encoder.embed_dim, named.encoder.depth, named.encoder.heads) == ENCODERS["tiny"]
    assert named.decoder_embed.out_features == DECODERS["tiny"].dim
    assert len(named.decoder_blocks) == DECODERS["tiny"].depth
    shallow = build_model(ModelConfig(objective=objective, size="tiny", depth=3, decoder_depth=1))
    assert (shallow.encoder.embed_dim, shallow.encoder.depth) == (192, 3)
    assert len(shallow.decoder_blocks) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"image_size": 100}, "multiple of patch_size 16"),
        ({"embed_dim": 50, "heads": 2}, "encoder: 50 channels must be a multiple of 4"),
        ({"decoder_dim": 60, "decoder_heads": 16}, "decoder: 60 channels must be a multiple of 16"),
        ({"positions": "rope", "embed_dim": 24, "heads": 4}, "a multiple of 16 for 4 heads"),
        ({"size": "huge"}, "size"),
    ],
)
def test_dimensions_that_do_not_divide_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        ModelConfig(**wrong)
