"""Makes tests/fixtures/zoo: models written by genuine old releases of XGBoost. See make.py."""
