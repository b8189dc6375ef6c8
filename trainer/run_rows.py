"""What a run makes of its examples: rows to train on, and the prompts that candidates are measured with.

Both are put together as serving does it, and neither ever holds what tells about the pair that it is built for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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


class Rows:
    """`recipe` as it is before it is fitted: nothing that is read of it here depends on the number of pairs."""

    def __init__(self, tokenizer: Any, recipe: Recipe, *, has_labels: bool) -> None:
        self.tokenizer, self.recipe, self.has_labels = tokenizer, recipe, has_labels
        self.max_tokens = recipe.training.max_tokens
        #: What the rung `knowledge` quotes; None until it was loaded, and for a style without documents.
        self.knowledge: Knowledge | None = None
        self._made_pools: dict[int, Pool] = {}

    # ---------------------------------------------------------------------------------------- what is too long

    def without_too_long(
        self, examples: Sequence[TrainingExample], instructions: str
    ) -> tuple[list[TrainingExample], list[dict[str, str]]]:
        """Those that can be trained on, and the others with the reason."""
        _, skipped = to_trl(
            examples, instructions=instructions, count_tokens=self._count_tokens, max_tokens=self.max_tokens
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
        return max(map(self._count_tokens, rows)) <= self.max_tokens

    def _count_tokens(self, messages: ChatMessages) -> int:
        return len(self.tokenizer.apply_chat_template(messages, return_dict=False))

    # ---------------------------------------------------------------------------------------- rows and prompts

    def make(self, frozen: Frozen, side: Sequence[TrainingExample], pool: Pool | None) -> list[PairRow]:
        rows, _ = to_trl(
            side,
            instructions=frozen.instructions,
            count_tokens=self._count_tokens,
            max_tokens=self.max_tokens,
            pool=pool,
            choice=self.recipe.choice(Rung.LORA_RETRIEVED),
        )
        return [PairRow(prompt=row["prompt"], completion=row["completion"]) for row in rows]

    def pool(self, frozen: Frozen) -> Pool:
        """What prompts show, and what they must not. Made once for the whole training side, and once for each part of
        it that a learning curve needs: all pairs are compared with all."""
        size = len(frozen.train)
        if size not in self._made_pools:
            others = [*frozen.validation, *frozen.test]
            self._made_pools[size] = Pool(frozen.train, others, near_duplicate=self.recipe.splits.near_duplicate)
        return self._made_pools[size]

    def candidate(self, frozen: Frozen, standing: Standing, folders: Mapping[str, Path]) -> Candidate:
        """A candidate's prompts, put together as serving does it: shots and retrieved pairs from training alone."""
        rung, pool = standing.rung, self.pool(frozen)
        choice = self.recipe.choice(rung)
        shots = pool.choose_shots(choice) if rung is Rung.FEW_SHOT else []

        def prompt_of(one: TrainingExample) -> ChatMessages:
            quotes = self.knowledge.quotes_for(one) if self.knowledge and rung is Rung.KNOWLEDGE else ()
            return prompt_for(
                rung.value, frozen.instructions, one, shots=shots, pool=pool, choice=choice, quotes=quotes
            )  # fmt: skip

        return Candidate(
            rung=standing.key, prompts=tuple(map(prompt_of, frozen.test)),
            adapter=None if rung is Rung.FULL else folders.get(standing.key),
            known=label_prompts(frozen, prompt_of, self.recipe) if self.has_labels else None,
        )  # fmt: skip
