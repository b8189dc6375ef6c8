"""Which models the model server offers, by the names that a request may ask for."""

from __future__ import annotations

import httpx

from config.settings import Settings

HTTP_SECONDS = 5.0


def open_model_server(settings: Settings) -> httpx.Client:
    """A client with our key; close it."""
    key = settings.model_api_key.get_secret_value() if settings.model_api_key else "none"
    return httpx.Client(
        timeout=HTTP_SECONDS, trust_env=False, headers={"Authorization": f"Bearer {key}"},
        base_url=settings.resolved_model_url.rstrip("/"),
    )  # fmt: skip


def list_offered_models(client: httpx.Client) -> list[str]:
    """Raises httpx.HTTPError, or ValueError, KeyError or TypeError for an answer that is none."""
    answer = client.get("/models")
    answer.raise_for_status()
    return [str(model["id"]) for model in answer.json()["data"]]
