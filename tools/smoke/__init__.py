"""The smoke test of a deployment in an AWS account."""
