"""The store, as a run uses it: what it trained goes in, signed, and the champion's weights come out, verified."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from config.rungs import Rung
from config.sentences import note
from config.settings import Settings
from db.runs import Run
from db.styles import Style
from trainer import registry
from trainer.adapter_files import fetch_verified, publish_adapter
from trainer.artifacts.keys import load_or_create_signing_key, load_verify_key
from trainer.artifacts.manifest import AdapterFacts
from trainer.artifacts.store import PublishedAdapter, delete_adapter, has_adapter
from trainer.base_models import base_revision, linear_shapes, prepare_base_model, prepare_embedding_model
from trainer.classifier_files import fetch_classifier, publish_classifier
from trainer.errors import AdapterNameTaken, AdapterWrongBase, RunBroken
from trainer.full_files import fetch_full, publish_full
from trainer.registry import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The places in the store that are a run's own, and its way to those of others."""

    settings: Settings
    run: Run
    style: Style
    base_path: Path

    def is_free(self, version: int) -> bool:
        """Is no name of this version in the store? All of them are the run's own from then on."""
        names = (registry.adapter_name(self.style.name, version, rung) for rung in Rung if rung.needs_adapter)
        return not any(has_adapter(self.settings.resolved_artifact_url, name) for name in names)

    def publish(
        self, folders: Mapping[Rung, Path], version: int, *, own_names: Collection[str]
    ) -> dict[Rung, PublishedAdapter]:
        """Copy these into the store, signed. What else lies there under the run's `own_names` goes."""
        store_url, key = self.settings.resolved_artifact_url, load_or_create_signing_key(self.settings.keys_dir)
        published = {}
        for rung, folder in folders.items():
            is_fitted = rung.is_classifier  # it stands on the embedding model instead of the base model
            facts = AdapterFacts(
                base_model=self.settings.embedding_model if is_fitted else self.run.base_model,
                base_revision=self._embedding_revision() if is_fitted else base_revision(self.base_path),
                style_id=self.style.style_id, scope=self.run.scope_key, run_id=self.run.run_id, rung=rung.value,
                created_at=self.run.queued_at, versions=registry.library_versions(),
            )  # fmt: skip
            put = _publisher(rung, self.base_path)
            name = registry.adapter_name(self.style.name, version, rung)
            try:
                published[rung] = put(store_url, name, folder, facts, key)
            except AdapterNameTaken:
                # The name was free at the freeze: an earlier attempt on another host put its own training there.
                delete_adapter(store_url, name)
                published[rung] = put(store_url, name, folder, facts, key)
        for name in sorted({*own_names} - {adapter.name for adapter in published.values()}):
            delete_adapter(store_url, name)  # an earlier attempt had published what this one has left out or discarded
        return published

    def fetch(self, standing: Standing, folder: Path) -> Path:
        """A verified copy of a candidate's weights, in `folder`. Raises the AdapterErrors, and RunBroken for a
        classifier of another embedding model."""
        store_url, key = self.settings.resolved_artifact_url, load_verify_key(self.settings.keys_dir)
        if standing.rung is Rung.LOGISTIC:
            try:
                return fetch_classifier(
                    store_url, standing.adapter_name, folder, key, expected_revision=self._embedding_revision()
                )
            except AdapterWrongBase as error:
                raise RunBroken(
                    note(
                        "The classifier that serves this style was fitted on another embedding model, so it cannot be "
                        "measured; promote another rung, then train again."
                    )
                ) from error
        base_path = prepare_base_model(standing.base_model, self.settings.models_dir)
        if standing.rung is Rung.FULL:
            return fetch_full(store_url, standing.adapter_name, folder, key, base_path=base_path)
        return fetch_verified(
            store_url, standing.adapter_name, folder, key,
            expected_base_revision=base_revision(base_path), base_shapes=linear_shapes(base_path),
        )  # fmt: skip

    def _embedding_revision(self) -> str:
        return base_revision(prepare_embedding_model(self.settings.embedding_model, self.settings.models_dir))


def _publisher(rung: Rung, base_path: Path) -> Callable[..., PublishedAdapter]:
    if rung.is_classifier:
        return publish_classifier
    return partial(publish_full, base_path=base_path) if rung is Rung.FULL else publish_adapter
