"""The parts of mining by themselves."""

import numpy as np
import pytest

from streaming.errors import ConfigError, RecordError
from streaming.mining.config import MiningConfig
from streaming.mining.draw import draw_correspondences
from streaming.mining.features import extract, match
from streaming.mining.geometry import Homography, estimate_homography
from streaming.mining.search import GapSearch
from streaming.mining.verdict import Figures, Reason, Rejection
from streaming.mining.views import decode_view, encode_jpeg, make_view
from streaming.records import CropBox, Features
from streaming.settings import load_settings
from tests.mining_scenes import about_centre, shift, texture, window


class TestConfig:
    def test_profiles_differ_and_have_fingerprints(self):
        assert MiningConfig().fingerprint() == MiningConfig().fingerprint()
        assert MiningConfig(profile="mimic").fingerprint() != MiningConfig().fingerprint()
        mimic = MiningConfig(profile="mimic")
        assert (mimic.ratio, mimic.min_matches, mimic.overlap_max) == (0.7, 11, 0.75)

    def test_a_setting_goes_over_its_profile(self):
        config = load_settings(
            MiningConfig,
            overrides=["profile=mimic", "ratio=0.75", "quality.luminance_min=9"],
        )
        assert config.ratio == 0.75
        assert config.overlap_max == 0.75
        assert config.quality.luminance_min == 9
        assert config.quality.sharpness_min == 0

    @pytest.mark.parametrize(
        "override",
        ["patch_size=17", "overlap_min=0.8", "first_gap_s=9", "patch_size=4", "quality=blurred"],
    )
    def test_what_does_not_fit_together_is_refused(self, override):
        with pytest.raises(ConfigError):
            load_settings(MiningConfig, overrides=[override])


class TestViews:
    def test_a_crop_is_squashed(self):
        image = np.zeros((100, 200, 3), np.uint8)
        image[:, 100:] = (200, 100, 50)
        view = make_view(image, CropBox(100, 0, 200, 100), 64)
        assert view.shape == (64, 64, 3)
        assert (view == (200, 100, 50)).all()

    def test_jpeg_keeps_the_order_of_colours(self):
        view = np.full((64, 64, 3), (200, 100, 50), np.uint8)
        back = decode_view(encode_jpeg(view, 95))
        assert np.abs(back.astype(int) - view).max() <= 2

    def test_what_is_no_picture_is_refused(self):
        with pytest.raises(RecordError) as caught:
            decode_view(b"no picture")
        assert caught.value.reason == "bad_jpeg"


class TestFeatures:
    def test_descriptors_have_unit_length(self):
        features = extract(window(texture(1), 0, 0), MiningConfig(max_keypoints=200))
        assert 100 < len(features) <= 200
        assert features.descriptors.shape == (len(features), 128)
        assert np.allclose(np.linalg.norm(features.descriptors, axis=1), 1.0, atol=1e-5)

    def test_a_flat_view_has_none(self):
        features = extract(np.full((224, 224, 3), 90, np.uint8), MiningConfig())
        assert len(features) == 0
        assert len(match(features, features, 0.8)) == 0


class TestMatching:
    @staticmethod
    def features(points, directions):
        descriptors = np.zeros((len(points), 128), np.float32)
        descriptors[np.arange(len(points)), directions] = 1.0
        return Features(np.array(points, np.float32), descriptors)

    def test_mutual_neighbours(self):
        first = self.features([(0, 0), (10, 0), (20, 0)], [0, 1, 2])
        second = self.features([(5, 5), (15, 5), (25, 5)], [2, 0, 7])
        assert match(first, second, 0.8).tolist() == [[0, 1], [2, 0]]

    def test_an_ambiguous_match_is_dropped(self):
        first = self.features([(0, 0), (10, 0)], [0, 1])
        second = self.features([(5, 5), (15, 5), (25, 5)], [0, 0, 1])
        assert match(first, second, 0.8).tolist() == [[1, 2]]

    def test_one_match_for_two_places(self):
        first = self.features([(0, 0), (0.2, 0.1), (10, 0)], [0, 1, 2])
        second = self.features([(5, 5), (5.1, 5), (25, 5)], [0, 1, 2])
        assert match(first, second, 0.8).tolist() == [[0, 0], [2, 2]]


class TestGeometry:
    def test_outliers_do_not_move_the_model(self):
        rng = np.random.default_rng(0)
        points = rng.uniform(0, 224, (80, 2)).astype(np.float32)
        moved = points + np.float32([30, -12])
        moved[:25] = rng.uniform(0, 224, (25, 2))
        model = estimate_homography(points, moved, MiningConfig())
        assert model is not None
        assert np.allclose(model.homography, shift(30, -12), atol=1e-3)
        assert model.inliers[25:].all()
        again = estimate_homography(points, moved, MiningConfig())
        assert again is not None
        assert again.homography.tobytes() == model.homography.tobytes()

    def test_too_little_to_fit(self):
        few = np.zeros((3, 2), np.float32)
        assert estimate_homography(few, few, MiningConfig()) is None
        point = np.zeros((20, 2), np.float32)
        assert estimate_homography(point, point, MiningConfig()) is None

    @pytest.mark.parametrize(
        ("matrix", "possible"),
        [
            (np.eye(3), True),
            (about_centre(np.diag([2.5, 2.5, 1])), True),
            (about_centre(np.diag([-1.0, 1, 1])), False),
            (about_centre(np.diag([9.0, 9, 1])), False),
            (about_centre(np.diag([0.1, 0.2, 1])), False),
            (np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]]), False),
        ],
        ids=["same", "nearer", "mirrored", "enlarged", "shrunk", "behind the camera"],
    )
    def test_impossible_models(self, matrix, possible):
        assert Homography(matrix, np.ones(4, np.bool_)).is_possible(224) is possible


class TestSearch:
    GAPS_S = tuple(0.25 * (index + 1) for index in range(32))

    def gaps_tried(self, overlap_at, config=None, search=None):
        """Gaps proposed for one frame when the overlap of a candidate depends on its gap."""
        config = config or MiningConfig()
        search = search or GapSearch(config)
        probe = search.probe(self.GAPS_S)
        tried = []
        while (index := probe.propose()) is not None:
            tried.append(self.GAPS_S[index])
            share = overlap_at(tried[-1])
            if config.overlap_min <= share <= config.overlap_max:
                probe.accept(index)
                return tried, search
            high = share > config.overlap_max
            reason = Reason.OVERLAP_TOO_HIGH if high else Reason.OVERLAP_TOO_LOW
            probe.reject(index, Rejection(reason, Figures(overlap=share)))
        return tried, search

    @pytest.mark.parametrize("share_a_s", [0.06, 0.1, 0.4, 1.2])
    def test_it_finds_the_gap_and_begins_there_next_time(self, share_a_s):
        tried, search = self.gaps_tried(lambda gap_s: 1 - share_a_s * gap_s)
        assert len(tried) <= 3
        assert 0.3 <= share_a_s * tried[-1] <= 0.5
        again, _ = self.gaps_tried(lambda gap_s: 1 - share_a_s * gap_s, search=search)
        assert again == tried[-1:]

    def test_it_never_tries_a_gap_twice_nor_too_many(self):
        tried, _ = self.gaps_tried(lambda gap_s: 0.9 if gap_s < 1.1 else 0.1)
        assert len(set(tried)) == len(tried) <= 4

    def test_a_still_camera_costs_one_candidate_a_frame(self):
        _, search = self.gaps_tried(lambda _: 1.0)
        tried, _ = self.gaps_tried(lambda _: 1.0, search=search)
        assert tried == [8.0]

    def test_without_earlier_frames_there_is_no_candidate(self):
        assert GapSearch(MiningConfig()).probe([]).propose() is None

    def test_hopeless_frames_end_the_search(self):
        probe = GapSearch(MiningConfig()).probe(self.GAPS_S)
        index = probe.propose()
        assert index is not None
        probe.reject(index, Rejection(Reason.TOO_FEW_KEYPOINTS, Figures()))
        assert probe.propose() is None


def test_partners_share_a_colour():
    grey = np.full((64, 64, 3), 100, np.uint8)
    correspondence = np.full(16, -1, np.int16)
    correspondence[[5, 6]] = [10, 9]
    picture = draw_correspondences(grey, grey, correspondence, 16)
    assert picture.shape == (64, 136, 3)
    assert picture.dtype == np.uint8

    def corner(patch, offset):
        row, column = divmod(patch, 4)
        return picture[row * 16 + 1, offset + column * 16 + 1].tolist()

    assert corner(5, 0) == corner(10, 72)
    assert corner(6, 0) == corner(9, 72)
    assert corner(5, 0) != corner(6, 0)
    assert max(corner(0, 0)) < 50, "no partner: dimmed"
    assert (picture[:, 64:72] == 255).any()
