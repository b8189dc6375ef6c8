"""The loss curve of a run as a picture, with words for those who cannot see it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from config.sentences import Note, note
from trainer.train import TrainedAdapter

Curve = Sequence[tuple[int, float]]


def draw_curve(trained: TrainedAdapter, path: Path, *, title: str) -> Note:
    """Write the loss curve to `path` as a PNG and return its alt text."""
    return draw_losses(trained.train_losses, trained.eval_losses, trained.best_step, path, title=title)


def draw_losses(train: Curve, validation: Curve, best_step: int, path: Path, *, title: str) -> Note:
    """The same from bare numbers: (step, nats per completion token)."""
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display and without pyplot's global state
    axes = figure.subplots()
    axes.plot(*_columns(train), color="#9aa5b1", linewidth=1.2, label="training")
    axes.plot(*_columns(validation), color="#1264a3", linewidth=2, marker="o", markersize=4, label="validation")
    best = dict(validation).get(best_step)
    if best is not None:
        axes.scatter([best_step], [best], s=130, facecolors="none", edgecolors="#e01e5a", linewidths=2, zorder=5)
        axes.annotate(
            f"best: {best:.2f} at step {best_step}",
            (best_step, best),
            xytext=(0, 14),
            textcoords="offset points",
            ha="right" if best_step > max(step for step, _ in validation) / 2 else "left",
            color="#e01e5a",
        )
    axes.set_title(title, loc="left", fontsize=13)
    axes.set_xlabel("step")
    axes.set_ylabel("loss (nats per token)")
    axes.grid(axis="y", color="#e5e9ee")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, format="png")
    return alt_text(validation, best_step)


def alt_text(validation: Curve, best_step: int) -> Note:
    """One sentence that says what the picture shows."""
    best = dict(validation).get(best_step)
    if not validation or best is None:
        return note("Loss curve without a validation measurement.")
    first_step, first = validation[0]
    last_step, last = validation[-1]
    return note(
        "Loss curve: validation loss goes from {first:.2f} at step {first_step} to its best, {best:.2f}, at step "
        "{best_step}; it ends at {last:.2f} at step {last_step}.",
        first=first, first_step=first_step, best=best, best_step=best_step, last=last, last_step=last_step,
    )  # fmt: skip


def _columns(curve: Curve) -> tuple[list[int], list[float]]:
    return [step for step, _ in curve], [loss for _, loss in curve]
