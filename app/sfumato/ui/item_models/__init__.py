"""Qt item models: rows and roles for the views."""
