from __future__ import annotations

import pytest

from model.training.errors import TrainingError
from model.training.hyperparameters.catalog import ALIASES, OF_XGBOOST, OURS
from model.training.hyperparameters.hyperparameters import cores, parse


def test_strings_become_typed_values() -> None:
    found = parse({"eta": "0.2", "max_depth": "5", "num_round": "12", "csv_weights": "1", "one_drop": "true"})
    assert (found.booster["eta"], found.booster["max_depth"], found.booster["one_drop"]) == (0.2, 5, True)
    assert (found.num_round, found.csv_weights) == (12, True)
    assert "num_round" not in found.booster


def test_missing_hyperparameters_have_defaults() -> None:
    found = parse({})
    assert found.objective == "binary:logistic"
    assert found.booster["nthread"] == cores()
    assert found.booster["seed"] == 0


def test_cores_can_be_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROPSCORE_CORES", "3")
    assert parse({}).booster["nthread"] == 3


def test_values_in_quotes_of_the_sdk_and_whole_numbers_of_tuning_jobs_are_read() -> None:
    found = parse({"objective": '"reg:squarederror"', "max_depth": "6.0"})
    assert (found.objective, found.booster["max_depth"]) == ("reg:squarederror", 6)


def test_hyperparameters_that_sagemaker_adds_are_ignored() -> None:
    parse({"sagemaker_program": "x", "_tuning_objective_metric": "validation:auc"})


@pytest.mark.parametrize(
    ("text", "names"),
    [("auc,logloss", ["auc", "logloss"]), ('["auc", "error@0.7"]', ["auc", "error@0.7"]), ("rmse", ["rmse"])],
)
def test_several_metrics_are_separated_by_commas(text: str, names: list[str]) -> None:
    assert parse({"eval_metric": text}).booster["eval_metric"] == names


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"num_rounds": "5"}, "num_rounds is unknown; did you mean num_round?"),
        ({"zzz": "5"}, "zzz is unknown; remove it"),
        ({"eta": "7"}, "eta must be a number, 0 or more and 1 or less"),
        ({"subsample": "0"}, "subsample must be a number, over 0 and 1 or less"),
        ({"gamma": "-1"}, "gamma must be a number, 0 or more"),
        ({"eta": "nan"}, "eta must be a number"),
        ({"eta": ""}, "eta must be a number"),
        ({"max_depth": "2.5"}, "max_depth must be a whole number from 0"),
        ({"max_bin": "1"}, "max_bin must be a whole number from 2"),
        ({"kfold": "1"}, "kfold must be a whole number from 2"),
        ({"booster": "gblinear"}, "booster must be one of gbtree, dart"),
        ({"objective": "rank:ndcg"}, "objective must be one of"),
        ({"csv_weights": "yes"}, "csv_weights must be 0, 1, true or false"),
        ({"monotone_constraints": "1,2"}, "monotone_constraints must look like (1, 0, -1)"),
        ({"eval_metric": "accuracy"}, "eval_metric must be one or more of"),
        ({"eval_metric": ""}, "eval_metric must be one or more of"),
        ({"silent": "1"}, "silent is not supported: XGBoost no longer has it; use verbosity"),
        ({"updater": "refresh"}, "updater is not supported"),
        ({"eta": "0.1", "learning_rate": "0.2"}, "learning_rate and eta are the same; keep one"),
        ({"objective": "multi:softprob"}, "multi:softprob needs num_class"),
        ({"num_class": "3"}, "binary:logistic has no classes; remove num_class"),
        ({"booster": "dart", "early_stopping_rounds": "3"}, "early_stopping_rounds does not work with booster=dart"),
        ({"objective": "reg:quantileerror"}, "needs quantile_alpha"),
    ],
)
def test_a_wrong_one_is_named_with_the_fix(given: dict[str, str], reason: str) -> None:
    with pytest.raises(TrainingError) as refused:
        parse(given)
    assert reason in str(refused.value)


def test_one_error_lists_all_faults() -> None:
    with pytest.raises(TrainingError, match=r"eta must .*; max_depth must .*; zzz is unknown"):
        parse({"eta": "x", "max_depth": "x", "zzz": "x"})


def test_every_alias_leads_to_a_known_name() -> None:
    assert set(ALIASES.values()) <= {*OF_XGBOOST, *OURS}
