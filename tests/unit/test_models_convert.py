import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.convert.croco import croco_config, from_croco, to_croco
from models.convert.mae import from_mae, to_mae
from models.convert.timm import from_timm, timm_arguments, to_timm
from models.registry import ModelConfig, build_model

TINY = {"image_size": 32, "patch_size": 8, "embed_dim": 64, "depth": 2, "heads": 4}
KINDS = [("croco", "cosine"), ("croco", "rope"), ("mae", "cosine"), ("mae", "rope")]
every_kind = pytest.mark.parametrize(("objective", "positions"), KINDS)


def trained_looking(objective, positions):
    """A network with no parameter left at zero or one."""
    model = build_model(ModelConfig(objective=objective, positions=positions, size="tiny", **TINY))
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return model


@every_kind
def test_timm_loads_the_encoder_strictly_and_gives_the_same_tokens(objective, positions):
    encoder = trained_looking(objective, positions).encoder
    in_timm = timm.create_model(**timm_arguments(encoder))
    in_timm.load_state_dict(to_timm(encoder), strict=True)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(
            in_timm.eval().forward_features(images), encoder(images), atol=1e-5, rtol=1e-5
        )


def test_a_stock_timm_model_takes_the_tiny_mae_encoder():
    encoder = build_model(ModelConfig(objective="mae", size="tiny")).encoder
    in_timm = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    in_timm.load_state_dict(to_timm(encoder), strict=True)
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        class_token = encoder(images)[:, 0]
        torch.testing.assert_close(in_timm.eval()(images), class_token, atol=1e-5, rtol=1e-5)


@every_kind
def test_parameters_return_from_timm_unchanged(objective, positions):
    encoder = trained_looking(objective, positions).encoder
    in_timm = timm.create_model(**timm_arguments(encoder))
    in_timm.load_state_dict(to_timm(encoder), strict=True)
    returned = from_timm(in_timm.state_dict(), encoder)
    state = encoder.state_dict()
    assert returned.keys() == state.keys()
    assert all(torch.equal(returned[n], state[n]) for n in state)


@every_kind
def test_published_names_and_back_change_nothing(objective, positions):
    state = trained_looking(objective, positions).state_dict()
    there, back = (to_croco, from_croco) if objective == "croco" else (to_mae, from_mae)
    returned = back(there(state))
    assert returned.keys() == state.keys()
    assert all(torch.equal(returned[n], state[n]) for n in state)


@given(block=st.integers(0, 400), part=st.sampled_from(["norm3.bias", "cross_attn.projq.weight"]))
def test_block_numbers_survive(block, part):
    name = f"dec_blocks.{block}.{part}"
    (ours,) = from_croco({name: torch.zeros(1)})
    assert ours.startswith(f"decoder_blocks.{block}.")
    assert list(to_croco({ours: torch.zeros(1)})) == [name]


@pytest.mark.parametrize("name", ["head.weight", "dec_blocks.0.norm4.weight", "module.mask_token"])
def test_unknown_names_are_refused(name):
    for convert in (from_croco, to_croco):
        with pytest.raises(ValueError, match=f"parameter {name} does not belong"):
            convert({name: torch.zeros(1)})


def test_mae_is_not_croco():
    state = trained_looking("mae", "cosine").state_dict()
    with pytest.raises(ValueError, match="does not belong"):
        from_croco(to_mae(state))


def test_croco_config_reads_the_dimensions_of_a_published_file():
    kwargs = {
        "img_size": 224,
        "enc_embed_dim": 1024,
        "enc_depth": 24,
        "enc_num_heads": 16,
        "dec_embed_dim": 768,
        "dec_depth": 12,
        "dec_num_heads": 12,
        "pos_embed": "RoPE100",
    }
    config = croco_config(kwargs)
    assert config.encoder == (1024, 24, 16)
    assert config.decoder == (768, 12, 12)
    assert config.positions == "rope"
    assert croco_config({}) == ModelConfig(objective="croco", size="base")
    with pytest.raises(ValueError, match="pos_embed learned"):
        croco_config({"pos_embed": "learned"})
