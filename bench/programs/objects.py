"""Objects, dictionaries, lists, text and JSON, as a program that builds a model of its input does. Prints digests.

Run with PYTHONMALLOC=malloc, so that every object is a block of the C library's allocator.
"""
import hashlib
import json
import sys


class Item:
    def __init__(self, number, tags):
        self.number = number
        self.name = f"item-{number * 7919 % 100003}"
        self.tags = tags
        self.links = []


class Slim:
    __slots__ = ("x", "y", "label")

    def __init__(self, x, y, label):
        self.x, self.y, self.label = x, y, label


def digest(title, text):
    print(title, hashlib.sha256(text.encode()).hexdigest()[:16])


def build(count):
    items = [Item(i, {f"t{i % 7}", f"t{i % 11}"}) for i in range(count)]
    index = {item.name: item for item in items}
    for i, item in enumerate(items):
        item.links = [items[(i * k) % count] for k in (3, 5, 7)]
    return items, index


def main(count):
    kept = None
    for turn in range(6):
        items, index = build(count)
        text = json.dumps([{"n": i.number, "name": i.name, "tags": sorted(i.tags), "to": [l.name for l in i.links]} for i in items])
        back = json.loads(text)
        digest(f"json {turn}", json.dumps(back[turn::17]))
        points = [Slim(i * 0.5, i * 0.25, "p" + str(i)) for i in range(count)]
        points.sort(key=lambda p: (p.x * 31) % 17)
        digest(f"points {turn}", ",".join(p.label for p in points[::31]))
        words = {}
        for item in items:
            for part in item.name.split("-"):
                words.setdefault(part[:4], []).append(item.number)
        digest(f"words {turn}", repr(sorted((k, len(v), sum(v)) for k, v in words.items())))
        # One model outlives the next turn: the heap never empties.
        kept = (items, index) if turn % 2 == 0 else kept
    print("kept", len(kept[0]), len(kept[1]))


main(int(sys.argv[1]))
