"""Circles broken, nodes in order, and how many lie below each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def rows(links: Iterable[tuple[int, int]], size: int) -> list[list[int]]:
    """Collect links by their first end, each list in order."""
    found: list[list[int]] = [[] for _ in range(size)]
    for first, second in sorted(links):
        found[first].append(second)
    return found


def without_circles(above: list[list[int]]) -> list[tuple[int, int]]:
    """Take out, in place, every link that leads back to a node it was reached from.

    Nodes are visited in their order, links too: the same links, the same outcome.

    Returns:
        What was taken out.
    """
    broken: list[tuple[int, int]] = []
    state = bytearray(len(above))
    for start in range(len(above)):
        if not state[start]:
            broken += _visit(above, start, state)
    for node, parent in broken:
        above[node].remove(parent)
    return broken


def _visit(above: list[list[int]], start: int, state: bytearray) -> list[tuple[int, int]]:
    """Walk up depth first; a node is 1 while it is being left, 2 when all above it is done."""
    broken: list[tuple[int, int]] = []
    todo: list[tuple[int, Iterator[int]]] = [(start, iter(above[start]))]
    state[start] = 1
    while todo:
        node, parents = todo[-1]
        for parent in parents:
            if state[parent] == 1:
                broken.append((node, parent))
            elif not state[parent]:
                state[parent] = 1
                todo.append((parent, iter(above[parent])))
                break
        else:
            state[node] = 2
            todo.pop()
    return broken


def descendant_counts(above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> list[int]:
    """Count the different nodes below each.

    Nodes with one parent form trees, whose sizes add up; only what lies above a node with several
    parents has to be collected as a set, so a long chain costs no more than a short one.
    """
    trees = [1] * len(above)
    for node in reversed(_downwards(above, below)):
        if len(above[node]) == 1:
            trees[above[node][0]] += trees[node]
    counts = [tree - 1 for tree in trees]
    for node, parents in enumerate(above):
        if len(parents) > 1:
            for ancestor in _all_above(above, node):
                counts[ancestor] += trees[node]
    return counts


def tree_sizes(above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> list[int]:
    """Count the nodes that links connect with each, itself among them."""
    sizes = [0] * len(above)
    for start in range(len(above)):
        if sizes[start]:
            continue
        sizes[start] = 1
        members = [start]
        for node in members:
            for other in (*above[node], *below[node]):
                if not sizes[other]:
                    sizes[other] = 1
                    members.append(other)
        for node in members:
            sizes[node] = len(members)
    return sizes


def _downwards(above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> list[int]:
    """Order the nodes so that each comes after everything above it."""
    waiting = [len(parents) for parents in above]
    order = [node for node, number in enumerate(waiting) if not number]
    for node in order:
        for child in below[node]:
            waiting[child] -= 1
            if not waiting[child]:
                order.append(child)
    return order


def _all_above(above: Sequence[Sequence[int]], node: int) -> Iterable[int]:
    found = set(above[node])
    queue = list(found)
    for reached in queue:
        for parent in above[reached]:
            if parent not in found:
                found.add(parent)
                queue.append(parent)
    return found
