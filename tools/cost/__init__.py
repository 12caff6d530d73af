"""What a deployment costs, from its templates and a dated price file."""
