"""Which examples tell about one another. Whatever is linked here never stands on two sides of a split, and what has the
text of a pair never stands in the prompt that is measured or trained on that pair.

By text: the same question, a near-duplicate, one word changed, the same said in other words, a copy within a longer
text. By origin: one conversation, one group, one author's burst. Pure Python and numpy.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from config.choosing import Texts, unit
from config.likeness import normalise

#: Texts in, vectors of shape (texts, dimensions) out.
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
#: Of indices.
Pairs = set[tuple[int, int]]

#: What one author wrote with less than this in between is one burst.
BURST = timedelta(hours=1)
#: So many texts of one burst are kept together.
SITTING = 8
#: Cosines from which two pairs say the same in other words: of prompts and completions each, and of both on average; of
#: the prompts alone where the completion is so short that it tells nothing. Hand-made paraphrases came out at 0.70 to
#: 0.94 with the embedding model that ships, and no two of 400 unrelated pairs reached the average (trainer/LOG.md).
REWORDED_EACH, REWORDED_MEAN, REWORDED_PROMPT, SHORT_COMPLETION = 0.7, 0.75, 0.9, 4
#: Pairs of so many words or more are looked for within others ...
HIDDEN_WORDS = 6
#: ... by runs of so many words, of which this share must be there. A run that more texts hold tells nothing.
SHINGLE_WORDS, HIDDEN_SHARE, BOILERPLATE = 4, 0.8, 100
#: Pairs of so many words are also kin when one word differs; in longer ones `near_duplicate` sees that.
LEAST_WORDS, SHORT_WORDS = 6, 60

_WORD = re.compile(r"\w+")


class Relative(Texts, Protocol):
    """What kinship needs to know of an example."""

    @property
    def thread_key(self) -> str | None: ...
    @property
    def group_key(self) -> str | None: ...
    @property
    def author(self) -> str | None: ...
    @property
    def written_at(self) -> datetime | None: ...


class Kinship:
    """Who is kin to whom among some examples, asked by index."""

    def __init__(self, keys: Sequence[frozenset[Hashable]], pairs: Iterable[tuple[int, int]]) -> None:
        #: Examples with a key in common are kin; and so are those that stand in a pair.
        self.keys = keys
        self._pairs: dict[int, set[int]] = defaultdict(set)
        for one, other in pairs:
            self._pairs[one].add(other)
            self._pairs[other].add(one)

    def are_kin(self, one: int, other: int) -> bool:
        return other in self._pairs.get(one, ()) or not self.keys[one].isdisjoint(self.keys[other])

    def linked(self, index: int) -> Collection[int]:
        """Those it stands in a pair with; `keys` say the rest."""
        return self._pairs.get(index, ())

    def group(self, members: Iterable[int]) -> dict[int, int]:
        """Each of these examples with the number of its group, from 0 on: those that are kin, and the kin of those.
        Only kinship among the members themselves counts."""
        members = list(members)
        there, leader = set(members), {member: member for member in members}
        first_with: dict[Hashable, int] = {}

        def find(one: int) -> int:
            while leader[one] != one:
                leader[one] = leader[leader[one]]
                one = leader[one]
            return one

        for member in members:
            kin = [first_with.setdefault(key, member) for key in self.keys[member]]
            for other in (*kin, *(other for other in self.linked(member) if other in there)):
                one, two = find(member), find(other)
                leader[max(one, two)] = min(one, two)
        numbers: dict[int, int] = {}
        return {member: numbers.setdefault(find(member), len(numbers)) for member in members}

    def __or__(self, other: Kinship) -> Kinship:
        keys = [one | two for one, two in zip(self.keys, other.keys, strict=True)]
        return Kinship(keys, [(a, b) for kin in (self, other) for a, linked in kin._pairs.items() for b in linked])


def find_kin(
    examples: Sequence[Relative], *, near_duplicate: float, embed: Embed | None = None, is_by_text: bool = False
) -> Kinship:
    """All that is kin, or `is_by_text` alone."""
    by_text = kin_by_text(examples, near_duplicate=near_duplicate, embed=embed)
    return by_text if is_by_text else by_text | kin_by_origin(examples)


def kin_by_origin(examples: Sequence[Relative], *, burst: timedelta = BURST) -> Kinship:
    """Examples of one conversation, of one group, or of one author's burst.

    A burst is about one thing. Somebody who posts good texts for a whole sitting, to teach them, writes about many: an
    example that SITTING others of its burst came before (in the order given, which is that of approval) is kin by its
    text alone. Otherwise a style that was taught in one go could never be measured. What comes later changes nothing
    between those that were there.
    """
    keys: list[frozenset[Hashable]] = [
        frozenset((name, key) for name in ("thread_key", "group_key") if (key := getattr(example, name)))
        for example in examples
    ]
    pairs: list[tuple[int, int]] = []
    by_author: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for index, example in enumerate(examples):
        if example.author and example.written_at:
            written, at = by_author[example.author], example.written_at
            around = written[bisect_left(written, (at - burst, -1)) : bisect_right(written, (at + burst, index))]
            if len(around) < SITTING:
                pairs.extend((earlier, index) for _, earlier in around)
            insort(written, (at, index))
    return Kinship(keys, pairs)


def kin_by_text(examples: Sequence[Texts], *, near_duplicate: float, embed: Embed | None = None) -> Kinship:
    """Examples whose texts tell about one another.

    `near_duplicate`: from how alike two pairs are one (0 to 100). `embed` is asked for the completions of pairs whose
    prompts mean the same; without it, or without embeddings of the prompts, rewording is not looked for.
    """
    texts = [(words_of(example.prompt), words_of(example.completion)) for example in examples]
    keys: list[frozenset[Hashable]] = []
    for (prompt, completion), example in zip(texts, examples, strict=True):
        asked = " ".join(prompt) or normalise(example.prompt)  # one question answered twice is one question
        keys.append(frozenset({("asked", asked), *_without_one_word(prompt, completion)}))
    together = [" ".join([*prompt, "|", *completion]) for prompt, completion in texts]
    pairs = {*near_duplicate_pairs(together, near_duplicate), *_hidden(texts), *_reworded(examples, embed)}
    return Kinship(keys, pairs)


def words_of(text: str) -> list[str]:
    """The words as they are compared: case, punctuation and white space do not count."""
    return _WORD.findall(normalise(text))


def near_duplicate_pairs(texts: Sequence[str], threshold: float) -> list[tuple[int, int]]:
    """Index pairs of texts that are at least this similar (0 to 100), texts normalised by the caller.

    Exact, by rapidfuzz in blocks of rows, so memory stays small; its length bound skips most pairs.
    """
    found: list[tuple[int, int]] = []
    block = 256
    for start in range(0, len(texts), block):
        scores = process.cdist(
            texts[start : start + block],
            texts[start:],
            scorer=fuzz.ratio,
            score_cutoff=threshold,
            dtype=np.uint8,
            workers=1,
        )
        rows, columns = np.nonzero(scores)
        found.extend((start + int(r), start + int(c)) for r, c in zip(rows, columns, strict=True) if c > r)
    return found


def _without_one_word(prompt: Sequence[str], completion: Sequence[str]) -> list[tuple[int, str]]:
    """Two short pairs that differ in one word at one place leave the same when that word is taken out."""
    words = [*prompt, "|", *completion]
    if not LEAST_WORDS <= len(words) <= SHORT_WORDS:
        return []
    places = (place for place in range(len(words)) if place != len(prompt))
    return [(place, " ".join(words[:place] + words[place + 1 :])) for place in places]


def _hidden(texts: Sequence[tuple[list[str], list[str]]]) -> Pairs:
    """Pairs of which one holds the other's prompt and completion somewhere in its texts."""
    holders: dict[str, list[int]] = defaultdict(list)
    for index, (prompt, completion) in enumerate(texts):
        for shingle in _shingles(prompt) | _shingles(completion):
            holders[shingle].append(index)
    joined = [f" {' '.join(prompt)} | {' '.join(completion)} " for prompt, completion in texts]
    found: Pairs = set()
    for index, parts in enumerate(texts):
        if sum(map(len, parts)) < HIDDEN_WORDS:
            continue
        candidates: set[int] | None = None
        for part in map(_shingles, parts):
            telling = [shingle for shingle in part if len(holders[shingle]) <= BOILERPLATE]
            if telling:
                there = Counter(holder for shingle in telling for holder in holders[shingle])
                enough = {holder for holder, count in there.items() if count >= HIDDEN_SHARE * len(telling)}
                candidates = enough if candidates is None else candidates & enough
        for other in (candidates or set()) - {index}:
            short = [part for part in parts if len(part) < SHINGLE_WORDS]
            if all(f" {' '.join(part)} " in joined[other] for part in short if part):
                found.add((index, other))
    return found


def _shingles(words: Sequence[str]) -> set[str]:
    return {" ".join(words[start : start + SHINGLE_WORDS]) for start in range(len(words) - SHINGLE_WORDS + 1)}


def _reworded(examples: Sequence[Texts], embed: Embed | None) -> Pairs:
    """Pairs whose prompts mean the same and whose completions do."""
    rows = [index for index, example in enumerate(examples) if example.embedding is not None]
    if embed is None or len(rows) < 2:
        return set()
    near = _near_vectors(np.stack([e.embedding for e in examples if e.embedding is not None]))
    pairs = [(rows[one], rows[other], meant) for one, other, meant in near]
    if not pairs:
        return set()
    asked = sorted({index for pair in pairs for index in pair[:2]})
    vectors = unit(embed([examples[index].completion for index in asked]))
    row = {index: number for number, index in enumerate(asked)}
    return {
        (a, b) for a, b, meant in pairs
        if _is_reworded(meant, float(vectors[row[a]] @ vectors[row[b]]), examples[a].completion, examples[b].completion)
    }  # fmt: skip


def _is_reworded(prompts: float, completions: float, *texts: str) -> bool:
    """By the cosines of both prompts and of both completions."""
    if min(len(words_of(text)) for text in texts) < SHORT_COMPLETION:
        return prompts >= REWORDED_PROMPT and completions >= REWORDED_EACH
    return min(prompts, completions) >= REWORDED_EACH and (prompts + completions) / 2 >= REWORDED_MEAN


def _near_vectors(vectors: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """Index pairs of vectors in about one direction, with their cosine."""
    vectors = unit(vectors)
    found: list[tuple[int, int, float]] = []
    block = 512
    for start in range(0, len(vectors), block):
        cosines = vectors[start : start + block] @ vectors[start:].T
        for row, column in zip(*np.nonzero(cosines >= REWORDED_EACH), strict=True):
            if column > row:
                found.append((start + int(row), start + int(column), float(cosines[row, column])))
    return found
