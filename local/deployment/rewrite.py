"""Adapts a synthesized template to the emulator; a pure function.

Batch and SageMaker resources, which no emulator runs, move to the shim, and references to them become literals. Values
that their properties need from emulated resources become outputs, which the deployer reads.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dropscore.errors import ConfigurationError
from local.deployment.catalog import DROPPED, EMULATED, NOT_EMULATED, SHIMMED, generated_name
from local.deployment.references import Literals, externalize, fill, walk
from local.deployment.translation import translate

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
    """A property that the emulator's CloudFormation ignores; its value may hold placeholders, as in Shimmed."""

    logical_id: str
    type: str
    value: dict[str, Any]


@dataclass(frozen=True)
class Rewritten:
    template: Template
    shimmed: tuple[Shimmed, ...]
    amendments: tuple[Amendment, ...]
    not_emulated: tuple[str, ...]  # one readable line for each omission


def rewrite(stack: str, template: Template) -> Rewritten:
    """Split `template` into what the emulator deploys, what the shim runs, and what is left out.

    Raises ConfigurationError for a resource type that the catalog does not list.
    """
    template = copy.deepcopy(template)
    resources: dict[str, Any] = template.get("Resources", {})
    _check_types(stack, resources)
    dropped = [key for key, value in resources.items() if value["Type"] in NOT_EMULATED]
    removed = {key: resources.pop(key) for key in list(resources) if resources[key]["Type"] in SHIMMED}
    notes = [f"{stack}/{key} ({resources[key]['Type']}): {NOT_EMULATED[resources[key]['Type']]}" for key in dropped]
    for key in dropped:
        del resources[key]
    notes += _strip_secure_transport(stack, resources)
    notes += _strip_source_account(stack, resources)
    notes += translate(stack, resources)
    names = {key: _name(stack, key, value) for key, value in removed.items()}
    literals = Literals(stack, {key: removed[key]["Type"] for key in removed}, names, _vpc_ranges(resources))
    for part in ("Resources", "Outputs"):
        template[part] = walk(template.get(part, {}), literals.replace)
    _drop_removed_dependencies(template["Resources"])
    template.pop("Rules", None)  # the bootstrap version check of `cdk deploy`
    template.get("Parameters", {}).pop("BootstrapVersion", None)
    shimmed = tuple(_shimmed(key, removed[key], names[key], literals, template["Outputs"]) for key in removed)
    _check_references(stack, template, dropped)
    return Rewritten(template, shimmed, tuple(_amendments(template)), tuple(notes))


def _check_types(stack: str, resources: Mapping[str, Any]) -> None:
    for key, resource in resources.items():
        if resource["Type"] not in EMULATED | NOT_EMULATED.keys() | SHIMMED.keys():
            raise ConfigurationError(
                f"{stack}/{key}: the embedded cloud does not know the resource type {resource['Type']}; list it in "
                "local/deployment/catalog.py as emulated, shimmed or not emulated"
            )


def _check_references(stack: str, template: Template, dropped: list[str]) -> None:
    text = json.dumps(template)
    for key in dropped:
        if f'"{key}"' in text:
            raise ConfigurationError(
                f"{stack} refers to {key}, which local/deployment/catalog.py lists as not emulated"
            )


def _name(stack: str, logical_id: str, resource: Mapping[str, Any]) -> str:
    given = resource.get("Properties", {}).get(SHIMMED[resource["Type"]].name_property)
    return given if isinstance(given, str) else generated_name(stack, logical_id)


def _vpc_ranges(resources: Mapping[str, Any]) -> dict[str, str]:
    vpcs = {
        key: value["Properties"]["CidrBlock"] for key, value in resources.items() if value["Type"] == "AWS::EC2::VPC"
    }
    return {key: block for key, block in vpcs.items() if isinstance(block, str)}


def _drop_removed_dependencies(resources: Mapping[str, Any]) -> None:
    for resource in resources.values():
        dependencies = resource.pop("DependsOn", [])
        dependencies = [dependencies] if isinstance(dependencies, str) else dependencies
        kept = [key for key in dependencies if key in resources]
        if kept:
            resource["DependsOn"] = kept


def _strip_secure_transport(stack: str, resources: dict[str, Any]) -> list[str]:
    """Remove "deny without TLS": the emulator uses plain HTTP on loopback, so the statement would deny everything."""
    notes = []
    for key in list(resources):
        document = resources[key].get("Properties", {}).get("PolicyDocument", {})
        statements = document.get("Statement", [])
        kept = [statement for statement in statements if not _requires_tls(statement)]
        if len(kept) == len(statements):
            continue
        notes.append(f"{stack}/{key}: the statement that requires TLS (loopback uses plain HTTP)")
        document["Statement"] = kept
        if not kept:
            del resources[key]
    return notes


def _strip_source_account(stack: str, resources: Mapping[str, Any]) -> list[str]:
    """Remove aws:SourceAccount: the shim assumes roles for services, but cannot set this key as a service does."""
    conditions = [
        statement["Condition"]["StringEquals"]
        for resource in resources.values()
        for statement in resource.get("Properties", {}).get("AssumeRolePolicyDocument", {}).get("Statement", [])
        if "aws:SourceAccount" in statement.get("Condition", {}).get("StringEquals", {})
    ]
    for condition in conditions:
        del condition["aws:SourceAccount"]
    return [f"{stack}: aws:SourceAccount of {len(conditions)} trust policies"] if conditions else []


def _requires_tls(statement: Mapping[str, Any]) -> bool:
    return statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}


def _shimmed(key: str, resource: Mapping[str, Any], name: str, literals: Literals, outputs: dict[str, Any]) -> Shimmed:
    properties = walk(resource.get("Properties", {}), literals.replace)
    arn = SHIMMED[resource["Type"]].ref(name)
    return Shimmed(key, resource["Type"], name, arn, externalize(properties, outputs))


def _amendments(template: Template) -> Iterator[Amendment]:
    for key, resource in template["Resources"].items():
        value = resource.get("Properties", {}).get(DROPPED.get(resource["Type"], ""))
        if value is not None:
            yield Amendment(key, resource["Type"], externalize(value, template["Outputs"]))
