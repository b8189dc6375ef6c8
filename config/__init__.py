"""Everything that is decided before a process starts: settings, logs, prompts, recipes, the Slack manifest."""
