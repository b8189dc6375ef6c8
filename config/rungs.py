"""The ladder: every way to make a draft, from the cheapest up. A rung's value is its name everywhere."""

from __future__ import annotations

from enum import StrEnum


class Rung(StrEnum):
    ZERO_SHOT = "zero_shot"  #: The style's instructions alone.
    FEW_SHOT = "few_shot"  #: A fixed set of approved examples in every prompt.
    RETRIEVED = "retrieved"  #: The approved examples most like this request.
    KNOWLEDGE = "knowledge"  #: The same examples, and passages from the team's documents.
    NEIGHBOURS = "neighbours"  #: The labels of the approved examples most like the text; no language model.
    LOGISTIC = "logistic"  #: Logistic regression on the text's embedding, fitted on the examples; no language model.
    LORA = "lora"  #: An adapter trained on the approved examples.
    LORA_PREFERENCES = "lora_preferences"  #: The same adapter, trained on with the team's preferences.
    LORA_RETRIEVED = "lora_retrieved"  #: An adapter trained on prompts that carry retrieved examples.
    FULL = "full"  #: All weights trained on the approved examples: a model of its own, as large as the base model.

    @property
    def needs_adapter(self) -> bool:
        """Does it need something that a run trained, called by an adapter's name in the store?"""
        return self in (Rung.LORA, Rung.LORA_PREFERENCES, Rung.LORA_RETRIEVED, Rung.FULL, Rung.LOGISTIC)

    @property
    def uses_retrieval(self) -> bool:
        return self in (Rung.RETRIEVED, Rung.KNOWLEDGE, Rung.LORA_RETRIEVED)

    @property
    def is_classifier(self) -> bool:
        """Only for styles that classify, and without the language model."""
        return self in (Rung.NEIGHBOURS, Rung.LOGISTIC)
