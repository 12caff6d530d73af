"""Template references: to removed resources they become literals, from removed resources they become outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dropscore.errors import ConfigurationError
from local.deployment.catalog import SHIMMED

OUTPUT = "Local::Output"
Node = Any


def walk(node: Node, change: Callable[[dict[str, Any]], Node]) -> Node:
    """Rebuild `node` from the leaves up, applying `change` to every mapping."""
    if isinstance(node, list):
        return [walk(item, change) for item in node]
    if isinstance(node, dict):
        return change({key: walk(value, change) for key, value in node.items()})
    return node


@dataclass(frozen=True)
class Literals:
    """Replaces references to removed resources, and a VPC's CidrBlock, which the emulator does not return."""

    stack: str
    types: Mapping[str, str]
    names: Mapping[str, str]
    vpc_ranges: Mapping[str, str]

    def replace(self, node: dict[str, Any]) -> Node:
        if len(node) != 1:
            return node
        (function, argument), *_ = node.items()
        if function == "Ref" and argument in self.names:
            return self._ref(argument)
        if function == "Fn::GetAtt":
            target, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
            return self._attribute(target, attribute, node)
        if function == "Fn::Sub":
            return {function: self._sub(argument)}
        return node

    def _ref(self, key: str) -> str:
        return SHIMMED[self.types[key]].ref(self.names[key])

    def _attribute(self, key: str, attribute: str, otherwise: Node) -> Node:
        if key in self.vpc_ranges and attribute == "CidrBlock":
            return self.vpc_ranges[key]
        if key not in self.names:
            return otherwise
        attributes = SHIMMED[self.types[key]].attributes
        if attribute not in attributes:
            raise ConfigurationError(
                f"{self.stack} reads {attribute} of {key} ({self.types[key]}): add it to local/deployment/catalog.py"
            )
        return attributes[attribute](self.names[key])

    def _sub(self, argument: Any) -> Any:
        if isinstance(argument, list):
            return [self._sub(argument[0]), argument[1]]

        def value(match: re.Match[str]) -> str:
            key, _, attribute = match[1].partition(".")
            if key in self.names and not attribute:
                return self._ref(key)
            return str(self._attribute(key, attribute, match[0]))

        # `${!Name}` is a literal, not a reference.
        return re.sub(r"\$\{([^!}]+)\}", value, argument)


def externalize(node: Node, outputs: dict[str, Any]) -> Node:
    """Replace each outermost intrinsic with a placeholder, and add its value to `outputs` of the emulated template."""
    if isinstance(node, list):
        return [externalize(item, outputs) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1 and (next(iter(node)) == "Ref" or next(iter(node)).startswith("Fn::")):
        key = next((k for k, v in outputs.items() if k.startswith("LocalValue") and v["Value"] == node), None)
        key = key or f"LocalValue{len(outputs)}"
        outputs[key] = {"Value": node}
        return {OUTPUT: key}
    return {key: externalize(value, outputs) for key, value in node.items()}


def fill(node: Node, outputs: Mapping[str, str]) -> Node:
    """`node` with its placeholders replaced by the emulator's output values."""
    return walk(node, lambda mapping: outputs[mapping[OUTPUT]] if OUTPUT in mapping else mapping)
