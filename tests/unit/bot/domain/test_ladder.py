"""A stored scorecard's row, and the gain between two, where some unseen pairs tell about one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bot.domain.ladder import gain_bits_per_byte, make_rank


def stored(nats: list[float], kin_groups: list[int] | None = None) -> dict[str, Any]:
    pairs = [
        {"example_id": f"e{n}", "nll_nats": one, "reference_bytes": 40}
        | ({} if kin_groups is None else {"kin_group": kin_groups[n]})
        for n, one in enumerate(nats)
    ]
    return {"pairs": pairs, "summary": {}}


def test_an_interval_counts_groups_of_related_pairs_once() -> None:
    random = np.random.default_rng(1)
    own, other = random.normal(60, 8, 30), random.normal(55, 8, 30)
    eight = np.repeat(np.arange(30), 8)
    once, alone, together = (
        [stored(list(one[chosen]), groups) for one in (own, other)]
        for chosen, groups in ((np.arange(30), None), (eight, None), (eight, eight.tolist()))
    )
    assert gain_bits_per_byte(*together) == pytest.approx(gain_bits_per_byte(*once))
    low, high = gain_bits_per_byte(*alone)[1:]
    assert high - low < 0.5 * (gain_bits_per_byte(*once)[2] - gain_bits_per_byte(*once)[1])
    rows = [make_rank(rung="lora", base_model="m", adapter_name="", card=one[0], is_champion=False)
            for one in (once, alone, together)]  # fmt: skip
    assert [(row.n, row.unrelated) for row in rows if row] == [(30, 30), (240, 240), (240, 30)]
    assert rows[0] is not None and rows[2] is not None
    assert (rows[2].low, rows[2].high) == pytest.approx((rows[0].low, rows[0].high))
