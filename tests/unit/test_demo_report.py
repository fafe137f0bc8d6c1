"""The report is one file that needs no other."""

import itertools
import re

import numpy as np

from monitoring.funnel import SourceFunnel
from pairstream.demo.report import PairPicture, ReportData, smooth, write_report
from trainer.evaluation.pictures import ReconstructionPicture
from trainer.evaluation.scores import Measurement, compare

PICTURE = np.full((16, 32, 3), 90, np.uint8)


def score(trained, random):
    """A score of four samples from two scenes, twice."""

    def measurement(value):
        values = value + np.array([-0.01, 0.01, -0.02, 0.02])
        scenes = np.array([0, 0, 1, 1])
        return Measurement("accuracy", "", True, values, scenes, chance=0.125)

    return compare(
        "correspondence",
        [measurement(trained), measurement(trained + 0.01)],
        [measurement(random), measurement(random + 0.01)],
    )


def data(**changes):
    funnel = SourceFunnel(frames=9, accepted=3)
    funnel.rejected.update({"overlap_too_low": 5, "no_model": 2})
    values = {
        "title": "Rooms <script>alert(1)</script>",
        "facts": [("pairs", "3")],
        "funnels": [("all sources", funnel), ("room & hall", funnel)],
        "pairs": [PairPicture(PICTURE, "room at 1.00 s")],
        "losses": [(1, 1.0), (2, 0.5)],
        "pairs_in_log": [(0.0, 0), (1.0, 3)],
        "reconstructions": [ReconstructionPicture(PICTURE, PICTURE, PICTURE, PICTURE)],
        "scores": [],
        "score_notes": ["mean over 2 seeds"],
    }
    return ReportData(**(values | changes))


def test_the_page_holds_everything_itself(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, data())
    page = path.read_text()
    assert page.count("data:image/jpeg;base64,") == 5
    assert page.count("<svg") == 2
    addresses = re.findall(r"(?:src|href)=\"(?!data:|#)([^\"]+)", page)
    assert addresses == []


def test_names_of_sources_are_text_not_markup(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, data())
    page = path.read_text()
    assert "<script>alert" not in page
    assert "room &amp; hall" in page


def test_counts_and_shares_of_the_funnel_are_shown(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, data())
    page = path.read_text()
    assert "3 (30 %)" in page
    assert "5 (50 %)" in page
    assert "overlap too low" in page


def test_scores_stand_beside_the_random_ones(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, data(scores=[score(0.8, 0.3)]))
    row = re.search(r"<tr><td>correspondence.*?</tr>", path.read_text(), re.DOTALL)[0]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
    assert cells[2:] == ["0.8050", "0.3050", "0.1250", "better"]


def test_smoothing_starts_at_the_first_value_and_follows():
    assert smooth([2.0, 2.0, 2.0]) == [2.0, 2.0, 2.0]
    falling = smooth([1.0] + [0.0] * 50)
    assert falling[0] == 1.0
    assert all(a > b for a, b in itertools.pairwise(falling))
    assert falling[-1] < 0.02
