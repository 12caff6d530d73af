"""Creates tests/fixtures/zoo: models written by real old releases of XGBoost. See make.py."""
