"""Run one training job, from its configuration to its model and report."""

from __future__ import annotations

import os

import xgboost

from model.training.artifact import write_artifact
from model.training.boosting import Trained, Trainer
from model.training.checkpoints import Checkpoints
from model.training.cluster import gathered, together
from model.training.config import JobConfig, read_config
from model.training.data.matrix import matrix_of
from model.training.folders import Folders
from model.training.folds import CrossValidation, cross_validate
from model.training.progress import Stop, print_best, print_folds, print_line
from model.training.report.report import write_report
from model.training.scoring import Scored, score
from model.training.summary import TRAINING_ROWS, Result, describe


def run(folders: Folders, stop: Stop) -> None:
    """Train, and save the model and the report on the first host. Raises TrainingError or StoppedError."""
    folders.check_writable()
    # Before the hosts join: a host that fails later leaves the others waiting (decision 0046).
    config = read_config(folders)
    # The image sets OMP_NUM_THREADS=1 for serving; without this, nthread could not exceed it.
    with xgboost.config_context(nthread=config.settings.booster["nthread"]), together(config.hosts):
        result = _train(config, folders, stop)
    if config.hosts.is_first:
        _save(config, folders, result)
    else:
        print_line("the first host saves the model")


def _train(config: JobConfig, folders: Folders, stop: Stop) -> Result:
    settings = config.settings
    run_id = config.run()
    checkpoints = Checkpoints(folder=folders.checkpoints, run=run_id, every=settings.checkpoint_every)
    trainer = Trainer(settings=settings, hosts=config.hosts, stop=stop, checkpoints=checkpoints)
    cross_validation = None
    if settings.kfold:
        # Without checkpoints: an interrupted fold starts again, and finished folds are kept.
        quiet = Trainer(settings=settings, hosts=config.hosts, stop=stop, is_verbose=False)
        cross_validation = cross_validate(config.train, quiet, folders.checkpoints, run_id)
    trained, sizes = _final(config, trainer, cross_validation)
    model = trained.model()
    evaluated_on, scored = _score_evaluation(config, model, cross_validation)
    return Result(
        trained=trained,
        model=model,
        cross_validation=cross_validation,
        sizes=sizes,
        evaluated_on=evaluated_on,
        scored=scored,
    )


def _final(
    config: JobConfig, trainer: Trainer, cross_validation: CrossValidation | None
) -> tuple[Trained, dict[str, int]]:
    """Train on all rows of `train`. Without `validation`, early stopping in the folds decides the number of rounds."""
    watched = {"train": matrix_of(config.train, trainer.stop)}
    if config.validation:
        watched["validation"] = matrix_of(config.validation, trainer.stop, like=watched["train"])
    sizes = {name: sum(gathered(matrix.num_row(), config.hosts)) for name, matrix in watched.items()}
    if cross_validation and not config.validation and config.settings.early_stopping_rounds:
        return trainer.to_the_end().train(watched, cross_validation.rounds), sizes
    return trainer.train(watched, config.settings.num_round), sizes


def _score_evaluation(
    config: JobConfig, model: xgboost.Booster, cross_validation: CrossValidation | None
) -> tuple[str, Scored]:
    """Score the rows to evaluate on: rows that the model has not seen, if there are any."""
    if config.validation:
        return "validation", score(model, config.validation, config.hosts)
    if cross_validation:
        return f"the held-out rows of {len(cross_validation.folds)} folds", cross_validation.scored()
    return TRAINING_ROWS, score(model, config.train, config.hosts)


def _save(config: JobConfig, folders: Folders, result: Result) -> None:
    write_report(folders.report, describe(config, result))
    job = os.environ.get("TRAINING_JOB_NAME", "training job")
    sha256 = write_artifact(folders.model, result.model, config.settings, job)
    print_best("train", result.trained.best)
    print_best("validation", result.trained.best)
    if result.cross_validation:
        print_folds(result.cross_validation.summary())
    print_line(f"saved a model of {result.trained.rounds} rounds, sha256 {sha256}")
