"""Everything Slack: deliveries in, messages out. Nothing here imports torch."""
