"""The shim: AWS Batch and the SageMaker runtime as one process on loopback, with their REST APIs."""
