"""Documents as people's programs write them, made on the spot: real files of every format that is read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from docx import Document
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def make_pdf(pages: Sequence[Sequence[str]], *, password: str = "", owner_password: str = "") -> bytes:
    """A PDF with these lines on each page; a page without lines is blank, as a scanned one is without its picture."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for lines in pages:
        page = writer.add_blank_page(width=595, height=842)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        shown = [f"({_escaped(line)}) Tj T*" for line in lines]
        content = DecodedStreamObject()
        content.set_data("\n".join(["BT /F1 12 Tf 14 TL 50 800 Td", *shown, "ET"]).encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(content)
    if password or owner_password:
        writer.encrypt(password, owner_password or None, algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def _escaped(line: str) -> str:
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


Part = tuple[str, str] | list[list[str]]


def make_docx(parts: Sequence[Part]) -> bytes:
    """A Word document: (style, text) is a paragraph, a list of rows is a table."""
    document = Document()
    for part in parts:
        if isinstance(part, list):
            table = document.add_table(rows=0, cols=len(part[0]))
            for row in part:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        else:
            style, text = part
            document.add_paragraph(text, style=style)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def repack(docx: bytes, **changed: bytes) -> bytes:
    """The same package with other contents in some of its files (`word_document` for `word/document.xml`)."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(docx)) as before,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as after,
    ):
        for member in before.infolist():
            key = member.filename.removesuffix(".xml").replace("/", "_")
            after.writestr(member.filename, changed.pop(key) if key in changed else before.read(member.filename))
        for key, data in changed.items():
            after.writestr(f"{key.replace('_', '/')}.bin", data)
    return file.getvalue()


HANDBOOK = b"""# Handbook

## Leave

Sick leave is reported to the lead before nine o'clock. Parental leave lasts 26 weeks at Acme.

## Travel

Trains are booked in second class through the Travelhub, at least ten days ahead.
"""
