#!/usr/bin/env python3
"""Joins *.yaml of this folder to one OpenAPI 3.1 document: join.py MESSAGES_FOLDER OUTPUT.

The files list paths and, in short form, the properties of each operation. What all operations
share is added here. Schemas are generated from messages/, the only description of messages.
"""
import json
import pathlib
import re
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))
import messages  # noqa: E402  pylint: disable=wrong-import-position

BARE = {"std::string": {"type": "string"}, "bool": {"type": "boolean"},
        "double": {"type": "number"}, "ComputesetId": {"type": "integer", "format": "int64"}}
PAGE = [("limit", "integer", "Number of entries at most, 1 to 1000."),
        ("after", "string", "Start after this cursor: `next` of the previous page."),
        ("fields", "string", "Only these fields of each entry, separated by commas.")]
PLAN = "True: change nothing, and answer with what would happen."
WINDOW = [("offset", "integer", "Leave out this many entries."),
          ("limit", "integer", "Number of entries at most, 0 to 1000; 100 if it is not given.")]
PLAIN = {"text": {"type": "string"}, "number": {"type": "integer"}, "flag": {"type": "boolean"},
         "object": {"type": "object"}, "real": {"type": "number"}, "nothing": {"type": "null"},
         "text?": {"type": ["string", "null"]}, "uri": {"type": "string", "format": "uri"},
         "time": {"type": "string", "format": "date-time"}}
WATCH = ("watch", "string",
         "Server-sent events of this collection instead of a page; true if it has no value.")


class Schemas:
    """Component schemas, generated when they are first referenced."""

    def __init__(self, folder):
        self.known = messages.read(folder)
        self.made = {"Problem": {
            "type": "object", "description": "RFC 9457.",
            "required": ["type", "title", "status", "detail"],
            "properties": {"type": {"type": "string", "description": "/problems/CODE, stable"},
                           "title": {"type": "string"}, "status": {"type": "integer"},
                           "detail": {"type": "string"},
                           "field": {"type": "string",
                                     "description": "the request's field at fault"}}}}
        problem = self.made["Problem"]
        self.made["IriProblem"] = {
            **problem, "required": ["type", "status", "instance"],
            "properties": {**problem["properties"],
                           "type": {"type": "string", "format": "uri"},
                           "instance": {"type": "string", "description": "the request's URI"}}}

    def add(self, name, spec):
        """A schema that is not a message: an enum's values, or an object's shape."""
        if name in self.made or name in self.known.structs:
            raise ValueError(f"the schema {name} is described twice")
        is_enum = isinstance(spec, list)
        self.made[name] = {"type": "string", "enum": spec} if is_enum else self.shape(spec)

    def of(self, kind):
        if kind in BARE:
            return dict(BARE[kind])
        listed = re.fullmatch(r"std::vector<(.+)>", kind)
        if listed:
            return {"type": "array", "items": self.of(listed[1])}
        optional = re.fullmatch(r"std::optional<(.+)>", kind)
        if optional:
            return self.of(optional[1])
        mapped = re.fullmatch(r"std::map<std::string, ?(.+)>", kind)
        if mapped:
            return {"type": "object", "additionalProperties": self.of(mapped[1])}
        number = re.fullmatch(r"std::(u?)int(\d+)_t", kind)
        if number:
            return {"type": "integer", **({"minimum": 0} if number[1] else {})}
        if kind in self.known.ids:
            return {"type": "string"}
        if kind in self.known.enums:
            return {"type": "string", "enum": self.known.enums[kind]}
        return self.ref(kind)

    def fields(self, name, chosen=None):
        properties = {}
        for field in self.known.structs[name].fields:
            if chosen is None or field.name in chosen:
                schema = self.of(field.type)
                if field.comment and "$ref" not in schema:
                    schema["description"] = field.comment
                properties[field.name] = schema
        missing = set(chosen or []) - set(properties)
        if missing:
            raise ValueError(f"{name} has no {sorted(missing)}")
        return properties

    def ref(self, name):
        if name not in self.made:
            self.made[name] = {}  # it may reference itself
            self.made[name] = {"type": "object", "properties": self.fields(name)}
            if self.known.structs[name].comment:
                self.made[name]["description"] = self.known.structs[name].comment
        return {"$ref": "#/components/schemas/" + name}

    def shape(self, spec):
        """`Cluster`, `[Cluster]`, `text`, `text, its meaning`, `{clusters: [Cluster]}`,
        `{id!: text}` for a required field, `{+: [Node, NodeStatus]}`, `{or: [Host, ChangePlan]}`,
        `{enum: [a, b]}`."""
        if isinstance(spec, list):
            return {"type": "array", "items": self.shape(spec[0])}
        if isinstance(spec, dict) and "+" in spec:
            return {"allOf": [self.shape(part) for part in spec["+"]]}
        if isinstance(spec, dict) and "or" in spec:
            return {"anyOf": [self.shape(part) for part in spec["or"]]}
        if isinstance(spec, dict) and "enum" in spec:
            return {"type": "string", "enum": spec["enum"]}
        if isinstance(spec, dict) and "raw" in spec:
            return spec["raw"]
        if isinstance(spec, dict):
            required = [name[:-1] for name in spec if name.endswith("!")]
            return {"type": "object", **({"required": required} if required else {}),
                    "properties": {k.rstrip("!"): self.shape(v) for k, v in spec.items()}}
        kind, _, meaning = spec.partition(", ")
        if kind in PLAIN:
            return {**PLAIN[kind], **({"description": meaning} if meaning else {})}
        return self.ref(spec)


def with_plan(operation):
    """`plan: SCHEMA`: a plan of the change may be asked for, in the query or in the body."""
    if "plan" not in operation:
        return operation
    gives = dict(operation["gives"])
    gives[200] = {"or": [gives[200], operation["plan"]]} if 200 in gives else operation["plan"]
    operation = {**operation, "query": {**operation.get("query", {}), "plan": PLAN}}
    if "body" not in operation:
        return {**operation, "gives": gives}
    body = dict(operation["body"])
    where = "also" if "message" in body else "fields"
    body[where] = {**body.get(where, {}), "plan": {"type": "boolean", "description": PLAN}}
    return {**operation, "gives": dict(sorted(gives.items())), "body": body}


def parameter(where, name, kind, description):
    return {"name": name, "in": where, "required": where == "path", "schema": {"type": kind},
            "description": description}


def asked(name, text, is_iri):
    """A parameter of a query, whose text may begin with its kind."""
    kind, _, meaning = text.partition(", ")
    if is_iri and kind in PLAIN:
        return parameter("query", name, PLAIN[kind]["type"], meaning)
    return parameter("query", name, "string", text)


def body_of(spec, schemas):
    if "schema" in spec:
        schema = dict(schemas.made[spec["schema"]])
        schema["additionalProperties"] = False
        return {"required": "optional" not in spec,
                "content": {"application/json": {"schema": schema}}}
    if spec.get("binary"):
        schema = {"type": "string", "format": "binary"}
    elif "message" in spec:
        schema = {"type": "object", "additionalProperties": False,
                  "properties": {**schemas.fields(spec["message"], spec["fields"]),
                                 **spec.get("also", {})}}
    else:
        schema = {"type": "object", "properties": spec["fields"]}
    if spec.get("required"):
        schema["required"] = spec["required"]
    kind = spec.get("type", "application/json")
    return {"required": True, "content": {kind: {"schema": schema}}}


def answers_of(operation, problem, schemas):
    answers = {}
    for status, shape in operation.get("gives", {}).items():
        answer = {"description": operation["summary"]}
        if shape is not None:
            kind = operation.get("type", "application/json")
            answer["content"] = {kind: {"schema": schemas.shape(shape)}}
        if operation.get("etag"):
            answer["headers"] = {"ETag": {"schema": {"type": "string"}}}
        answers[str(status)] = answer
    if problem:
        answers["default"] = {"description": "A problem.", "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/" + problem}}}}
    elif "right" in operation:
        answers["default"] = {"description": "`{\"detail\": …}`; status 400 has a JSON string.",
                              "content": {"application/json": {"schema": {}}}}
    return answers


def expand(method, path, operation, tag, schemas):
    operation = with_plan(operation)
    is_iri = path.startswith("/api/")
    is_v2 = path.startswith("/v2")
    problem = "IriProblem" if is_iri else "Problem" if is_v2 else None
    parameters = [parameter("path", name, "string", f"The {name}.")
                  for name in re.findall(r"\{(\w+)\}", path)]
    parameters += [asked(name, text, is_iri) for name, text in operation.get("query", {}).items()]
    if operation.get("window"):
        parameters += [parameter("query", *words) for words in WINDOW]
    if operation.get("page"):
        parameters += [parameter("query", *words) for words in PAGE]
    if operation.get("watch"):
        parameters.append(parameter("query", *WATCH))
    if operation.get("if_match"):
        parameters.append(parameter("header", "If-Match", "string", "An ETag; else 412."))
    if problem:
        parameters.append(parameter("header", "Nucleus-After-Sequence", "string",
                                    "Answer only after events up to this number were handled."))
        if method != "get":
            parameters.append(parameter("header", "Idempotency-Key", "string",
                                        "A repeated request has one effect and one answer."))
    name = operation.get("id", method + re.sub(r"\W+", "_", path.rstrip("/")))
    whole = {"operationId": name, "tags": [tag],
             "summary": operation["summary"], "parameters": parameters,
             "responses": answers_of(operation, problem, schemas)}
    if "body" in operation:
        whole["requestBody"] = body_of(operation["body"], schemas)
    if operation.get("open"):
        whole["x-right"] = "read"
        whole["security"] = [{}, {"token": []}, {"basic": []}]
    elif "right" in operation:
        whole["x-right"] = operation["right"]
    else:
        whole["security"] = []
    return whole


def join(folder):
    schemas = Schemas(folder)
    paths, tags = {}, []
    for file in sorted(HERE.glob("*.yaml")):
        tags.append({"name": file.stem})
        described = yaml.safe_load(file.read_text())
        for name, spec in described.pop("schemas", {}).items():
            schemas.add(name, spec)
        for path, operations in described.items():
            for method, operation in operations.items():
                if method in paths.setdefault(path, {}):
                    raise ValueError(f"{method} {path} is described twice")
                paths[path][method] = expand(method, path, operation, file.stem, schemas)
    return {"openapi": "3.1.0",
            "info": {"title": "Nucleus", "version": "2",
                     "description": "Virtual clusters on a centre's own hosts. A resource of "
                                    "another project is 404, like one that does not exist."},
            "servers": [{"url": "/"}], "tags": tags, "paths": paths,
            "security": [{"token": []}, {"basic": []}],
            "components": {"schemas": dict(sorted(schemas.made.items())), "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization",
                          "description": "`Token TOKEN`, `Bearer TOKEN` or an API key's "
                                         "`Signature`"},
                "basic": {"type": "http", "scheme": "basic"}}}}


if __name__ == "__main__":
    output = pathlib.Path(sys.argv[2])
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(join(sys.argv[1]), indent=1, ensure_ascii=False) + "\n")
