"""One file a screen of the first run."""
