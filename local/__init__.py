"""The embedded cloud: the synthesized templates, deployed on this machine."""
