"""What runs on the user's machine before a deployment: demo data, the demo model, import of foreign artifacts."""
