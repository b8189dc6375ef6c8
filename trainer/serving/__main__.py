"""`python -m trainer.serving`: the model server as a process."""

from __future__ import annotations

from config import failpoints
from config.logs import configure_logging
from config.settings import load_settings
from trainer.serving.server import serve

if __name__ == "__main__":
    settings = load_settings()
    configure_logging(settings)
    failpoints.arm(settings.failpoint)
    serve(settings)
