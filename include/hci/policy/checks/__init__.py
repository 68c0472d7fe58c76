"""The readiness checks by theme; each is a pure function of what was read."""
