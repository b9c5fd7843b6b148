"""changed.py - a document with one thing changed, each in turn: what a comparison must find."""
import copy


def places(value, path=()):
    """The paths of all members and elements."""
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, name)
        yield from places(inner, (*path, name))


def holder(document, path):
    for name in path[:-1]:
        document = document[name]
    return document


def other(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return -value - 1
    return value + "x" if isinstance(value, str) else [] if isinstance(value, dict) else {}


def each_change(document):
    """(what was done, the path, the changed document): each member and element left out, and each changed to another of its kind."""
    for path in places(document):
        without, changed = copy.deepcopy(document), copy.deepcopy(document)
        del holder(without, path)[path[-1]]
        holder(changed, path)[path[-1]] = other(holder(changed, path)[path[-1]])
        name = ".".join(map(str, path))
        yield f"{name} left out", path, without
        yield f"{name} changed", path, changed
    yield "a member that nobody knows", ("user",), {**document, "user": "u"}
