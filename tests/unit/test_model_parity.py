"""Our networks against numbers of the reference networks with the same parameters."""

import json

import numpy as np
import pytest
import torch

from models.convert.croco import from_croco, to_croco
from models.convert.mae import from_mae, to_mae
from models.losses import masked_pixel_loss
from models.masking import visible_indices
from models.patches import patchify
from models.registry import ModelConfig, build_model

pytestmark = pytest.mark.shared_data

TINY = {
    "image_size": 64,
    "embed_dim": 48,
    "depth": 2,
    "heads": 4,
    "decoder_dim": 32,
    "decoder_depth": 2,
    "decoder_heads": 4,
}
TOLERANCE = 1e-5
CROCO_FILES = {"cosine": "croco_tiny_cosine.npz", "rope": "croco_tiny_rope100.npz"}


def read_vectors(path):
    arrays = {name: torch.from_numpy(np.asarray(a)) for name, a in np.load(path).items()}
    parameters = {n.removeprefix("param/"): a for n, a in arrays.items() if n.startswith("param/")}
    return parameters, arrays


def assert_near(actual, expected):
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max().item() <= TOLERANCE


@pytest.mark.parametrize("positions", ["cosine", "rope"])
def test_croco_predicts_and_loses_as_the_reference(shared_data, positions):
    parameters, vectors = read_vectors(shared_data / "vectors" / CROCO_FILES[positions])
    model = build_model(ModelConfig(objective="croco", positions=positions, **TINY))
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(from_croco(parameters), strict=True)
    with torch.no_grad():
        loss, prediction = model(vectors["img1"], vectors["img2"], vectors["mask"])
    assert_near(prediction, vectors["prediction"])
    assert_near(loss.double(), vectors["loss_norm_pix"])
    for name in ("encoder.pos_embed", "decoder_pos_embed"):
        assert (name in fresh) == (positions == "cosine")
        if name in fresh:
            assert_near(fresh[name], model.state_dict()[name])


@pytest.mark.parametrize("positions", ["cosine", "rope"])
def test_patches_and_loss_are_those_of_the_reference(shared_data, positions):
    _, vectors = read_vectors(shared_data / "vectors" / CROCO_FILES[positions])
    assert torch.equal(patchify(vectors["img1"], 16), vectors["target"])
    loss = masked_pixel_loss(vectors["prediction"], vectors["img1"], vectors["mask"], 16)
    assert_near(loss.double(), vectors["loss_norm_pix"])


def test_mae_encodes_predicts_and_loses_as_the_reference(shared_data):
    parameters, vectors = read_vectors(shared_data / "vectors" / "mae_tiny.npz")
    model = build_model(ModelConfig(objective="mae", **TINY))
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(from_mae(parameters), strict=True)
    mask = vectors["mask"].bool()
    images = vectors["img"]
    with torch.no_grad():
        loss, prediction = model(images, images, mask)
        latent = model.encoder(images, visible_indices(mask, images.device))
    assert_near(prediction, vectors["prediction"])
    assert_near(loss.double(), vectors["loss_norm_pix"])
    for name in ("encoder.pos_embed", "decoder_pos_embed"):
        assert_near(fresh[name], model.state_dict()[name])
    # The reference keeps visible patches in the order of its shuffle, we in that of the grid.
    shuffled = vectors["ids_restore"].argsort(dim=1)[:, : latent.shape[1] - 1]
    order = shuffled.argsort(dim=1)
    rows = torch.arange(len(order))[:, None]
    assert_near(latent[:, :1], vectors["latent"][:, :1])
    assert_near(latent[:, 1:], vectors["latent"][:, 1:][rows, order])


@pytest.mark.parametrize("name", ["croco_tiny_cosine", "croco_tiny_rope100", "mae_tiny"])
def test_parameters_survive_the_way_there_and_back(shared_data, name):
    parameters, _ = read_vectors(shared_data / "vectors" / f"{name}.npz")
    there, back = (from_mae, to_mae) if name == "mae_tiny" else (from_croco, to_croco)
    returned = back(there(parameters))
    assert returned.keys() == parameters.keys()
    assert all(torch.equal(returned[n], parameters[n]) for n in parameters)


@pytest.mark.parametrize(
    ("objective", "file", "there", "back"),
    [
        ("croco", "croco_v1_vitb_base_decoder_names.json", from_croco, to_croco),
        ("mae", "mae_vit_base_patch16_names.json", from_mae, to_mae),
    ],
)
def test_published_base_checkpoints_fit_strictly_both_ways(
    shared_data, objective, file, there, back
):
    shapes = json.loads((shared_data / "vectors" / file).read_text())
    generator = torch.Generator().manual_seed(0)
    published = {n: torch.rand(s, generator=generator) for n, s in shapes.items()}
    model = build_model(ModelConfig(objective=objective, size="base"))
    model.load_state_dict(there(published), strict=True)
    returned = back(model.state_dict())
    assert {n: list(v.shape) for n, v in returned.items()} == shapes
    assert all(torch.equal(returned[n], published[n]) for n in published)
