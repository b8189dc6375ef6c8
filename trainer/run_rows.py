"""What a run makes of its examples: rows to train on, and the prompts that candidates are measured with.

Both are put together as serving does it, and neither ever holds what tells about the pair that it is built for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from config.draft_room import draw_room
from config.kinship import Embed
from config.prompts import ChatMessages, build_prompt
from config.rungs import Rung
from trainer.dataset import Pool, TrainingExample, prompt_for, to_trl
from trainer.evaluate import Candidate
from trainer.knowledge import Knowledge
from trainer.preferences import PreferencePair
from trainer.recipe import Recipe
from trainer.registry import Frozen, Standing
from trainer.run_labels import label_prompts
from trainer.train import PairRow


class Lengths:
    """How long texts are for the base model's tokenizer: asked before the freeze, too, so it knows no recipe."""

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        """`max_tokens`: of a row that can be trained on, prompt and completion."""
        self.tokenizer, self.max_tokens = tokenizer, max_tokens

    def without_too_long(
        self, examples: Sequence[TrainingExample], instructions: str
    ) -> tuple[list[TrainingExample], list[dict[str, str]]]:
        """Those that can be trained on, and the others with the reason."""
        _, skipped = to_trl(
            examples, instructions=instructions, count_tokens=self.count_tokens, max_tokens=self.max_tokens
        )
        reasons = {one.example_id: one.reason for one in skipped}
        fitting = [example for example in examples if example.example_id not in reasons]
        return fitting, [{"example_id": one, "reason": reason} for one, reason in reasons.items()]

    def is_short(self, pair: PreferencePair, instructions: str) -> bool:
        """Can both texts be trained on? What is too long is left out, never cut."""
        prompt = build_prompt(instructions, pair.prompt)
        rows: list[ChatMessages] = [
            [*prompt, {"role": "assistant", "content": text}] for text in (pair.chosen, pair.rejected)
        ]
        return max(map(self.count_tokens, rows)) <= self.max_tokens

    def draw_room(self, examples: Sequence[TrainingExample], recipe: Recipe) -> int:
        """Tokens that a draft may take where these texts are trained on (config/draft_room.py)."""
        lengths = [len(self.tokenizer(one.completion)["input_ids"]) + 1 for one in examples]
        return draw_room(lengths, least=recipe.evaluation.max_new_tokens, most=recipe.training.max_tokens)

    def count_tokens(self, messages: ChatMessages) -> int:
        return len(self.tokenizer.apply_chat_template(messages, return_dict=False))


class Rows:
    """`recipe`: as it was fitted to what was frozen. `embed`: the run's encoder, by which a pair said in other words is
    known for what it is."""

    def __init__(self, lengths: Lengths, recipe: Recipe, *, has_labels: bool, embed: Embed) -> None:
        self.lengths, self.recipe, self.has_labels, self.embed = lengths, recipe, has_labels, embed
        #: What the rung `knowledge` quotes; None until it was loaded, and for a style without documents.
        self.knowledge: Knowledge | None = None
        self._made_pools: dict[int, Pool] = {}

    def make(self, frozen: Frozen, side: Sequence[TrainingExample], pool: Pool | None) -> list[PairRow]:
        rows, _ = to_trl(
            side,
            instructions=frozen.instructions,
            count_tokens=self.lengths.count_tokens,
            max_tokens=self.lengths.max_tokens,
            pool=pool,
            choice=self.recipe.choice(Rung.LORA_RETRIEVED, forbidden=frozen.terms.forbidden),
        )
        return [PairRow(prompt=row["prompt"], completion=row["completion"]) for row in rows]

    def pool(self, frozen: Frozen) -> Pool:
        """What prompts show, and what they must not. Made once for the whole training side, and once for each part of
        it that a learning curve needs: all pairs are compared with all."""
        size = len(frozen.train)
        if size not in self._made_pools:
            others = [*frozen.validation, *frozen.test]
            self._made_pools[size] = Pool(
                frozen.train, others, near_duplicate=self.recipe.splits.near_duplicate, embed=self.embed
            )
        return self._made_pools[size]

    def candidate(self, frozen: Frozen, standing: Standing, folders: Mapping[str, Path]) -> Candidate:
        """A candidate's prompts, put together as serving does it: shots and retrieved pairs from training alone."""
        rung, pool = standing.rung, self.pool(frozen)
        choice = self.recipe.choice(rung, forbidden=frozen.terms.forbidden)
        shots = pool.choose_shots(choice) if rung is Rung.FEW_SHOT else []

        def prompt_of(one: TrainingExample) -> ChatMessages:
            quotes = self.knowledge.quotes_for(one) if self.knowledge and rung is Rung.KNOWLEDGE else ()
            return prompt_for(
                rung.value, frozen.instructions, one, shots=shots, pool=pool, choice=choice, quotes=quotes
            )  # fmt: skip

        return Candidate(
            rung=standing.key,
            prompts=tuple(map(prompt_of, frozen.judging(self.recipe.evaluation.max_pairs))),
            adapter=None if rung is Rung.FULL else folders.get(standing.key),
            known=label_prompts(frozen, prompt_of, self.recipe) if self.has_labels else None,
        )  # fmt: skip
