"""Faults as data, and what puts them into a world."""
