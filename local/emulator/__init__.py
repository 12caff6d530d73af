"""Code that runs in the emulator's interpreter; it does not import the rest of Dropscore."""
