"""Real data: insurance claims, a few of them fraudulent."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.unit.containers.model.training.conftest import Home

CLAIMS = Path(__file__).parents[6] / "shared" / "data" / "claims"


def encoded() -> pd.DataFrame:
    """Put the label first, and encode each non-numeric column as one column per value."""
    joined = pd.read_csv(CLAIMS / "claims.csv").merge(pd.read_csv(CLAIMS / "customers.csv"), on="policy_id")
    labels, rest = joined.pop("fraud"), joined.drop(columns="policy_id")
    table = pd.get_dummies(rest, dtype=int)
    table.insert(0, "fraud", labels)
    return table.sample(frac=1, random_state=0)


@pytest.mark.skipif(not CLAIMS.exists(), reason="the insurance claims are not part of the repository")
def test_fraud_is_found_in_real_claims(home: Home) -> None:
    table = encoded()
    home.put("train", table[:4000].to_csv(index=False))
    home.put("validation", table[4000:].to_csv(index=False))
    home.order(num_round="100", max_depth="4", eta="0.1", early_stopping_rounds="15", eval_metric="aucpr,logloss")
    assert home.train() == 0
    measured = home.report["evaluation"]["metrics"]
    share = float(table["fraud"][4000:].mean())
    assert measured["auc"] > 0.7
    assert measured["pr_auc"] > 3 * share  # guessing gives the share of fraud
    assert measured["calibration_error"] < 0.03
    assert home.report["model"]["features"] == table.shape[1] - 1
    assert set(home.report["importance"]) <= {name.replace("[", "_").replace("<", "_") for name in table.columns}
