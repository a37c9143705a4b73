"""The page of a report, assembled from the files in ``assets/`` and the data."""

import base64
import hashlib
import html
import json
from pathlib import Path
from string import Template

from utils.files import finite

ASSETS = Path(__file__).parent / "assets"
# Joined into one script, in this order.
SCRIPTS = tuple(
    f"{name}.js"
    for name in ("elements", "data", "state", "picture", "summary", "plots", "layers", "gallery", "viewer", "main")
)
# In JSON within a <script> element these could end the element or, in old browsers, a line of it.
IN_SCRIPTS = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def page(title: str, data: str) -> str:
    """The page with its data, elements as ``data_element`` makes them.

    The content security policy allows exactly this script and style, and images within the file; nothing else runs, and
    nothing is fetched.
    """
    style, script = _asset("report.css"), "\n".join(_asset(name) for name in SCRIPTS)
    policy = (
        "default-src 'none'; img-src data: blob:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    texts = {"title": html.escape(title), "policy": policy, "style": style, "script": script}
    return Template(_asset("page.html")).substitute(texts, data=data)


def data_element(identity: str, content) -> str:
    """Script element with ``content`` as JSON."""
    return f'<script type="application/json" id="{identity}">{embedded_json(content)}</script>\n'


def embedded_json(content) -> str:
    """ASCII JSON that may stand in a <script> element; numbers that are not finite become null."""
    return json.dumps(finite(content), separators=(",", ":"), allow_nan=False).translate(IN_SCRIPTS)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
