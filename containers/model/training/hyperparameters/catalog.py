"""The hyperparameters of a training job: those of XGBoost's tree boosters, then our own."""

from __future__ import annotations

from model.training.hyperparameters.types import Choice, Flag, Metrics, Number, Pattern, Type, Whole

OBJECTIVES = (
    "binary:logistic",
    "binary:logitraw",
    "binary:hinge",
    "multi:softprob",
    "multi:softmax",
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:logistic",
    "reg:pseudohubererror",
    "reg:absoluteerror",
    "reg:quantileerror",
    "reg:gamma",
    "reg:tweedie",
    "count:poisson",
)
METRICS = (
    *("rmse", "rmsle", "mae", "mape", "mphe", "logloss", "error", "merror", "mlogloss", "auc", "aucpr"),
    *("poisson-nloglik", "gamma-nloglik", "gamma-deviance", "tweedie-nloglik", "quantile"),
)
SHARE = Number(0, 1, is_low_open=True)
NOT_NEGATIVE = Number(0)

OF_XGBOOST: dict[str, Type] = {
    "alpha": NOT_NEGATIVE,
    "base_score": Number(),
    "booster": Choice(("gbtree", "dart")),
    "colsample_bylevel": SHARE,
    "colsample_bynode": SHARE,
    "colsample_bytree": SHARE,
    "eta": Number(0, 1),
    "eval_metric": Metrics(METRICS),
    "gamma": NOT_NEGATIVE,
    "grow_policy": Choice(("depthwise", "lossguide")),
    "huber_slope": Number(0, is_low_open=True),
    "interaction_constraints": Pattern(r"\[\s*(\[[0-9,\s]*\]\s*,?\s*)*\]", "[[0, 1], [2, 3, 4]]"),
    "lambda": NOT_NEGATIVE,
    "max_bin": Whole(2),
    "max_delta_step": NOT_NEGATIVE,
    "max_depth": Whole(0),
    "max_leaves": Whole(0),
    "min_child_weight": NOT_NEGATIVE,
    "monotone_constraints": Pattern(r"\(\s*(-?[01]\s*,?\s*)*\)", "(1, 0, -1)"),
    "normalize_type": Choice(("tree", "forest")),
    "nthread": Whole(1),
    "num_class": Whole(2),
    "num_parallel_tree": Whole(1),
    "objective": Choice(OBJECTIVES),
    "one_drop": Flag(),
    "quantile_alpha": Number(0, 1, is_low_open=True),
    "rate_drop": Number(0, 1),
    "sample_type": Choice(("uniform", "weighted")),
    "scale_pos_weight": NOT_NEGATIVE,
    "seed": Whole(0),
    "skip_drop": Number(0, 1),
    "subsample": SHARE,
    "tree_method": Choice(("auto", "hist", "approx", "exact")),
    "tweedie_variance_power": Number(1, 2, is_low_open=True),
    "verbosity": Whole(0, 3),
}
OURS: dict[str, Type] = {
    "checkpoint_every": Whole(0),
    "cost_false_negative": NOT_NEGATIVE,
    "cost_false_positive": NOT_NEGATIVE,
    "csv_header": Choice(("auto", "true", "false")),
    "csv_weights": Flag(),
    "early_stopping_rounds": Whole(1),
    "kfold": Whole(2, 100),
    "missing": Number(),
    "num_round": Whole(1),
}
ALIASES = {
    "learning_rate": "eta",
    "min_split_loss": "gamma",
    "reg_alpha": "alpha",
    "reg_lambda": "lambda",
    "n_estimators": "num_round",
    "num_boost_round": "num_round",
    "n_jobs": "nthread",
    "random_state": "seed",
    "_kfold": "kfold",
}
# Hyperparameters of the built-in algorithm and of old scripts, with what to do instead.
NOT_SUPPORTED = {
    "updater": "XGBoost chooses it from tree_method; remove it",
    "process_type": "models are trained from the start; remove it",
    "refresh_leaf": "models are trained from the start; remove it",
    "predictor": "XGBoost no longer has it; remove it",
    "sketch_eps": "XGBoost no longer has it; use max_bin",
    "silent": "XGBoost no longer has it; use verbosity",
    "dsplit": "XGBoost no longer has it; remove it",
    "deterministic_histogram": "the histogram is always deterministic; remove it",
    "single_precision_histogram": "XGBoost no longer has it; remove it",
    "lambda_bias": "it is for booster=gblinear, which is not supported; remove it",
    "aft_loss_distribution": "survival:aft needs two labels a row, which a CSV with one label column cannot hold",
    "save_model_on_termination": "SIGTERM saves a checkpoint, from which the same job resumes; remove it",
    "_num_cv_round": "k-fold runs once; remove it, or run several jobs with different seeds",
    "num_group": "ranking needs groups, which a CSV with one label column cannot hold",
}
