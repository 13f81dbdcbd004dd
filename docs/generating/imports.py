"""Which package imports which, drawn from the code."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

IMPORTS = Path(__file__).parents[1] / "images" / "imports.svg"

_PLUGINS = ("transferability", "runtimes", "amalgamation", "distillation", "growth", "explanation")
_ROOTS = ("zoo", "zoo_cli", *(f"zoo_{name}" for name in _PLUGINS))
#: What everybody imports is drawn as the ground and not as lines.
_GROUND = "zoo.types"
_WIDTH, _HEIGHT, _STEP, _GAP, _EDGE = 900, 30, 80, 12, 20
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1b1f24; text-anchor: middle }
  .said { fill: #57606a; text-anchor: start; font-size: 12px }
  rect { stroke: #57606a; fill: #f3f4f6; rx: 5px }
  .paper { fill: #ffffff; stroke: none }
  .command { fill: #dbe9ff } .plugin { fill: #dff3e0 } .ground { fill: #fff3d6 }
  .together { fill: none; stroke-dasharray: 4 3 }
  path { fill: none; stroke: #57606a; stroke-opacity: .55; stroke-width: 1.3 }
"""

_CAPTION = (
    "Lines go down, from who imports to what is imported; what follows from others is left out.",
    "All import zoo.types. Dashed: they import each other.",
)

Group = tuple[str, ...]


def imports() -> dict[str, set[str]]:
    """Find which package imports which; modules right below ``zoo`` join them and are left out."""
    import grimp

    graph = grimp.build_graph(*_ROOTS, cache_dir=None, exclude_type_checking_imports=True)
    packages = {each for each in graph.find_children("zoo") if graph.find_children(each)}
    found: dict[str, set[str]] = {name: set() for name in {*packages, *_ROOTS} - {"zoo"}}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            importer, used = _package(module, found), _package(imported, found)
            if importer and used and importer != used:
                found[importer].add(used)
    return found


def draw(found: dict[str, set[str]]) -> str:
    """Draw packages from what imports to what is imported; those that import each other as one."""
    arrows = {name: {each for each in used if each != _GROUND} for name, used in found.items()}
    del arrows[_GROUND]
    groups = _groups(arrows)
    home = {name: group for group in groups for name in group}
    below = {
        group: {home[used] for name in group for used in arrows[name]} - {group} for group in groups
    }
    rows = _rows(groups, below)
    places = _places(rows, _reduced(below))
    height = _STEP * len(rows) + _HEIGHT + 3 * _EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>Which package imports which</title><desc>{escape(_told(found))}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        *_lines(places, _reduced(below)),
        *(part for group, place in places.items() for part in _boxes(group, *place)),
        *_ground(height - _HEIGHT - 2 * _EDGE),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def imports_drawing() -> str:
    """Draw the code as it is."""
    return draw(imports())


def _package(module: str, known: dict[str, set[str]]) -> str | None:
    parts = module.split(".")
    return next((name for name in (".".join(parts[:2]), parts[0]) if name in known), None)


def _reached(name: str, arrows: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        new = arrows[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def _groups(arrows: dict[str, set[str]]) -> list[Group]:
    """Put packages that import each other, directly or not, together."""
    reached = {name: _reached(name, arrows) for name in arrows}
    found = {
        tuple(sorted({name} | {other for other in reached[name] if name in reached[other]}))
        for name in arrows
    }
    return sorted(found)


def _reduced(below: dict[Group, set[Group]]) -> dict[Group, list[Group]]:
    """Leave out the arrows that follow from others."""

    def far(group: Group) -> set[Group]:
        return {each for near in below[group] for each in {near} | far(near)}

    return {
        group: sorted(near - {each for other in near for each in far(other)})
        for group, near in below.items()
    }


def _rows(groups: list[Group], below: dict[Group, set[Group]]) -> list[list[Group]]:
    """Give the rows from top to bottom: the command, the plugins, the levels of the core."""

    def level(group: Group) -> int:
        return max((level(each) + 1 for each in below[group]), default=0)

    core = [group for group in groups if group[0].startswith("zoo.")]
    deepest = max(map(level, core))
    levels = [[group for group in core if level(group) == n] for n in range(deepest, -1, -1)]
    return [[("zoo_cli",)], [(f"zoo_{name}",) for name in sorted(_PLUGINS)], *levels]


def _places(
    rows: list[list[Group]], below: dict[Group, list[Group]]
) -> dict[Group, tuple[float, float]]:
    """Give every group the middle of its box; neighbours stand near what they import."""
    across = {group: 0.0 for row in rows for group in row}
    above = {group: [each for each in below if group in below[each]] for group in across}
    for _ in range(12):
        for row in rows:
            middles = _spread([_breadth(group) for group in row])
            across |= dict(zip(row, middles, strict=True))
        for row in reversed(rows):
            row.sort(key=lambda group: (_pull((*below[group], *above[group]), across), group))
    return {
        group: (across[group], _EDGE + _HEIGHT / 2 + _STEP * number)
        for number, row in enumerate(rows)
        for group in row
    }


def _pull(near: tuple[Group, ...], across: dict[Group, float]) -> float:
    return sum(across[each] for each in near) / len(near) if near else _WIDTH / 2


def _spread(breadths: list[float]) -> list[float]:
    room = (_WIDTH - 2 * _EDGE - sum(breadths)) / (len(breadths) + 1)
    starts = [_EDGE + room * (n + 1) + sum(breadths[:n]) for n in range(len(breadths))]
    return [start + breadth / 2 for start, breadth in zip(starts, breadths, strict=True)]


def _breadth(group: Group) -> float:
    return sum(map(_broad, group)) + _GAP * (len(group) - 1) + (_GAP if len(group) > 1 else 0)


def _broad(name: str) -> float:
    return 7.3 * len(name) + 14


def _boxes(group: Group, across: float, down: float) -> list[str]:
    parts = []
    left = across - _breadth(group) / 2
    if len(group) > 1:
        size = f'width="{_breadth(group):.0f}" height="{_HEIGHT + 14}"'
        parts.append(
            f'<rect class="together" x="{left:.0f}" y="{down - _HEIGHT / 2 - 7:.0f}" {size}/>'
        )
        left += _GAP / 2
    for name in group:
        kind = {"zoo_cli": "command"}.get(name, "core" if name.startswith("zoo.") else "plugin")
        parts += _box(name, kind, left, down, _broad(name))
        left += _broad(name) + _GAP
    return parts


def _box(name: str, kind: str, left: float, down: float, broad: float) -> list[str]:
    size = f'width="{broad:.0f}" height="{_HEIGHT}"'
    return [
        f'<rect class="{kind}" x="{left:.0f}" y="{down - _HEIGHT / 2:.0f}" {size}/>',
        f'<text x="{left + broad / 2:.0f}" y="{down + 4.5:.0f}">{name}</text>',
    ]


def _lines(places: dict[Group, tuple[float, float]], below: dict[Group, list[Group]]) -> list[str]:
    parts = []
    for group, near in below.items():
        for each in near:
            (x, y), (to_x, to_y) = places[group], places[each]
            y, to_y = y + _HEIGHT / 2, to_y - _HEIGHT / 2 - (7 if len(each) > 1 else 0)
            bend = (to_y - y) / 2
            parts.append(
                f'<path d="M{x:.0f},{y:.0f} C{x:.0f},{y + bend:.0f} {to_x:.0f},{to_y - bend:.0f} '
                f'{to_x:.0f},{to_y:.0f}"/>'
            )
    return parts


def _ground(top: float) -> list[str]:
    box = _box(_GROUND, "ground", _EDGE, top + _HEIGHT / 2, _WIDTH - 2 * _EDGE)
    return [
        *box,
        *(
            f'<text class="said" x="{_EDGE}" y="{top + _HEIGHT + 18 * n:.0f}">{line}</text>'
            for n, line in enumerate(_CAPTION, start=1)
        ),
    ]


def _told(found: dict[str, set[str]]) -> str:
    """Say the picture in words."""
    return " ".join(
        f"{name}: {', '.join(sorted(used)) or 'nothing'}." for name, used in sorted(found.items())
    )
