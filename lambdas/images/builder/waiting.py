"""A stack that waits for an image: CloudFormation's custom resource request, and the response to it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from typing import Any, Self

from dropscore.log import log

RESPONSE_SECONDS = 10
REASON_CHARACTERS = 800
"""Keeps the response below CloudFormation's limit of 4096 bytes."""
TOO_LATE = 403


@dataclass(frozen=True)
class Waiting:
    """A request that awaits a response. `image` is `repository:tag`, and also the resource's physical id."""

    url: str
    stack_id: str
    request_id: str
    logical_id: str
    image: str

    @classmethod
    def from_request(cls, request: dict[str, Any]) -> Self:
        properties = request["ResourceProperties"]
        is_deleted = request["RequestType"] == "Delete"
        return cls(
            url=request["ResponseURL"],
            stack_id=request["StackId"],
            request_id=request["RequestId"],
            logical_id=request["LogicalResourceId"],
            image=request["PhysicalResourceId"] if is_deleted else f"{properties['Repository']}:{properties['Tag']}",
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def respond(self, failure: str | None = None) -> None:
        """Respond to CloudFormation with success or `failure`. It ignores a second response."""
        response = {
            "Status": "FAILED" if failure else "SUCCESS",
            "Reason": (failure or "")[:REASON_CHARACTERS],
            "PhysicalResourceId": self.image,
            "StackId": self.stack_id,
            "RequestId": self.request_id,
            "LogicalResourceId": self.logical_id,
        }
        log("image", image=self.image, stack=self.stack_id, failure=failure)
        self._put(json.dumps(response, ensure_ascii=False).encode())

    def _put(self, body: bytes) -> None:
        # The URL is signed without a content type; urllib would add one by default.
        request = urllib.request.Request(self.url, data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310
        try:
            urllib.request.urlopen(request, timeout=RESPONSE_SECONDS).close()  # noqa: S310 - CloudFormation's own URL
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != TOO_LATE:
                raise
            log("image_nobody_waits", image=self.image, stack=self.stack_id)
