"""The guards, in one module per stage of processing."""
