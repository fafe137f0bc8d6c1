"""Runs the tasks on a trained model and on the same network from random initialisation."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from models.registry import build_model
from trainer.config import check_mask_ratio
from trainer.evaluation.config import TaskName
from trainer.evaluation.datasets.arrays import LabelledViews
from trainer.evaluation.datasets.synthetic import Part, labelled_views, matched_pairs
from trainer.evaluation.scores import Measurement, Score, compare
from trainer.evaluation.tasks.correspondence import CorrespondenceTask
from trainer.evaluation.tasks.depth import DepthTask
from trainer.evaluation.tasks.reconstruction import ReconstructionTask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from models.pretraining import PretrainingModel
    from models.registry import ModelConfig
    from trainer.evaluation.config import EvalConfig
    from trainer.evaluation.datasets.arrays import MatchedPairs, ViewPairs
    from trainer.evaluation.pictures import ReconstructionPicture


class Task(Protocol):
    """Scores one model at a time."""

    @property
    def name(self) -> TaskName:
        """Its name."""
        ...

    @property
    def deterministic(self) -> bool:
        """Whether `measure` gives the same for every seed."""
        ...

    def measure(self, model: PretrainingModel, seed: int) -> list[Measurement]:
        """Scores a model: the same samples, seed and budget whatever the model.

        The model is left as it was.
        """
        ...


@dataclass(frozen=True, slots=True)
class EvalReport:
    """What an evaluation found.

    Attributes:
        scores: by task and metric, in the order of the tasks.
        pictures: reconstructions by the trained model; empty without that task.
        seconds: wall-clock time of the whole evaluation.
    """

    scores: tuple[Score, ...]
    pictures: tuple[ReconstructionPicture, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Scores and time, ready for `json.dumps`; without the pictures."""
        return {"scores": [score.as_json() for score in self.scores], "seconds": self.seconds}


def evaluate(
    model: PretrainingModel,
    model_config: ModelConfig,
    config: EvalConfig,
    *,
    cache_dir: Path,
    pairs: ViewPairs | None = None,
    on_progress: Callable[[str], None] = lambda _line: None,
) -> EvalReport:
    """Scores a model beside random initialisations of its architecture.

    Args:
        model: the trained model, on any device; left as it was.
        model_config: what it was built from.
        config: tasks and budget.
        cache_dir: where rendered data is kept.
        pairs: held-out pairs for the reconstruction, of the model's image size; without them
            rendered ones serve.
        on_progress: told in a line what is done next.

    Raises:
        ConfigError: the masks of the reconstruction do not go with the model.
    """
    if TaskName.RECONSTRUCTION in config.tasks:
        check_mask_ratio(
            "reconstruction.mask_ratio", config.reconstruction.mask_ratio, model_config
        )
    start = time.monotonic()
    data = _Data(model_config, config, cache_dir, pairs, on_progress)
    device = next(model.parameters()).device
    scores: list[Score] = []
    pictures: list[ReconstructionPicture] = []
    for name in config.tasks:
        task = data.task(name)
        on_progress(f"{name}: {config.repeats} x trained and random")
        scores += score_task(
            task,
            model,
            random_model=lambda seed: build_model(model_config, seed).to(device),
            seeds=repeat_seeds(config.seed, config.repeats),
        )
        if isinstance(task, ReconstructionTask):
            pictures += task.pictures(model, repeat_seeds(config.seed, 1)[0])
    return EvalReport(tuple(scores), tuple(pictures), time.monotonic() - start)


def score_task(
    task: Task,
    model: PretrainingModel,
    random_model: Callable[[int], PretrainingModel],
    seeds: Sequence[int],
) -> list[Score]:
    """Measures both models with each seed and compares metric by metric.

    Args:
        task: what to measure.
        model: the trained model.
        random_model: builds a random initialisation from a seed.
        seeds: one a repeat.
    """
    if task.deterministic:
        trained = [task.measure(model, seeds[0])] * len(seeds)
    else:
        trained = [task.measure(model, seed) for seed in seeds]
    baseline = [task.measure(random_model(seed), seed) for seed in seeds]
    return [
        compare(task.name, of_trained, of_baseline)
        for of_trained, of_baseline in zip(
            zip(*trained, strict=True), zip(*baseline, strict=True), strict=True
        )
    ]


def repeat_seeds(seed: int, repeats: int) -> list[int]:
    """Seeds of the repeats, unlike those that trainings are started with."""
    states = np.random.SeedSequence([seed, 0xE7A1]).generate_state(repeats, np.uint32)
    return [int(state) for state in states]


class _Data:
    """Makes tasks, and renders no data that the tasks asked for do not need."""

    def __init__(
        self,
        model_config: ModelConfig,
        config: EvalConfig,
        cache_dir: Path,
        pairs: ViewPairs | None,
        on_progress: Callable[[str], None],
    ) -> None:
        self._model_config = model_config
        self._config = config
        self._cache_dir = cache_dir
        self._pairs = pairs
        self._matched: MatchedPairs | None = None
        self._on_progress = on_progress

    def task(self, name: TaskName) -> Task:
        match name:
            case TaskName.RECONSTRUCTION:
                pairs = self._pairs if self._pairs is not None else self._rendered_pairs().pairs
                return ReconstructionTask(pairs, self._config)
            case TaskName.CORRESPONDENCE:
                return CorrespondenceTask(self._rendered_pairs(), self._config)
            case TaskName.DEPTH:
                return self._depth_task()

    def _rendered_pairs(self) -> MatchedPairs:
        if self._matched is None:
            self._on_progress(f"data: {self._config.data.pairs} pairs of held-out rooms")
            self._matched = matched_pairs(
                self._config.data.pairs,
                self._model_config.image_size,
                self._model_config.patch_size,
                self._cache_dir,
            )
        return self._matched

    def _depth_task(self) -> DepthTask:
        pairs = self._rendered_pairs()
        counts = {
            Part.LABELLED: self._config.data.labelled_views,
            Part.VALIDATION: self._config.data.validation_views,
        }
        self._on_progress(f"data: {sum(counts.values())} views with depth of held-out rooms")
        labelled, validation = (
            labelled_views(part, count, self._model_config.image_size, self._cache_dir)
            for part, count in counts.items()
        )
        test = LabelledViews(pairs.pairs.view_1, pairs.depths_m, pairs.pairs.scenes)
        return DepthTask(labelled, validation, test, self._config)
