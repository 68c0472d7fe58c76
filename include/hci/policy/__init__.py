"""Rules over what was read from a cluster: pure functions that answer with a decision and its reason."""
