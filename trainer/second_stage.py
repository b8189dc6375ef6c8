"""The stage of a run in which `lora` goes on with preferences, and the decision whether that is kept.

Killed, it starts from its beginning: what is finished has a marker, as every adapter of a run has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import structlog

from config.kinship import Embed
from config.prompts import build_prompt
from config.rungs import Rung
from config.sentences import Note
from trainer.dataset import Split, TrainingExample
from trainer.errors import StopReason
from trainer.evaluate import Candidate, UnseenPair, evaluate
from trainer.metrics import Scorecard
from trainer.preferences import PreferencePair, PreferenceSides, Share, count_right, place_preferences, weigh
from trainer.promotion import Policy
from trainer.recipe import Recipe
from trainer.registry import Frozen
from trainer.train import PairRow, Progress, TrainedAdapter
from trainer.train_preferences import train_preferences
from trainer.workspace import read_value, write_value

log = structlog.get_logger()

RUNG = Rung.LORA_PREFERENCES


def choose_preferences(
    preferred: Sequence[tuple[PreferencePair, Collection[str]]],
    split: Split,
    examples: Sequence[TrainingExample],
    recipe: Recipe,
    *,
    has_labels: bool,
    is_short: Callable[[PreferencePair], bool],
    embed: Embed,
) -> PreferenceSides:
    """What the second stage learns from and is measured on; nothing where there is none: too few preferences that are
    short enough to train on, or a style that classifies, whose examples say it all."""
    least = recipe.preferences.min_pairs
    if has_labels or not 0 < least <= len(preferred) or "lora" not in recipe.rungs.tuned:
        return PreferenceSides()
    preferred = [(pair, examples) for pair, examples in preferred if is_short(pair)]
    by_id = {example.example_id: example for example in examples}
    sides = place_preferences(
        preferred, train=[by_id[one] for one in split.train],
        judging=[by_id[one] for one in (*split.validation, *split.test)],
        near_duplicate=recipe.splits.near_duplicate, embed=embed,
    )  # fmt: skip
    return sides if len(sides.train) >= least else PreferenceSides()


def go_on_with_preferences(
    lora: TrainedAdapter,
    frozen: Frozen,
    recipe: Recipe,
    *,
    base_path: Path,
    work: Path,
    rows_validation: list[PairRow],
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], StopReason | None],
) -> TrainedAdapter:
    """The adapter of the second stage; what an earlier attempt finished is used. Raises as `train_preferences`."""
    marker, out_dir = work / f"{RUNG.value}.json", work / "adapters" / RUNG.value
    earlier = read_value(marker)
    if earlier is not None:
        return TrainedAdapter(**earlier | {"folder": out_dir})
    trained = train_preferences(
        base_path=base_path, adapter=lora.folder, pairs=frozen.preferences.train, instructions=frozen.instructions,
        rows_validation=rows_validation, recipe=recipe, out_dir=out_dir, on_progress=on_progress,
        should_stop=should_stop,
    )  # fmt: skip
    write_value(marker, {key: value for key, value in asdict(trained).items() if key != "folder"})
    log.info("adapter.trained", rung=RUNG.value, steps=trained.steps, best_step=trained.best_step)
    return trained


def weigh_second_stage(
    cards: Mapping[Rung, Scorecard],
    trained: Mapping[Rung, TrainedAdapter],
    frozen: Frozen,
    recipe: Recipe,
    policy: Policy,
    *,
    base_path: Path,
    work: Path,
) -> tuple[bool, tuple[Note, ...]]:
    """Is what the preferences taught kept, and what has to be said of it? `cards`: of both rungs, on the unseen
    pairs."""
    folders = {rung: trained[rung].folder for rung in (Rung.LORA, RUNG)}
    shares = _measure_kept_back(folders, frozen, recipe, base_path, work) if frozen.preferences.kept_back else None
    is_kept, clauses = weigh(cards[Rung.LORA], cards[RUNG], policy, pairs=trained[RUNG].train_pairs, shares=shares)
    log.info("preferences.weighed", is_kept=is_kept, pairs=trained[RUNG].train_pairs)
    return is_kept, clauses


def _measure_kept_back(
    folders: Mapping[Rung, Path], frozen: Frozen, recipe: Recipe, base_path: Path, work: Path
) -> tuple[Share, Share]:
    """In how many preferences kept back the chosen text is the likelier one: before the second stage and after it."""
    marker = work / "kept_back.json"
    known = read_value(marker)
    if known is None:
        kept = frozen.preferences.kept_back
        texts = [text for pair in kept for text in (_text(pair, pair.chosen), _text(pair, pair.rejected))]
        prompts = tuple(build_prompt(frozen.instructions, pair.prompt) for pair in kept for _ in range(2))
        knobs = recipe.evaluation.model_copy(update={"max_pairs": len(texts), "max_generated_pairs": 0})
        cards = evaluate(
            [Candidate(rung=rung.value, prompts=prompts, adapter=folder) for rung, folder in folders.items()],
            texts, base_path=base_path, knobs=knobs, dtype=recipe.training.dtype,
        )  # fmt: skip
        known = [asdict(count_right(card)) for card in cards]
        write_value(marker, known)
    before, after = (Share(**one) for one in known)
    return before, after


def _text(pair: PreferencePair, text: str) -> UnseenPair:
    return UnseenPair(example_id=pair.preference_id, completion=text)
