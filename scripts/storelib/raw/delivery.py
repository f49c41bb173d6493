"""What a stage reads of its raw files, from the first look to the account: hashed before, counted while, and held against after."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING

from storelib.configuration.place import Place, Source
from storelib.contracts.contract import Contract, outputs
from storelib.contracts.raw_files import RAW_FILES
from storelib.raw.files import (
    Counts,
    HashesOf,
    counts_of,
    files_table,
    fingerprints,
    log_files,
    present_files,
    refuse_other_delivery,
    refuse_repeated,
)
from storelib.runtime import stage_parser

if TYPE_CHECKING:
    import pyarrow as pa


def raw_parser(docstring: str | None) -> ArgumentParser:
    """The parser of a stage that reads raw files: where they are, how they are read, and the list of those that were."""
    parser = stage_parser(docstring)
    parser.add_argument("--config", type=Path, required=True, help="configs/<env>.yml")
    parser.add_argument("--raw", type=Path, required=True, help="folder of raw files")
    parser.add_argument("--files", type=Path, required=True, help="output: the files that were read, with their hashes")
    return parser


def write_nothing(contract: Contract, output: Path, args: Namespace) -> None:
    """A header only, and a list of no file: what a stage writes whose source is not configured. args: those of `raw_parser`."""
    with outputs() as write:
        write(contract.schema().empty_table(), contract, output)
        write(files_table({}, args.raw, {}), RAW_FILES, args.files)


class Delivery:
    """The files of some sources, by the names of these. files: as they are before the stage reads them."""

    def __init__(
        self,
        config: Path,
        place: Place,
        folder: Path,
        sources: Mapping[str, Source],
        hashes_of: HashesOf | None = None,
    ) -> None:
        """config: the file that `place` was read from; hashes_of: as `fingerprints` has it. Raises DataError where a source has no file."""
        self.config = config
        self.place = place
        self.folder = folder
        self.sources = sources
        self.files = {
            name: fingerprints(present_files(source, folder), source, folder, hashes_of)
            for name, source in sources.items()
        }
        self.counts: dict[str, Counts] = {}

    def count(self, name: str, lines: Mapping[str, int]) -> None:
        """Take how many lines came from each file of a source, by its path. Raises DataError for a content that came twice."""
        self.accept(name, counts_of(self.files[name], lines))

    def accept(self, name: str, counts: Counts) -> None:
        """The same by content, with sales."""
        refuse_repeated(self.sources[name], self.files[name], counts)
        self.counts[name] = counts

    def table(self) -> "pa.Table":
        """The files that were read. Raises DataError where they are not those that lie there now."""
        table = files_table(self.files, self.folder, self.counts)
        refuse_other_delivery(self.config, self.place, self.folder, self.files)
        return table

    def tell(self, log: Logger, table: "pa.Table") -> None:
        """Tell the log of each file. table: that of `table`."""
        log_files(log, self.sources, self.folder, table)
