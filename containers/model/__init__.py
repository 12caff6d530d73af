"""The model container: serving and training. It imports nothing from the rest of the project."""
