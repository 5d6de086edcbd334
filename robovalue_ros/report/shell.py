"""What every page of ours begins with: its head, and a policy that lets nothing in or out."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from robovalue_ros.report.markup import escape

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath "
    "d='M2 13 6 8l3 2 5-7' fill='none' stroke='%232f6ae0' stroke-width='2.4' "
    "stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E"
)


def page_head(title: str, style: str, script: str) -> str:
    """Return everything up to `<body>`; only this style and this script may be used."""
    policy = (
        "default-src 'none'; media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="{ICON}">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    )


def asset(name: str) -> str:
    """Return a file of `assets/`."""
    source = resources.files("robovalue_ros.report").joinpath("assets", name)
    return source.read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
