"""The proof in an account: what no laptop can show of a deployment, tried on the deployment itself."""
