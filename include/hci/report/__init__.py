"""What a run leaves behind: its durable record, and the report folded from it."""
