"""The local workspace: a Slack-compatible server on loopback, and the people who use it.

It speaks Slack's protocol to an unmodified slack-bolt and slack-sdk and is strict where Slack is strict.
It knows nothing of what the bot does; the bot knows it only as a base URL and tokens.
"""
