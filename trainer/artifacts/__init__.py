"""The artifact store: immutable folders that are verified before anything reads their weights.

A folder with a manifest is complete, because the manifest is written last. Its digests cover every file, and the
trainer's Ed25519 signature covers the manifest. `fetching` copies a folder into a private cache first and checks the
copy, so what was verified is what is loaded. What the folder of an adapter, a classifier or a model holds, and how
that is checked, is said in `trainer.adapter_files`, `trainer.classifier_files` and `trainer.full_files`. Nothing here
imports torch, and nothing is unpickled.
"""
