"""Convert a document of any encoding to UTF-8, chunk by chunk."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from ingest.parsers.cases import ReportStream

CHUNK = 1 << 18

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""")
_TEXT_CODEC = re.compile(r"(utf|iso|latin|ascii|windows|cp|ibm|gb|big5|shift|euc|koi8|mac)[\w.:-]*", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _codec(head: bytes) -> str:
    """Python's name of the encoding: by byte order mark, shape of the first bytes or declaration; else UTF-8."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    if head[:2] == b"<\0" and head[3:4] == b"\0":
        return "utf-16-le"
    if head[:3:2] == b"\0\0" and head[1:2] == b"<":
        return "utf-16-be"
    declared = _DECLARED.match(head)
    name = declared[1].decode().lower() if declared else "utf-8"
    # A document that was converted on its way often still declares its original UTF-16.
    if (
        name in ("utf8", "ascii", "us-ascii")
        or name.startswith(("utf-16", "utf-32"))
        or not _TEXT_CODEC.fullmatch(name)
    ):
        return "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Bytes that are not UTF-8 are decoded as cp1252, which is what they nearly always are.
_STRAY_BYTES = {
    0xDC00 + byte: bytes([byte]).decode("cp1252", errors="ignore") or "\N{REPLACEMENT CHARACTER}"
    for byte in range(0x80, 0x100)
}


def utf8_chunks(stream: ReportStream, *, lenient: bool) -> Iterator[bytes]:
    """The document in UTF-8; if lenient, without characters that are not allowed in XML."""
    stream.seek(0)
    codec = _codec(stream.read(256))
    stream.seek(0)
    if codec == "utf-8" and not lenient:
        while chunk := stream.read(CHUNK):
            yield chunk
        return
    errors = "strict" if not lenient else "surrogateescape" if codec.startswith("utf-8") else "replace"
    decoder = codecs.getincrementaldecoder(codec)(errors)
    final = False
    while not final:
        chunk = stream.read(CHUNK)
        final = not chunk
        text = decoder.decode(chunk, final)
        if lenient:
            text = _FORBIDDEN.sub("", text.translate(_STRAY_BYTES))
        if text:
            yield text.encode()
