"""A stack that waits for an image: what CloudFormation asks of a custom resource, and the answer it must get."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from typing import Any, Self

from dropscore.log import log

ANSWER_SECONDS = 10
REASON_CHARACTERS = 800
"""CloudFormation refuses answers of more than 4096 bytes."""
TOO_LATE = 403


@dataclass(frozen=True)
class Waiting:
    """`image` is `repository:tag`, and also the name by which CloudFormation knows the resource from then on."""

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

    def written(self) -> str:
        return json.dumps(asdict(self))

    def tell(self, failure: str | None = None) -> None:
        """Let the stack go on, or fail with the words of `failure`. A second answer changes nothing."""
        answer = {
            "Status": "FAILED" if failure else "SUCCESS",
            "Reason": (failure or "")[:REASON_CHARACTERS],
            "PhysicalResourceId": self.image,
            "StackId": self.stack_id,
            "RequestId": self.request_id,
            "LogicalResourceId": self.logical_id,
        }
        log("image", image=self.image, stack=self.stack_id, failure=failure)
        self._put(json.dumps(answer, ensure_ascii=False).encode())

    def _put(self, body: bytes) -> None:
        # The URL is signed for a request without a content type; left out, urllib would make one up.
        request = urllib.request.Request(self.url, data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310
        try:
            urllib.request.urlopen(request, timeout=ANSWER_SECONDS).close()  # noqa: S310 - CloudFormation's own URL
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != TOO_LATE:
                raise
            log("image_nobody_waits", image=self.image, stack=self.stack_id)
