"""Trainings in child processes that may be killed, without importing torch anew for each.

`python -m tests.support.training_nursery` imports everything once, then forks a child per line of JSON on stdin
and answers with a line: the child's signal (0 for none) and what it wrote. It computes nothing itself before it
forks, so no thread pool of torch is ever copied.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.recipe import TunedRung

WORDS = ["amber", "basalt", "cedar", "delta", "ember", "fjord", "garnet", "heath"]
ROWS = 22


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Pairs of different lengths, the same every time."""
    return [
        {
            "prompt": [{"role": "user", "content": " ".join(WORDS[(i * 3 + j) % 8] for j in range(2 + i % 5))}],
            "completion": [{"role": "assistant", "content": WORDS[i % 8].upper()}],
        }
        for i in range(start, start + count)
    ]


class Nursery:
    """The parent's side: `train` runs one training of this rung to its end, or to its death."""

    def __init__(self, rung: str = "lora") -> None:
        self._rung = rung
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.training_nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def train(self, base: Path, folder: Path, failpoint: str = "") -> dict[str, Any]:
        """`signal`, and after an undisturbed end `steps`, `best_step`, `eval_losses`, `resumed_from_step` and
        `file_operations`: how often it touched a file of a checkpoint. `file.operation:7` dies at the seventh."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(base), str(folder), failpoint, self._rung]) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _child(base: Path, folder: Path, failpoint: str, rung: TunedRung) -> None:
    import torch

    from config import failpoints
    from trainer.recipe import load_recipe
    from trainer.train import train_adapter

    torch.set_num_threads(1)
    operations = _count_file_operations(folder / "checkpoints", failpoint)
    failpoints.arm(failpoint)
    trained = train_adapter(
        base_path=base,
        rows_train=rows(ROWS),  # type: ignore[arg-type]
        rows_validation=rows(6, start=100),  # type: ignore[arg-type]
        recipe=load_recipe("tiny-test"),
        rung=rung,
        out_dir=folder / "adapter",
        checkpoint_dir=folder / "checkpoints",
    )
    (folder / "result.json").write_text(
        json.dumps(
            {
                "steps": trained.steps,
                "best_step": trained.best_step,
                "train_losses": trained.train_losses,
                "eval_losses": trained.eval_losses,
                "resumed_from_step": trained.resumed_from_step,
                "file_operations": len(operations),
            }
        )
    )


def _count_file_operations(folder: Path, failpoint: str) -> list[str]:
    """Every opening, renaming, making and removing in this folder, as Python's own audit events tell it."""
    name, _, nth = failpoint.partition(":")
    fatal = int(nth) if name == "file.operation" else 0
    seen: list[str] = []

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"):
            return
        if isinstance(arguments[0], str | os.PathLike) and os.fspath(arguments[0]).startswith(str(folder)):
            seen.append(event)
            if len(seen) == fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(listen)
    return seen


def main() -> None:
    import trainer.train  # noqa: F401  # what every child needs

    gc.freeze()  # accelerate collects garbage often, and a child need not look through all modules each time
    for line in sys.stdin:
        base, folder, failpoint, rung = json.loads(line)
        (Path(folder) / "result.json").unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            try:
                _child(Path(base), Path(folder), failpoint, rung)
            except BaseException as error:
                (Path(folder) / "result.json").write_text(json.dumps({"error": repr(error)}))
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        result = Path(folder) / "result.json"
        answer = {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}
        if result.exists():
            answer.update(json.loads(result.read_text()))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
