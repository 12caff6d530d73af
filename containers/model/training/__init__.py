"""Training as SageMaker runs it: /opt/ml/input in, /opt/ml/model and /opt/ml/output out. Knows nothing of Dropscore."""
