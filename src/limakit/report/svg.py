"""A matplotlib figure as one tidy SVG that may stand in a page beside others, the same bytes every time."""

import io
import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
INK = "#010203"
"""Drawn in this colour, text and axes take the colour of the page's text, in light and in dark."""

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def to_svg(figure: Figure, *, name: str, title: str, description: str) -> str:
    """The figure with a text alternative (title and description), ids that begin with `name`, and no metadata.

    `name` must be a plain word. Call inside the style context the figure was drawn in.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(buffer.getvalue())
    metadata = root.find(f"{{{SVG}}}metadata")
    if metadata is not None:
        root.remove(metadata)
    for definitions in root.findall(f"{{{SVG}}}defs"):
        # Rules for every element would reach into the page; as attributes of the root they are inherited all the same.
        for rules in definitions.findall(f"{{{SVG}}}style"):
            definitions.remove(rules)
    root.set("stroke-linejoin", "round")
    for node in root.iter():
        for key, value in list(node.attrib.items()):
            node.set(key, _renamed(key, value, name))
    for key in ("width", "height"):
        root.attrib.pop(key)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-description")
    root.set("color", "#1a1a1a")
    for number, (tag, text) in enumerate((("title", title), ("desc", description))):
        node = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": f"{name}-{'description' if number else 'title'}"})
        node.text = text
        root.insert(number, node)
    return ElementTree.tostring(root, encoding="unicode").replace(INK, "currentColor") + "\n"


def _renamed(key: str, value: str, name: str) -> str:
    """An attribute with every id, and every reference to one, made this figure's own."""
    if key == "id":
        return f"{name}-{value}"
    if key == f"{{{XLINK}}}href" or key == "href":
        return value.replace("#", f"#{name}-", 1)
    value = re.sub(r"url\(#", f"url(#{name}-", value)
    return re.sub(r"(font: [^;]*?px) [^;]*", r"\1 system-ui, sans-serif", value)
