"""A synthesized template made fit for the emulator: a pure function.

What no emulator runs (Batch, SageMaker) is taken out and handed to the shim; references to it become literals.
Values that its properties need from the emulated rest are added as outputs, for the deployer to read back.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dropscore.errors import ConfigurationError
from local.catalogue import DROPPED, EMULATED, NOT_EMULATED, SHIMMED, generated_name

OUTPUT = "Local::Output"
Node = Any
Template = dict[str, Any]


@dataclass(frozen=True)
class Shimmed:
    """A resource that the shim runs. `properties` may hold `{"Local::Output": key}` until `filled`."""

    logical_id: str
    type: str
    name: str
    arn: str
    properties: dict[str, Any]

    def filled(self, outputs: Mapping[str, str]) -> Shimmed:
        return replace(self, properties=fill(self.properties, outputs))


@dataclass(frozen=True)
class Amendment:
    """A property that the emulator's CloudFormation drops; its value may hold placeholders as Shimmed's may."""

    logical_id: str
    type: str
    value: dict[str, Any]


@dataclass(frozen=True)
class Rewritten:
    template: Template
    shimmed: tuple[Shimmed, ...]
    amendments: tuple[Amendment, ...]
    not_emulated: tuple[str, ...]  # one readable line for each thing left out


def rewrite(stack: str, template: Template) -> Rewritten:
    """Split `template` into what the emulator deploys, what the shim runs and what neither does."""
    template = copy.deepcopy(template)
    resources: dict[str, Any] = template.get("Resources", {})
    _check_types(stack, resources)
    dropped = [key for key, value in resources.items() if value["Type"] in NOT_EMULATED]
    removed = {key: resources.pop(key) for key in list(resources) if resources[key]["Type"] in SHIMMED}
    notes = [f"{stack}/{key} ({resources[key]['Type']}): {NOT_EMULATED[resources[key]['Type']]}" for key in dropped]
    for key in dropped:
        del resources[key]
    notes += _strip_secure_transport(stack, resources)
    names = {key: _name(stack, key, value) for key, value in removed.items()}
    literals = _Literals(stack, {key: removed[key]["Type"] for key in removed}, names, _vpc_ranges(resources))
    for part in ("Resources", "Outputs"):
        template[part] = _walk(template.get(part, {}), literals.replace)
    _forget_dependencies(template["Resources"])
    template.pop("Rules", None)  # the bootstrap version check of `cdk deploy`
    template.get("Parameters", {}).pop("BootstrapVersion", None)
    shimmed = tuple(_shimmed(key, removed[key], names[key], literals, template["Outputs"]) for key in removed)
    _check_references(stack, template, dropped)
    return Rewritten(template, shimmed, tuple(_amendments(template)), tuple(notes))


def fill(node: Node, outputs: Mapping[str, str]) -> Node:
    """`node` with the emulator's values in the place of its placeholders."""
    return _walk(node, lambda mapping: outputs[mapping[OUTPUT]] if OUTPUT in mapping else mapping)


def _check_types(stack: str, resources: Mapping[str, Any]) -> None:
    for key, resource in resources.items():
        if resource["Type"] not in EMULATED | NOT_EMULATED.keys() | SHIMMED.keys():
            raise ConfigurationError(
                f"{stack}/{key} is a {resource['Type']}, which the embedded cloud does not know. Say in "
                "local/catalogue.py whether it is emulated, run by the shim, or left out and printed."
            )


def _check_references(stack: str, template: Template, dropped: list[str]) -> None:
    text = json.dumps(template)
    for key in dropped:
        if f'"{key}"' in text:
            raise ConfigurationError(f"{stack} refers to {key}, which is not emulated (see local/catalogue.py)")


def _name(stack: str, logical_id: str, resource: Mapping[str, Any]) -> str:
    given = resource.get("Properties", {}).get(SHIMMED[resource["Type"]].name_property)
    return given if isinstance(given, str) else generated_name(stack, logical_id)


def _walk(node: Node, change: Callable[[dict[str, Any]], Node]) -> Node:
    """`node` rebuilt from the leaves up, with every mapping given to `change`."""
    if isinstance(node, list):
        return [_walk(item, change) for item in node]
    if isinstance(node, dict):
        return change({key: _walk(value, change) for key, value in node.items()})
    return node


@dataclass(frozen=True)
class _Literals:
    """Replaces references to removed resources, and the one attribute the emulator lacks (a VPC's CidrBlock)."""

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
        known = SHIMMED[self.types[key]].attributes
        if attribute not in known:
            raise ConfigurationError(
                f"{self.stack} reads {attribute} of {key} ({self.types[key]}): add it to local/catalogue.py"
            )
        return known[attribute](self.names[key])

    def _sub(self, argument: Any) -> Any:
        if isinstance(argument, list):
            return [self._sub(argument[0]), argument[1]]

        def value(match: re.Match[str]) -> str:
            key, _, attribute = match[1].partition(".")
            if key in self.names and not attribute:
                return self._ref(key)
            return str(self._attribute(key, attribute, match[0]))

        return re.sub(r"\$\{([^!}]+)\}", value, argument)


def _vpc_ranges(resources: Mapping[str, Any]) -> dict[str, str]:
    vpcs = {
        key: value["Properties"]["CidrBlock"] for key, value in resources.items() if value["Type"] == "AWS::EC2::VPC"
    }
    return {key: block for key, block in vpcs.items() if isinstance(block, str)}


def _forget_dependencies(resources: Mapping[str, Any]) -> None:
    for resource in resources.values():
        wanted = resource.pop("DependsOn", [])
        kept = [key for key in ([wanted] if isinstance(wanted, str) else wanted) if key in resources]
        if kept:
            resource["DependsOn"] = kept


def _strip_secure_transport(stack: str, resources: dict[str, Any]) -> list[str]:
    """The emulator speaks plain HTTP on loopback, so `deny unless TLS` would deny everything."""
    notes = []
    for key in list(resources):
        document = resources[key].get("Properties", {}).get("PolicyDocument", {})
        statements = document.get("Statement", [])
        kept = [statement for statement in statements if not _demands_tls(statement)]
        if len(kept) == len(statements):
            continue
        notes.append(f"{stack}/{key}: the demand for TLS (plain HTTP on loopback)")
        document["Statement"] = kept
        if not kept:
            del resources[key]
    return notes


def _demands_tls(statement: Mapping[str, Any]) -> bool:
    return statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}


def _shimmed(key: str, resource: Mapping[str, Any], name: str, literals: _Literals, outputs: dict[str, Any]) -> Shimmed:
    properties = _walk(resource.get("Properties", {}), literals.replace)
    arn = SHIMMED[resource["Type"]].ref(name)
    return Shimmed(key, resource["Type"], name, arn, _externalize(properties, outputs))


def _amendments(template: Template) -> Iterator[Amendment]:
    for key, resource in template["Resources"].items():
        value = resource.get("Properties", {}).get(DROPPED.get(resource["Type"], ""))
        if value is not None:
            yield Amendment(key, resource["Type"], _externalize(value, template["Outputs"]))


def _externalize(node: Node, outputs: dict[str, Any]) -> Node:
    """Each outermost intrinsic becomes an output of the emulated template and a placeholder here."""
    if isinstance(node, list):
        return [_externalize(item, outputs) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1 and (next(iter(node)) == "Ref" or next(iter(node)).startswith("Fn::")):
        key = next((k for k, v in outputs.items() if k.startswith("LocalValue") and v["Value"] == node), None)
        key = key or f"LocalValue{len(outputs)}"
        outputs[key] = {"Value": node}
        return {OUTPUT: key}
    return {key: _externalize(value, outputs) for key, value in node.items()}
