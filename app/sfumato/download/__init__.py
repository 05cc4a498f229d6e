"""Catalogue, resumable verified download, hardware fit. No Qt."""
