"""The pages of the settings dialog, one file each. Every change holds at once."""
