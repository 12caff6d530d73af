"""What no emulator runs: AWS Batch and the SageMaker runtime, as one process on loopback that speaks their REST."""
