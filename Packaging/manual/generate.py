#!/usr/bin/env python3
"""Writes the pages of the manual in mdoc(7).

generate.py HELP SCHEMA VERSION DATE DIRECTORY

HELP is the output of `pabal --experimental-dump-help`, SCHEMA is config.schema.json. The pages of commands and
pabal-config.json(5) are generated from them; every other file with a section as its suffix in this directory is a page
that is copied. VERSION and DATE (such as 2026-11-30) are for the head and foot of each page.
"""
import datetime
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent


class Page:
    """A manual page in mdoc."""

    def __init__(self, name, section, summary, foot):
        self.lines = [f".Dd {foot['date']}", f".Dt {name.upper()} {section}", f".Os {foot['system']}", ".Sh NAME",
                      f".Nm {name}", f".Nd {escape(summary[0].lower() + summary[1:].rstrip('.'))}"]

    def macro(self, name, *arguments):
        self.lines.append(" ".join([f".{name}", *arguments]))

    def section(self, title):
        self.macro("Sh", title)

    def text(self, text):
        """Adds a paragraph, whose sentences begin on new lines. Names in backticks are bold."""
        for sentence in re.split(r"(?<=[.!?:;])\s+(?=[\"“A-Z`])", " ".join(text.split())):
            parts = re.split(r"`([^`]+)`", sentence)
            line = "".join(rf"\fB{escape(part)}\fR" if number % 2 else escape(part)
                           for number, part in enumerate(parts))
            self.lines.append(r"\&" + line if line.startswith(".") else line)

    def example(self, lines):
        self.macro("Bd", "-literal", "-offset indent")
        self.lines += [escape(line) for line in lines]
        self.macro("Ed")

    def write(self, path):
        path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")


def escape(text):
    """Returns text that mdoc prints as it is."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return text.replace('"', r"\(dq").replace("~", r"\(ti").replace("^", r"\(ha")


def argument(text):
    """Returns text as one argument of a macro."""
    text = escape(text)
    # A word that mdoc could take for a macro or for punctuation.
    text = re.sub(r"^([A-Z][a-z]|[.,:;?!()\[\]|]$)", r"\&\1", text)
    return f'"{text}"' if re.search(r"\s", text) or not text else text


class Command:
    """A command as the help describes it."""

    def __init__(self, description, parents=()):
        self.words = [*parents, description["commandName"]]
        self.abstract = description["abstract"]
        self.arguments = [entry for entry in description.get("arguments", []) if entry["shouldDisplay"]]
        self.default = description.get("defaultSubcommand")
        self.subcommands = [
            Command(entry, self.words)
            for entry in description.get("subcommands", [])
            if entry["shouldDisplay"] and entry["commandName"] != "help"
        ]
        # The discussion ends with its examples, and names exit statuses in a paragraph.
        self.paragraphs, self.examples, self.statuses = [], [], []
        for paragraph in re.split(r"\n\s*\n", description.get("discussion", "").strip()):
            head, _, rest = paragraph.partition("\n")
            status = re.match(r"(.*?)\s*Exit status(?: of \w+)?: (.*)", paragraph, re.S)
            if head in ("Example:", "Examples:"):
                self.examples += [line.strip() for line in rest.splitlines()]
            elif status and re.match(r"\d", status[2]):
                if status[1]:
                    self.paragraphs.append(status[1])
                self.statuses = re.findall(r"(\d+) ([^.]*?)(?:, (?=\d)|\.|$)", " ".join(status[2].split()))
            elif paragraph:
                self.paragraphs.append(paragraph)

    @property
    def name(self):
        return "-".join(self.words)

    def options(self):
        return [entry for entry in self.arguments if entry["kind"] != "positional"]

    def operands(self):
        return [entry for entry in self.arguments if entry["kind"] == "positional"]


def key(entry):
    """Returns the name by which a command knows an argument."""
    return entry.get("preferredName", {}).get("name", entry["valueName"])


def flags(entry):
    """Returns the spellings of an option, the short ones first."""
    names = []
    for name in sorted(entry["names"], key=lambda name: name["kind"] == "long"):
        dashes = "--" if name["kind"] == "long" else "-"
        names.append(dashes + name["name"])
    return names


def synopsis(page, command):
    page.macro("Nm", *(argument(word) for word in command.words))
    for entry in command.options():
        if key(entry) in ("help", "version"):
            continue
        name = next((n for n in flags(entry) if n.startswith("--")), flags(entry)[0])
        value = "" if entry["kind"] == "flag" else f" Ar {argument(entry['valueName'])}"
        more = " ..." if entry["isRepeating"] else ""
        if entry["isOptional"]:
            page.macro("Op", f"Fl {argument(name[1:])}{value}{more}")
        else:
            page.macro("Fl", f"{argument(name[1:])}{value}{more}")
    for entry in command.operands():
        more = " ..." if entry["isRepeating"] else ""
        page.macro(*(["Op", f"Ar {argument(entry['valueName'])}{more}"] if entry["isOptional"]
                     else ["Ar", f"{argument(entry['valueName'])}{more}"]))


def describe_arguments(page, command, common=False):
    entries = command.operands() + command.options()
    if not common:
        entries = [entry for entry in entries if key(entry) not in COMMON]
    if not entries:
        return
    page.macro("Bl", "-tag", "-width Ds")
    for entry in entries:
        if entry["kind"] == "positional":
            page.macro("It", f"Ar {argument(entry['valueName'])}")
        else:
            value = "" if entry["kind"] == "flag" else f" Ar {argument(entry['valueName'])}"
            page.macro("It", " , ".join(f"Fl {argument(name[1:])}{value}" for name in flags(entry)))
        page.text(entry.get("abstract", ""))
        if entry.get("discussion"):
            page.text(entry["discussion"])
        values = entry.get("completionKind", {}).get("list", {}).get("values", [])
        if values and not any(value in entry.get("abstract", "") for value in values):
            page.text(f"One of {', '.join(f'`{value}`' for value in values)}.")
        if entry.get("defaultValue"):
            page.text(f"Default: {entry['defaultValue']}.")
    page.macro("El")


# The options of every command, which the pages describe in the same words at the end of each list.
COMMON = {"config", "json", "verbose", "help", "version"}


def describe_common(page, command):
    options = [entry for entry in command.options() if key(entry) in COMMON]
    kept = Command({"commandName": "", "abstract": "", "arguments": options})
    describe_arguments(page, kept, common=True)


def list_statuses(page, statuses):
    page.macro("Bl", "-tag", "-width Ds")
    for status, meaning in statuses:
        page.macro("It", status)
        page.text(meaning.strip())
    page.macro("El")


def references(page, names):
    page.section("SEE ALSO")
    names = sorted(set(names), key=lambda name: (name[1], name[0]))
    for number, (name, section) in enumerate(names):
        page.macro("Xr", argument(name), str(section) + (" ," if number + 1 < len(names) else ""))


def command_page(command, foot, siblings):
    page = Page(command.name, 1, command.abstract, foot)
    page.section("SYNOPSIS")
    for used in command.subcommands or [command]:
        synopsis(page, used)
    page.section("DESCRIPTION")
    page.text(command.abstract)
    for paragraph in command.paragraphs:
        page.macro("Pp")
        page.text(paragraph)
    if command.subcommands:
        page.macro("Pp")
        page.text("The commands are:")
        for used in command.subcommands:
            page.macro("Ss", " ".join(used.words))
            page.text(used.abstract)
            if command.default == used.words[-1]:
                page.text("This is what happens without a command.")
            for paragraph in used.paragraphs:
                page.macro("Pp")
                page.text(paragraph)
            describe_arguments(page, used)
        page.macro("Ss", "Options of every command")
        describe_common(page, command.subcommands[0])
    else:
        page.macro("Pp")
        page.text("The arguments are:")
        describe_arguments(page, command)
        page.macro("Pp")
        page.text("Options that most commands share:")
        describe_common(page, command)
    used = [command, *command.subcommands]
    statuses = [entry for entry in used if entry.statuses]
    page.section("EXIT STATUS")
    if statuses:
        for entry in statuses:
            if len(used) > 1:
                page.text(f"Of `{' '.join(entry.words)}`:")
            list_statuses(page, entry.statuses)
    else:
        page.text("0 on success.")
    page.text("The statuses that all commands share are listed in")
    page.macro("Xr", "pabal", "1", ".")
    examples = [line for entry in used for line in entry.examples]
    if examples:
        page.section("EXAMPLES")
        page.example(examples)
    references(page, [("pabal", 1), ("pabal-config.json", 5), *siblings])
    return page


def main_page(root, foot):
    page = Page("pabal", 1, root.abstract, foot)
    page.section("SYNOPSIS")
    page.macro("Nm", "pabal")
    page.macro("Ar", "command")
    page.macro("Op", "Ar argument ...")
    page.section("DESCRIPTION")
    for number, paragraph in enumerate(root.paragraphs):
        if number:
            page.macro("Pp")
        page.text(paragraph)
    page.macro("Pp")
    page.text("Each command has a page of its own:")
    page.macro("Bl", "-tag", "-width", "pabal-transports(1)")
    for command in root.subcommands:
        section = 8 if command.name == "pabal-sendmail" else 1
        page.macro("It", "Xr", command.name, str(section))
        page.text(command.abstract)
    page.macro("El")
    page.lines += (HERE / "pabal.mdoc").read_text(encoding="utf-8").splitlines()
    page.section("EXAMPLES")
    page.example(root.examples)
    references(page, [(command.name, 8 if command.name == "pabal-sendmail" else 1) for command in root.subcommands]
               + [("pabal-transport", 3), ("pabal-config.json", 5), ("pabal-messages", 5), ("sendmail", 8)])
    return page


def sendmail_page(command, foot):
    page = Page("sendmail", 8, command.abstract, foot)
    name = page.lines.index(".Nm sendmail")
    page.lines[name:name + 1] = [".Nm sendmail ,", ".Nm mailq ,", ".Nm newaliases ,", ".Nm pabal-sendmail"]
    page.section("SYNOPSIS")
    command.words = ["sendmail"]
    synopsis(page, command)
    page.macro("Nm", "mailq")
    page.macro("Nm", "newaliases")
    page.macro("Nm", "pabal", "sendmail")
    page.macro("Op", "Ar argument ...")
    page.section("DESCRIPTION")
    for number, paragraph in enumerate(command.paragraphs):
        if number:
            page.macro("Pp")
        page.text(paragraph)
    page.macro("Pp")
    page.macro("Nm", "mailq")
    page.text("lists the waiting mail, as `sendmail -bp` does.")
    page.macro("Nm", "newaliases")
    page.text("does nothing and succeeds, because the aliases are part of the configuration.")
    page.macro("Pp")
    page.text("The arguments are:")
    describe_arguments(page, command, common=True)
    page.section("FILES")
    page.macro("Bl", "-tag", "-width Ds")
    for path, text in [("/run/pabal/submit", "The socket of pabal serve."),
                       ("/var/spool/pabal/drop", "The drop directory, for mail while pabal serve is down."),
                       ("/etc/pabal/config.json", "The configuration; only the owner of the database reads it.")]:
        page.macro("It", "Pa", path)
        page.text(text)
    page.macro("El")
    page.section("EXIT STATUS")
    list_statuses(page, command.statuses)
    page.section("EXAMPLES")
    page.example(command.examples)
    references(page, [("pabal", 1), ("pabal-outbox", 1), ("pabal-serve", 1), ("pabal-config.json", 5)])
    return page


# The definitions of the schema that pabal-config.json(5) explains once, in words.
SCALARS = {"text", "secret", "name", "duration"}


class Schema:
    """The JSON Schema of the configuration."""

    def __init__(self, text):
        self.root = json.loads(text)

    def resolved(self, schema):
        """Returns a schema with what it refers to; its own description has priority."""
        while "$ref" in schema:
            target = self.root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
            schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
        return schema

    def name(self, schema):
        return schema["$ref"].rsplit("/", 1)[1] if "$ref" in schema else None

    def form(self, schema):
        """Returns what may be written, in words."""
        names = {"duration": "a duration", "secret": "a secret", "text": "a string or a secret"}
        if self.name(schema) in names:
            return names[self.name(schema)]
        schema = self.resolved(schema)
        if "const" in schema:
            return json.dumps(schema["const"])
        if "enum" in schema:
            return " or ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
        choices = schema.get("oneOf") or schema.get("anyOf")
        if choices and "properties" not in schema:
            forms = []
            for choice in choices:
                form = self.form(choice)
                if form not in forms:
                    forms.append(form)
            return " or ".join(forms)
        kind = schema.get("type")
        if isinstance(kind, list):
            return " or ".join(kind)
        if kind == "array":
            items = self.form(schema.get("items", {}))
            return {"": "a list", "a string": "a list of strings"}.get(items, f"a list, each {items}")
        if kind == "integer":
            low, high = schema.get("minimum"), schema.get("maximum")
            if low is not None and high is not None:
                return f"a number from {low} to {high}"
            return "a number"
        if kind == "string" and schema.get("pattern", "").startswith("^[0-9]+(ms"):
            return "a duration"
        return {"string": "a string", "boolean": "true or false", "object": "an object"}.get(kind, "")

    def objects(self, schema):
        """Returns the schemas of objects that a value may be: its alternatives, or itself."""
        if self.name(schema) in SCALARS:
            return []
        schema = self.resolved(schema)
        found = [schema] if "properties" in schema or isinstance(schema.get("additionalProperties"), dict) else []
        for choice in [*schema.get("oneOf", []), *schema.get("anyOf", [])]:
            found += self.objects(choice)
        if schema.get("type") == "array":
            found += self.objects(schema.get("items", {}))
        return found


def describe_properties(page, schema, properties, required, path, depth, seen):
    page.macro("Bl", "-tag", "-width Ds")
    for key, value in properties.items():
        page.macro("It", f"Cm {argument(key)}" if key else f"Ar {argument('NAME')}")
        resolved = schema.resolved(value)
        if resolved.get("description"):
            page.text(resolved["description"])
        form = schema.form(value)
        notes = [form[0].upper() + form[1:] if form else "", "required" if key in required else ""]
        note = "; ".join(note for note in notes if note)
        if note:
            page.text(f"({note}.)")
        for example in resolved.get("examples", [])[:1]:
            page.text(f"Example: `{json.dumps(example, ensure_ascii=False)}`.")
        reference = schema.name(value)
        if not schema.objects(value):
            continue
        if reference in seen:
            page.text(f"The keys are those of `{seen[reference]}`.")
            continue
        here = f"{path}.{key or 'NAME'}".lstrip(".")
        nested = {**seen, **({reference: here} if reference else {})}
        if reference:
            seen[reference] = here
        describe_objects(page, schema, value, here, depth + 1, nested)
    page.macro("El")


def describe_objects(page, schema, value, path, depth, seen):
    for found in schema.objects(value):
        properties = dict(found.get("properties", {}))
        # Alternatives differ in a key with one value.
        for key, kept in list(properties.items()):
            if "const" in kept:
                del properties[key]
                page.text(f"With `{key}` {json.dumps(kept['const'])}:")
        extra = found.get("additionalProperties")
        if isinstance(extra, dict) and depth < 6:
            properties[""] = extra
        if properties:
            describe_properties(page, schema, properties, found.get("required", []), path, depth, seen)


def configuration_page(schema, foot):
    page = Page("pabal-config.json", 5, "configuration of pabal", foot)
    page.section("DESCRIPTION")
    page.text(schema.root["description"])
    page.lines += (HERE / "configuration.mdoc").read_text(encoding="utf-8").splitlines()
    page.section("KEYS")
    properties = {key: value for key, value in schema.root["properties"].items() if key != "$schema"}
    seen = {}
    for key, value in properties.items():
        page.macro("Ss", key)
        resolved = schema.resolved(value)
        page.text(resolved.get("description", ""))
        if key in schema.root["required"]:
            page.text("Required.")
        describe_objects(page, schema, value, key, 0, seen)
    page.lines += (HERE / "configuration-end.mdoc").read_text(encoding="utf-8").splitlines()
    references(page, [("pabal", 1), ("pabal-check", 1), ("pabal-messages", 5)])
    return page


def main():
    help_path, schema_path, version, date, directory = sys.argv[1:]
    output = pathlib.Path(directory)
    output.mkdir(parents=True, exist_ok=True)
    day = datetime.date.fromisoformat(date)
    foot = {"date": f"{day:%B} {day.day}, {day.year}", "system": f"Pabal {version}"}
    root = Command(json.loads(pathlib.Path(help_path).read_text(encoding="utf-8"))["command"])
    main_page(root, foot).write(output / "pabal.1")
    for command in root.subcommands:
        if command.name == "pabal-sendmail":
            sendmail_page(command, foot).write(output / "sendmail.8")
            continue
        siblings = {"pabal-messages": [("pabal-messages", 5)], "pabal-transports": [("pabal-transport", 3)],
                    "pabal-serve": [("sendmail", 8)]}.get(command.name, [])
        command_page(command, foot, siblings).write(output / f"{command.name}.1")
    schema = Schema(pathlib.Path(schema_path).read_text(encoding="utf-8"))
    configuration_page(schema, foot).write(output / "pabal-config.json.5")
    for page in HERE.iterdir():
        if re.fullmatch(r"\.\d", page.suffix):
            text = page.read_text(encoding="utf-8").replace("@DATE@", foot["date"]).replace("@SYSTEM@", foot["system"])
            (output / page.name).write_text(text, encoding="utf-8")


main()
