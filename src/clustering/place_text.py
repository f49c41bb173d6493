"""Put a source into configs/<env>.yml as text, so that comments stay."""

import re
import tempfile
from pathlib import Path

from storelib.configuration.place import Place, load_place, named_sources
from storelib.errors import ConfigError, PipelineError


def with_source(config: Path, place: Place, name: str, reader: str, path: str) -> str:
    """The configuration with one more source, such as `baseline`.

    Raises ConfigError where the lines do not make the configuration that is meant.
    """
    text = config.read_text(encoding="utf-8")
    # The same in every source.
    id_case = next(source.id_case for _, source in named_sources(place.sources))
    case = "" if id_case == "fail" else f"\n    id_case: {id_case}"
    lines = f"  {name}:\n    reader: {reader}\n    path: {path}{case}\n"
    changed = re.sub(
        r"^sources:[^\S\n]*(#[^\n]*)?\n", lambda match: match[0] + lines, text, count=1, flags=re.MULTILINE
    )
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder, config.name)
        trial.write_text(changed, encoding="utf-8")
        try:
            source = getattr(load_place(trial).sources, name)
        except PipelineError:
            source = None
    if source is None or source.path != path:
        raise ConfigError(
            f"{config}: the {name.replace('_', ' ')} cannot be added to `sources` by itself",
            solution=f"add it by hand: {name}: {{reader: {reader}, path: {path}}}; and do this again",
        )
    return changed
