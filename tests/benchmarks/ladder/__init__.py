"""The ladder, measured on real pairs: `study` trains and scores, `report` turns what was stored into docs/ladder.md."""
