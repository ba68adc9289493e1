// The page /docs/: the OpenAPI document as HTML.

/** @typedef {any} Schema of JSON Schema, or an operation of OpenAPI */

/** @param {string} id */
const byId = id => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} name @param {(string | Node)[]} inside */
const element = (name, ...inside) => {
  const made = document.createElement(name);
  made.append(...inside);
  return made;
};

/**
 * A schema as sample JSON with descriptions for values.
 * @param {Schema} schema
 * @param {Record<string, Schema>} all
 * @param {string[]} seen
 * @returns {any}
 */
function shape(schema, all, seen = []) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return seen.includes(name) ? name : shape(all[name], all, [...seen, name]);
  }
  if (schema.allOf)
    return Object.assign({}, ...schema.allOf.map(
      (/** @type {Schema} */ one) => shape(one, all, seen)));
  if (schema.type === "array") return [shape(schema.items ?? {}, all, seen)];
  if (schema.properties)
    return Object.fromEntries(Object.entries(schema.properties)
      .map(([name, inner]) => [name, shape(inner, all, seen)]));
  if (schema.enum) return schema.enum.join(" | ");
  return [schema.type, schema.description].filter(Boolean).join(": ");
}

/**
 * @param {string} title
 * @param {Record<string, Schema> | undefined} content
 * @param {Record<string, Schema>} all
 */
const body = (title, content, all) =>
  Object.entries(content ?? {}).flatMap(([type, { schema }]) => {
    const sample = element("pre", JSON.stringify(shape(schema, all), null, 2) ?? "");
    sample.tabIndex = 0;
    return [element("p", `${title} (${type})`), sample];
  });

/**
 * @param {string} method
 * @param {string} path
 * @param {Schema} op
 * @param {Record<string, Schema>} all
 */
function operation(method, path, op, all) {
  const rows = (op.parameters ?? []).map((/** @type {Schema} */ one) =>
    element("tr", element("td", element("code", one.name)), element("td", one.in),
            element("td", one.description)));
  const answers = Object.entries(op.responses).flatMap(([status, answer]) =>
    answer.content ? body(`Response ${status}`, answer.content, all)
      : [element("p", `Response ${status}`)]);
  const right = op["x-right"] ? `Needs the right to ${op["x-right"]}.` : "Needs no credential.";
  return element("details",
                 element("summary", element("b", method.toUpperCase()), element("code", path), " ",
                         op.summary),
                 element("p", right), ...rows.length ? [element("table", ...rows)] : [],
                 ...body("Body", op.requestBody?.content, all), ...answers);
}

/** @param {Schema} openapi */
function show(openapi) {
  const all = openapi.components.schemas;
  const link = Object.assign(document.createElement("a"),
                             { textContent: "The OpenAPI document.", href: "/openapi.json" });
  byId("about").replaceChildren(openapi.info.description + " ", link);
  const parts = openapi.tags.map((/** @type {Schema} */ tag) => {
    const section = element("section", element("h2", tag.name));
    for (const [path, operations] of Object.entries(openapi.paths))
      for (const [method, op] of Object.entries(operations))
        if (op.tags.includes(tag.name)) section.append(operation(method, path, op, all));
    return section;
  });
  byId("routes").replaceChildren(...parts);
  byId("filter").addEventListener("input", event => {
    const wanted = /** @type {HTMLInputElement} */ (event.target).value.toLowerCase();
    for (const entry of document.querySelectorAll("details"))
      entry.hidden = !entry.querySelector("summary")?.textContent?.toLowerCase().includes(wanted);
  });
}

fetch("/openapi.json").then(answer => answer.json()).then(show).catch(fault => {
  byId("about").textContent = "The document cannot be read: " + fault;
});
