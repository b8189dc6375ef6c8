"""Pure decisions and values: no Slack library, no database, no clock, no network."""
