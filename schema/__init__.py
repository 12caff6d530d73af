"""Plain data that the stacks and the runtime share. Standard library only: no boto3, no CDK, nothing of this project."""
