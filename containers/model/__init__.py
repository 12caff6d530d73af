"""The model container: serving and training. Imports nothing of the rest of the project."""
