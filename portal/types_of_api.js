// Writes the types of the gateway's messages for tsc: `node types_of_api.js OPENAPI OUTPUT`.
import { readFileSync, writeFileSync } from "node:fs";

const [document, output] = process.argv.slice(2);
const { schemas } = JSON.parse(readFileSync(document, "utf8")).components;

/** @param {any} schema @returns {string} */
function typeOf(schema) {
  if (!schema) return "any";
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.allOf) return schema.allOf.map(typeOf).join(" & ");
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.enum)
    return schema.enum.map((/** @type {string} */ one) => JSON.stringify(one)).join(" | ");
  if (Array.isArray(schema.type))
    return schema.type.map((/** @type {string} */ type) => typeOf({ type })).join(" | ");
  if (schema.type === "array") return `(${typeOf(schema.items)})[]`;
  if (schema.properties)
    return "{ " + Object.entries(schema.properties)
      .map(([name, inner]) => `${JSON.stringify(name)}: ${typeOf(inner)}`).join("; ") + " }";
  if (schema.type === "object") return "Record<string, any>";
  if (schema.type === "integer") return "number";
  return schema.type ?? "any";
}

const names = Object.entries(schemas).filter(([name]) => /^\w+$/.test(name));
writeFileSync(output, names.map(([name, schema]) =>
  `export type ${name} = ${typeOf(schema)};`).join("\n") + "\n");
