"""The page: the local workspace in a browser. What one person sees, as it changes, and what they do."""
