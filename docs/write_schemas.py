"""Write the JSON schemas of params.yaml and configs/<env>.yml, which editors check and complete by.

They follow from the models in scripts/lib: run `make schemas` after a change there.
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from storelib.configuration.params import Params
from storelib.configuration.place import Compute, Place

FOLDER = ROOT / "configs" / "schema"
VARIABLE = {"type": "string", "pattern": r"\$\{env:[A-Za-z_][A-Za-z0-9_]*(,[^}]*)?\}"}


def schemas() -> dict[str, dict[str, Any]]:
    """File name to schema."""
    place = Place.model_json_schema()
    # `${env:NAME,default}` is filled in before the model sees a value.
    settings = place["$defs"][Compute.__name__]["properties"]
    for name, setting in settings.items():
        words = {key: setting.pop(key) for key in ("title", "description", "default")}
        settings[name] = {**words, "anyOf": [setting, VARIABLE]}
    return {"params.json": Params.model_json_schema(), "config.json": place}


def text_of(schema: dict[str, Any]) -> str:
    """A schema as the file holds it."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write both."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (FOLDER / name).write_text(text_of(schema), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
