"""Training on the user's machine: `dropscore train`, demo data and the demo model."""
