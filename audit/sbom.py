"""Write what the pipeline is made of as a bill of materials, in CycloneDX's JSON: each package of a lock with its hashes and licence.

usage: python audit/sbom.py [--lock pipeline] OUTPUT

Equal locks give equal bytes: the serial number follows from the content, and the time is that of SOURCE_DATE_EPOCH, or none.
"""

import argparse
import json
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import metadata, version
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import Tool
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from locks import ROOT, installed, licence_of, read_lock, read_rules

PROJECT = "clustering-pipeline"
SERIALS = uuid.UUID("0c1de9c4-9d4e-5a0f-8f3e-2b8a8f3a6d10")


def bill_of(lock: Path) -> Bom:
    """The packages of a lock, and which of them need which."""
    rules, make = read_rules(), LicenseFactory()
    own = Component(
        type=ComponentType.APPLICATION,
        name=PROJECT,
        version=version(PROJECT),
        bom_ref=PROJECT,
        licenses=[make.make_from_string(metadata(PROJECT)["License-Expression"])],
    )
    parts: dict[str, Component] = {}
    needs: dict[str, list[str]] = {}
    for one in read_lock(lock):
        said = installed(one)
        licence = licence_of(one.name, said, rules) if said else None
        parts[one.name] = Component(
            type=ComponentType.LIBRARY,
            name=one.name,
            version=one.version,
            bom_ref=f"{one.name}=={one.version}",
            purl=PackageURL(type="pypi", name=one.name, version=one.version),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest.partition(":")[2]) for digest in one.hashes],
            licenses=[make.make_from_string(licence)] if licence else [],
        )
        needs[one.name] = needed(said.get_all("Requires-Dist") or []) if said else []
    bill = Bom(components=parts.values())
    bill.metadata.component = own
    bill.metadata.tools.tools.add(Tool(name="audit/sbom.py", version=version(PROJECT)))
    bill.register_dependency(
        own, [parts[name] for name in needed(metadata(PROJECT).get_all("Requires-Dist") or []) if name in parts]
    )
    for name, found in needs.items():
        bill.register_dependency(parts[name], [parts[other] for other in found if other in parts])
    return bill


def needed(lines: Sequence[str]) -> list[str]:
    """The packages that are needed here, of what a package says it needs; those of its extras too, where they are locked."""
    requirements = [Requirement(line) for line in lines]
    return [
        canonicalize_name(one.name) for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})
    ]


def text_of(bill: Bom) -> str:
    """The bill as JSON, the same for the same content."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    content = json.loads(JsonV1Dot6(bill).output_as_string())
    del content["serialNumber"], content["metadata"]["timestamp"]
    if epoch:
        content["metadata"]["timestamp"] = datetime.fromtimestamp(int(epoch), UTC).isoformat()
    serial = uuid.uuid5(SERIALS, json.dumps(content, sort_keys=True))
    return json.dumps(content | {"serialNumber": f"urn:uuid:{serial}"}, indent=2, sort_keys=True) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Write the bill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lock", default="pipeline", help="the lock of envs/")
    parser.add_argument("output", type=Path)
    args = parser.parse_args(argv)
    bill = bill_of(ROOT / "envs" / f"{args.lock}.txt")
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(text_of(bill), encoding="utf-8")
    sys.stdout.write(f"{args.output}: {len(bill.components)} components of envs/{args.lock}.txt\n")


if __name__ == "__main__":
    main()
