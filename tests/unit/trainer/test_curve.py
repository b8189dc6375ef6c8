from __future__ import annotations

from pathlib import Path

from trainer.curve import draw_losses


def test_the_curve_is_a_png_and_its_alt_text_says_what_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "curve.png"
    alt = draw_losses(
        [(step, 4.0 / step) for step in range(1, 20)],
        [(0, 3.9), (8, 2.5), (16, 2.61)],
        8,
        path,
        title="Synopses: lora",
    )
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert path.stat().st_size < 200_000
    assert str(alt) == (
        "Loss curve: validation loss goes from 3.90 at step 0 to its best, 2.50, at step 8; it ends at 2.61 at step 16."
    )


def test_a_curve_without_measurements_still_draws(tmp_path: Path) -> None:
    alt = draw_losses([], [], 0, tmp_path / "curve.png", title="Nothing yet")
    assert str(alt) == "Loss curve without a validation measurement."
