"""JSON without values that vary between runs: keys, types, and values of fixed sets."""
import json, re

# Strings under these keys belong to fixed sets that programs compare with.
WORDS = {
    "event", "flow", "held", "kind", "lane", "level", "limit", "outcome", "part", "plugin", "provider", "result",
    "scope", "severity", "state", "status", "type", "unknown", "purpose", "alert", "language", "languages", "transport",
}
WORD = re.compile(r"[a-z][a-z0-9_-]*")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ID = re.compile(r"[0-9A-Z]{26}")


def kind(value, key, words=WORDS):
    """The recorded form of a scalar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return "number"
    if key in words and WORD.fullmatch(value):
        return json.dumps(value)
    return "time" if TIME.fullmatch(value) else "id" if ID.fullmatch(value) else "text"


def paths(value, path="", key="", words=WORDS):
    """All paths into a value with their scalars, as pairs."""
    if isinstance(value, dict):
        if not value:
            yield path or ".", "{}"
        for name, part in value.items():
            yield from paths(part, f"{path}.{name}", name, words)
    elif isinstance(value, list):
        if not value:
            yield path + "[]", "none"
        for part in value:
            yield from paths(part, path + "[]", key, words)
    else:
        yield path or ".", kind(value, key, words)


def shape(*values, words=WORDS):
    """Lines of a path and everything found there in these values; `?` if one of them lacks the path."""
    found, counts = {}, {}
    for value in values:
        pairs = list(paths(value, words=words))
        for path, what in pairs:
            found.setdefault(path, set()).add(what)
        for path in {path for path, _ in pairs}:
            counts[path] = counts.get(path, 0) + 1
    width = max((len(path) for path in found), default=0)
    lines = []
    for path in sorted(found):
        kinds = found[path] - {"none"} if len(found[path]) > 1 else found[path]
        optional = "" if counts[path] == len(values) else " ?"
        lines.append(f"  {path:{width}}  {' | '.join(sorted(kinds))}{optional}")
    return "\n".join(lines)


def shapes(value):
    """The lines of `shape`, for a list those of its elements."""
    if not isinstance(value, list) or not value:
        return shape(value)
    return "\n".join(re.sub(r"^  ", "  []", line) for line in shape(*value).split("\n"))


def without(value, names):
    """A value without the members of these names, recursively; keys under `properties` are kept."""
    if isinstance(value, dict):
        return {
            name: {key: without(part, names) for key, part in part.items()} if name in ("properties", "$defs")
            and isinstance(part, dict) else without(part, names)
            for name, part in value.items() if name not in names
        }
    if isinstance(value, list):
        return [without(part, names) for part in value]
    return value
