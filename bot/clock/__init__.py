"""WHEN: the clock's ticks, and nothing else."""

from bot.clock.tick import Clock, run_clock

__all__ = ["Clock", "run_clock"]
