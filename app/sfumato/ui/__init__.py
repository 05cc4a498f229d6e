"""Widgets: show what services signal, call what services offer."""
