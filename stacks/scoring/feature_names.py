"""The names of the models' features: an object for each model that has them, read by `submit` and the workers.

A Lambda's environment, 4 KB for all of it, would not hold them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from schema import environment as names
from stacks.constructs.grants import asset_arn, grant_read_asset
from stacks.settings import ServedModel


class FeatureNames(Construct):
    """`keys` names the object of each model that has one; all of them lie in one bucket, the bootstrap's."""

    def __init__(self, scope: Construct, construct_id: str, *, models: Sequence[ServedModel]) -> None:
        super().__init__(scope, construct_id)
        self._assets = {model.name: self._asset(model) for model in models if model.feature_names}
        self.keys = {name: asset.s3_object_key for name, asset in self._assets.items()}

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to know besides the keys; nothing where no model has names."""
        first = next(iter(self._assets.values()), None)
        return {} if first is None else {names.FEATURE_NAMES_BUCKET: first.s3_bucket_name}

    @property
    def arns(self) -> list[str]:
        return [asset_arn(asset) for asset in self._assets.values()]

    def grant_read(self, role: iam.IGrantable) -> None:
        for asset in self._assets.values():
            grant_read_asset(role, asset)

    def _asset(self, model: ServedModel) -> s3_assets.Asset:
        """Named by its content: the same names are the same object, for every version of a model."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "feature-names.json")
            file.write_text(json.dumps(model.feature_names))
            return s3_assets.Asset(self, model.name, path=str(file))
