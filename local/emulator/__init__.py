"""What runs with the emulator's own interpreter; nothing here imports the rest of Dropscore."""
