// Types of what the gateway answers. Those of single messages are generated from its OpenAPI
// document (types_of_api.js), so that tsc compares the pages with the messages.

/** @typedef {import("./api").Node & import("./api").NodeStatus} NodeView a node as lists have it */
/** @typedef {import("./api").Person & {rights: string[]}} Me */

export {};
