"""How a draft is made: which rung, which examples, which model, and how its text reaches the thread."""
