"""The names of the models' features: one S3 object per model that has them, read by `submit` and the workers.

They do not fit into the environment of a Lambda function, which is limited to 4 KB.
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
    """`keys` holds the S3 key of the object by model; all objects are in the CDK bootstrap bucket."""

    def __init__(self, scope: Construct, construct_id: str, *, models: Sequence[ServedModel]) -> None:
        super().__init__(scope, construct_id)
        self._assets = {model.name: self._asset(model) for model in models if model.feature_names}
        self.keys = {name: asset.s3_object_key for name, asset in self._assets.items()}

    @property
    def environment(self) -> dict[str, str]:
        """The variable that names the bucket; empty if no model has feature names."""
        first = next(iter(self._assets.values()), None)
        return {} if first is None else {names.FEATURE_NAMES_BUCKET: first.s3_bucket_name}

    @property
    def arns(self) -> list[str]:
        return [asset_arn(asset) for asset in self._assets.values()]

    def grant_read(self, role: iam.IGrantable) -> None:
        for asset in self._assets.values():
            grant_read_asset(role, asset)

    def _asset(self, model: ServedModel) -> s3_assets.Asset:
        """The key derives from the content: model versions with the same names share one object."""
        # The asset copies the file when it is created, so the folder may be removed afterwards.
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "feature-names.json")
            file.write_text(json.dumps(model.feature_names))
            return s3_assets.Asset(self, model.name, path=str(file))
