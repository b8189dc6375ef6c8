"""Package records as (description → synopsis) pairs, with unseen ones that no training pair is related to.

The records have no dates, so unseen pairs are kept apart by family: `util-linux` and `util-linux-locales` say much the
same, and are on one side. What is left that is nearly the same text on two sides is dropped from training.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

from config.kinship import near_duplicate_pairs
from config.likeness import normalise
from trainer.dataset import TrainingExample

INSTRUCTIONS = "Write the one-line synopsis of the software package that is described."
#: Longer descriptions are left out: four retrieved ones must fit into a prompt on a CPU.
MAX_CHARS = 700
NEAR_DUPLICATE = 92.0
#: Names that say what something is written in or for, not what it belongs to.
_KIND = re.compile(
    r"^(lib|python3?-|golang-|node-|ruby-|r-cran-|r-bioc-|fonts-|texlive-|php-|elpa-|gir1\.\d+-|librust-|haskell-|"
    r"xfonts-|task-|gnome-|kde-|perl-|ocaml-|erlang-|lua-|vim-|emacs-|github-|git-|x11-|xserver-)+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    package: str
    section: str
    synopsis: str
    description: str

    @property
    def family(self) -> str:
        """What the package belongs to, by the first word of its name."""
        return re.split(r"[-.+\d]", _KIND.sub("", self.package), maxsplit=1)[0] or self.package

    def as_example(self) -> TrainingExample:
        return TrainingExample(
            example_id=self.package, prompt=self.description, completion=self.synopsis, group_key=self.family
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Three sides that share no family and no near-duplicate."""

    train: list[TrainingExample]
    validation: list[TrainingExample]
    unseen: list[TrainingExample]


def load_records(path: Path) -> list[Record]:
    """From JSON lines with `package`, `section`, `synopsis` and `description`; the short ones, in the file's order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    records = [Record(**{name: json.loads(line)[name] for name in Record.__slots__}) for line in lines]
    return [record for record in records if len(record.description) <= MAX_CHARS]


def draw_sides(records: list[Record], *, unseen: int, train: int, validation: int, seed: int) -> Sides:
    """The unseen pairs are the same for every seed and size; the training pairs of a seed are drawn anew, and fewer of
    them are the first of many. Raises ValueError when there are too few records."""
    families: dict[str, list[Record]] = {}
    for record in records:
        families.setdefault(record.family, []).append(record)
    names = sorted(families)
    random.Random(0).shuffle(names)
    kept = [random.Random(name).choice(families[name]) for name in names[:unseen]]  # one each: they are independent
    pool = [record for name in names[unseen:] for record in families[name]]
    random.Random(seed).shuffle(pool)
    chosen = without_repeats(kept, pool[: 2 * (train + validation)])[: train + validation]
    if len(kept) < unseen or len(chosen) < train + validation:
        raise ValueError(f"{len(records)} short records are too few for {unseen} unseen and {train} training pairs")
    taught = {record.family for record in chosen[validation:]}
    return Sides(
        train=[record.as_example() for record in chosen[validation:]],
        validation=[record.as_example() for record in chosen[:validation] if record.family not in taught],
        unseen=[record.as_example() for record in kept],
    )


def without_repeats(unseen: list[Record], pool: list[Record]) -> list[Record]:
    """The pool without what is nearly the same as something unseen or earlier in it."""
    together = [*unseen, *pool]
    texts = [normalise(f"{record.description}\n{record.synopsis}") for record in together]
    repeats = {newer for _, newer in near_duplicate_pairs(texts, NEAR_DUPLICATE)}
    return [record for index, record in enumerate(together) if index >= len(unseen) and index not in repeats]
