"""Data that the stacks and the runtime share. Imports only the standard library: no boto3, CDK or Dropscore."""
