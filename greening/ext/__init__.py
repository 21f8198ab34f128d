"""Adapters for other people's servers."""
