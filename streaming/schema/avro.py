"""Avro values that name their own schema, so that readers of any age can tell versions apart.

A value is encoded as the Avro specification's *single object*: the marker C3 01, the CRC-64-AVRO
fingerprint of the writer's schema (8 bytes, little-endian), the body. Every version of a schema
that was ever written ships in `versions/`; a value of any of them is resolved to the newest.
"""

from __future__ import annotations

import io
import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from streaming.errors import RecordError
from streaming.schema.limits import Breach

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER: Final = b"\xc3\x01"
_HEADER_BYTES: Final = len(MARKER) + 8


class SchemaFamily:
    """All versions of the schema of one kind of record.

    Attributes:
        fingerprints: fingerprint of each version, by version number, as it stands in a value.
        newest: number of the version that is written.
    """

    def __init__(self, definitions: dict[int, Any]) -> None:
        """Takes the definition (parsed JSON) of each version by its number."""
        self.fingerprints = {n: schema_fingerprint(d) for n, d in definitions.items()}
        self.newest = max(definitions)
        self._writers = {
            self.fingerprints[n]: fastavro.parse_schema(d) for n, d in definitions.items()
        }
        self._reader = self._writers[self.fingerprints[self.newest]]
        self._header = MARKER + self.fingerprints[self.newest]

    def encode(self, fields: dict[str, Any]) -> bytes:
        """Encodes the fields of a record by the newest version."""
        value = io.BytesIO()
        value.write(self._header)
        fastavro.schemaless_writer(value, self._reader, fields)
        return value.getvalue()

    def decode(self, value: bytes, max_bytes: int) -> dict[str, Any]:
        """Decodes a value of any version to the fields of the newest.

        What it allocates is bounded by the value's own length, whatever lengths it declares.

        Raises:
            RecordError: when the value is over `max_bytes` or is no such record.
        """
        if len(value) > max_bytes:
            line = f"record of {len(value)} bytes, at most {max_bytes} are allowed"
            raise RecordError(Breach.TOO_LARGE, line)
        writer = self._writer_of(value)
        body = io.BytesIO(value)
        body.seek(_HEADER_BYTES)
        try:
            fields = fastavro.schemaless_reader(body, writer, self._reader)
        except EOFError as error:
            line = f"record of {len(value)} bytes ends inside a field"
            raise RecordError(Breach.TRUNCATED, line) from error
        except (ValueError, IndexError, OverflowError) as error:
            line = f"record's body is not Avro of its schema ({type(error).__name__})"
            raise RecordError(Breach.NOT_AVRO, line) from error
        if body.tell() != len(value):
            line = f"record has {len(value) - body.tell()} bytes after its last field"
            raise RecordError(Breach.TRAILING_BYTES, line)
        assert isinstance(fields, dict)  # noqa: S101  every schema here is a record
        return fields

    def _writer_of(self, value: bytes) -> Any:  # noqa: ANN401  fastavro's parsed schema
        if not value.startswith(MARKER) or len(value) < _HEADER_BYTES:
            line = f"record does not begin with the marker C3 01 but with {value[:10].hex()!r}"
            raise RecordError(Breach.NOT_AVRO, line)
        name = value[len(MARKER) : _HEADER_BYTES]
        if name not in self._writers:
            line = f"record's schema {name.hex()} is unknown; was it written by a newer version?"
            raise RecordError(Breach.UNKNOWN_SCHEMA, line)
        return self._writers[name]


def schema_fingerprint(definition: Any) -> bytes:  # noqa: ANN401  any JSON is a schema
    """CRC-64-AVRO of a schema's parsing canonical form, 8 bytes, little-endian."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(definition), "CRC-64-AVRO"))


@lru_cache
def schema_family(name: str) -> SchemaFamily:
    """The shipped versions of a schema, such as `pair`."""
    return SchemaFamily(dict(_shipped(name)))


def _shipped(name: str) -> Iterator[tuple[int, Any]]:
    for file in files("streaming.schema").joinpath("versions").iterdir():
        match = re.fullmatch(rf"{name}-(\d+)\.avsc", file.name)
        if match:
            yield int(match[1]), json.loads(file.read_text(encoding="utf-8"))
