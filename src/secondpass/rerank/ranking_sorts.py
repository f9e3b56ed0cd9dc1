"""Find the best few of many where only a choice among a few can be asked for, and every choice costs.

As in Setwise (arXiv:2310.09497) and PRP (arXiv:2306.17563; ielab/llm-rankers): a heap, or passes of a bubble from the
end to the front. The heap has as many children as one question takes beside their parent. Choices need not agree with
each other.

Orders and numbers of comparisons are those of llm-rankers (tests/golden/make_llm_rankers.py), but for its shortcut in
bubbles, which leaves out the end of the list where nothing has changed. Here those questions are answered from memory;
for sets the shortcut misses passages after a window cut short by the front has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

BestOf = Callable[[Sequence[int]], int]
"""Chooses among passages: takes their numbers, returns the place of the best in that list; 0 keeps the given order."""


def heap_top(count: int, best_of: BestOf, children: int, depth: int, stopped: Callable[[], bool]) -> list[int]:
    """Return the best ``depth`` of ``count``, best first; fewer where ``stopped`` says to give up."""
    heap = list(range(count))
    for root in range((count - 2) // children, -1, -1):
        _sift(heap, root, count, best_of, children)
        if stopped():
            return []
    top: list[int] = []
    for size in range(count - 1, -1, -1):
        top.append(heap[0])
        if len(top) == depth or size == 0:
            break
        heap[0] = heap[size]
        _sift(heap, 0, size, best_of, children)
        if stopped():
            break
    return top


def _sift(heap: list[int], root: int, size: int, best_of: BestOf, children: int) -> None:
    """Let the passage at ``root`` sink until it is better than its children."""
    while (first := children * root + 1) < size:
        places = [root, *range(first, min(first + children, size))]
        best = places[best_of([heap[place] for place in places])]
        if best == root:
            return
        heap[root], heap[best] = heap[best], heap[root]
        root = best


def bubble_top(count: int, best_of: BestOf, children: int, depth: int, stopped: Callable[[], bool]) -> list[int]:
    """Return the best ``depth`` of ``count``, best first; fewer where ``stopped`` says to give up.

    Pass ``i`` makes ``ceil((count - 1 - i) / children)`` choices. Windows that did not change since the pass before
    ask the same again, which a memory of replies answers. With one child (pairs), a pass that changes nothing is the
    last.
    """
    order = list(range(count))
    for head in range(min(depth, count - 1)):
        end, changed = count, False
        while end - head > 1:
            start = max(head, end - 1 - children)
            best = start + best_of(order[start:end])
            if stopped():
                return order[:head]
            order[start], order[best] = order[best], order[start]
            changed = changed or best != start
            end = start + 1
        if children == 1 and not changed:
            break
    return order[:depth]
