"""Sfumato: chat with DiffusionGemma on your own computer and watch the answer come into focus."""

__version__ = "0.1.0"
