"""Everything durable. One noun, one file: its table, its states, its queries. Only session.py commits."""
