"""The vocabulary: every command the product sends to a cluster, one function each, returning frozen dataclasses."""
