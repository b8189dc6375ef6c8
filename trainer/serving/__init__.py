"""Serving: the engine (base model and adapters in memory) and the HTTP server in front of it."""
