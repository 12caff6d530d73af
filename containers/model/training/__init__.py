"""Training as SageMaker runs it: reads /opt/ml/input, writes /opt/ml/model and /opt/ml/output."""
