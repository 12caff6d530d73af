"""One training job, from its order to its model and report."""

from __future__ import annotations

import os

import xgboost

from model.training.artifact import write_artifact
from model.training.boosting import Trained, Trainer
from model.training.checkpoints import Checkpoints
from model.training.cluster import gathered, together
from model.training.data.matrix import matrix_of
from model.training.folders import Folders
from model.training.folds import CrossValidation, cross_validate
from model.training.progress import say, say_best, say_folds
from model.training.report.report import write_report
from model.training.request import Order, read_order
from model.training.scoring import Scored, score
from model.training.stopping import Stop
from model.training.summary import FLATTERING, Result, describe


def run(folders: Folders, stop: Stop) -> None:
    folders.check_writable()
    order = read_order(folders)
    # The image sets OMP_NUM_THREADS=1 for serving, and XGBoost's own nthread cannot go beyond it.
    with xgboost.config_context(nthread=order.settings.booster["nthread"]), together(order.hosts):
        result = _train(order, folders, stop)
    if order.hosts.is_first:
        _save(order, folders, result)
    else:
        say("the first host saves the model")


def _train(order: Order, folders: Folders, stop: Stop) -> Result:
    settings = order.settings
    run_id = order.run()
    checkpoints = Checkpoints(folder=folders.checkpoints, run=run_id, every=settings.checkpoint_every)
    trainer = Trainer(settings=settings, hosts=order.hosts, stop=stop, checkpoints=checkpoints)
    crossed = None
    if settings.kfold:
        quiet = Trainer(settings=settings, hosts=order.hosts, stop=stop, is_loud=False)
        crossed = cross_validate(order.train, quiet, folders.checkpoints, run_id)
    trained, sizes = _final(order, trainer, crossed)
    model = trained.model()
    evaluated_on, scored = _scored(order, model, crossed)
    return Result(trained=trained, model=model, crossed=crossed, sizes=sizes, evaluated_on=evaluated_on, scored=scored)


def _final(order: Order, trainer: Trainer, crossed: CrossValidation | None) -> tuple[Trained, dict[str, int]]:
    """On all rows of `train`; without `validation`, for as long as early stopping let the folds go on."""
    watched = {"train": matrix_of(order.train, trainer.stop)}
    if order.validation:
        watched["validation"] = matrix_of(order.validation, trainer.stop, like=watched["train"])
    sizes = {name: sum(gathered(matrix.num_row(), order.hosts)) for name, matrix in watched.items()}
    if crossed and not order.validation and order.settings.early_stopping_rounds:
        return trainer.to_the_end().train(watched, crossed.rounds), sizes
    return trainer.train(watched, order.settings.num_round), sizes


def _scored(order: Order, model: xgboost.Booster, crossed: CrossValidation | None) -> tuple[str, Scored]:
    """The fairest rows there are: unseen ones, if any."""
    if order.validation:
        return "validation", score(model, order.validation, order.hosts)
    if crossed:
        return f"the held-out rows of {len(crossed.folds)} folds", crossed.scored()
    return FLATTERING, score(model, order.train, order.hosts)


def _save(order: Order, folders: Folders, result: Result) -> None:
    write_report(folders.report, describe(order, result))
    job = os.environ.get("TRAINING_JOB_NAME", "training job")
    sha256 = write_artifact(folders.model, result.model, order.settings, job)
    say_best("train", result.trained.best)
    say_best("validation", result.trained.best)
    if result.crossed:
        say_folds(result.crossed.summary())
    say(f"saved a model of {result.trained.rounds} rounds, sha256 {sha256}")
