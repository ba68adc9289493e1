"""Reads messages/*.hpp: structs with their fields and comments, enums, topics."""
import dataclasses
import pathlib
import re
import textwrap

COLUMNS_MAX = 149
STRUCT = re.compile(r"((?:^///[^\n]*\n)*)^struct (\w+) \{\n(.*?)^\};", re.M | re.S)
ENUM = re.compile(r"^NUCLEUS_ENUM\((\w+),([^)]*)\)", re.M)
# An enum whose names are not C++ identifiers lists them as they are sent.
SPELLED_ENUM = re.compile(
    r'^constexpr std::string_view enum_list\((\w+)\) \{\n  return "unknown, ([^"]*)";', re.M)
ID = re.compile(r"^using (\w+) = (?:Id<struct \w+>|std::int64_t); *(?://(.*))?$", re.M)
FIELDS = re.compile(r"NUCLEUS_FIELDS\((.*?)\)", re.S)
TOPIC = re.compile(r'topic = "([^"]+)"')
WORDS = {"std::string": "text", "bool": "true or false", "double": "number",
         "ComputesetId": "integer"}  # the only id that is not a text


@dataclasses.dataclass
class Field:
    name: str
    type: str
    comment: str


@dataclasses.dataclass
class Struct:
    name: str
    comment: str
    topic: str
    is_event: bool
    fields: list


@dataclasses.dataclass
class Schema:
    structs: dict
    enums: dict
    ids: dict

    def events(self):
        """Ordered by topic."""
        return sorted((s for s in self.structs.values() if s.is_event), key=lambda s: s.topic)


def one_line(comment):
    bare = (re.sub(r"^\s*///?\s?", "", line).strip() for line in comment.splitlines())
    return " ".join(bare).strip()


def field_of(name, body):
    """The type and comment of a field; the comment may continue on further lines."""
    comment = r"((?://[^\n]*)?(?:\n {3,}//[^\n]*)*)"
    found = re.search(rf"^  ([\w:<>, ]+?) {name}\s*=\s*[^;]*;[ \t]*" + comment, body, re.M)
    if not found:
        raise ValueError(f"field {name} is listed but not declared")
    return Field(name, found[1].strip(), one_line(re.sub(r"^\s*//", "", found[2], flags=re.M)))


def read(folder):
    schema = Schema({}, {}, {})
    for file in sorted(pathlib.Path(folder).glob("*.hpp")):
        text = file.read_text()
        for name, values in ENUM.findall(text) + SPELLED_ENUM.findall(text):
            schema.enums[name] = [value.strip().rstrip("_") for value in values.split(",")]
        for name, comment in ID.findall(text):
            schema.ids[name] = comment.strip()
        for comment, name, body in STRUCT.findall(text):
            listed = FIELDS.search(body)
            if not listed and "NUCLEUS_NO_FIELDS" not in body:
                continue
            names = [word.strip() for word in listed[1].split(",")] if listed else []
            topic = TOPIC.search(body)
            schema.structs[name] = Struct(
                name, one_line(comment), topic[1] if topic else "",
                bool(topic) and "using Reply" not in body, [field_of(n, body) for n in names])
    return schema


def in_words(kind, schema):
    """A C++ type in the terms of msgpack and JSON."""
    listed = re.fullmatch(r"std::vector<(.+)>", kind)
    if listed:
        return "list of " + in_words(listed[1], schema)
    if kind in WORDS:
        return WORDS[kind]
    if kind in schema.ids:
        return "text"
    if kind in schema.enums:
        return f"one of [{kind}](#{kind.lower()})"
    if kind in schema.structs:
        return f"map [{kind}](#{kind.lower()})"
    if re.fullmatch(r"std::u?int\d+_t", kind):
        return "integer"
    optional = re.fullmatch(r"std::optional<(.+)>", kind)
    if optional:
        return in_words(optional[1], schema)
    raise ValueError(f"no description of the type {kind}")


def parts_of(struct, schema):
    """The structs and enums that its fields use, directly or indirectly, in order."""
    met = []
    for field in struct.fields:
        for word in re.findall(r"\w+", field.type):
            if word in schema.structs:
                met += [word] + parts_of(schema.structs[word], schema)
            elif word in schema.enums:
                met.append(word)
    return met


def table(struct, schema):
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field in struct.fields:
        comment = (field.comment or schema.ids.get(field.type, "")).replace("|", "\\|")
        yield f"| `{field.name}` | {in_words(field.type, schema)} | {comment} |"


def events_page(schema):
    """The part of docs/events.md that is generated from the headers."""
    lines = []
    parts = []
    for event in schema.events():
        comment = event.comment.removeprefix("Event: ")
        lines.append(f"### {event.topic}")
        lines += [comment[:1].upper() + comment[1:], ""] if comment else []
        lines += [*table(event, schema), ""]
        parts += [part for part in parts_of(event, schema) if part not in parts]
    lines += ["## Types", ""]
    for part in sorted(set(parts)):
        lines.append(f"### {part}")
        if part in schema.enums:
            text = ("A text: " + ", ".join(f"`{v}`" for v in schema.enums[part]) +
                    "; `unknown`; or a name that a later release adds.")
            lines += [*textwrap.wrap(text, COLUMNS_MAX), ""]
        else:
            struct = schema.structs[part]
            lines += ([struct.comment, ""] if struct.comment else []) + list(table(struct, schema))
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"
