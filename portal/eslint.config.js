// Rules for the portal's modules; types are checked by tsc.
export default [{
  files: ["src/**/*.js"],
  languageOptions: { ecmaVersion: 2023, sourceType: "module" },
  rules: {
    "no-unused-vars": "error", "no-var": "error", "prefer-const": "error", "eqeqeq": "error",
    "no-eval": "error", "no-implied-eval": "error", "no-console": "error", "no-shadow": "error",
    "no-unreachable": "error", "no-empty": ["error", { "allowEmptyCatch": false }],
    "no-restricted-properties": ["error",
      ...["innerHTML", "outerHTML", "insertAdjacentHTML"].map(property =>
        ({ property, message: "Text from the gateway is text: Trusted Types refuses it." }))],
    "no-restricted-globals": ["error",
      { "name": "fetch", "message": "Requests go through lib/api.js." }],
    "max-lines": ["error", 300],
    "max-len": ["error", { "code": 100 }],
  },
}, {
  files: ["src/lib/api.js", "src/lib/events.js", "src/docs_page.js"],
  rules: { "no-restricted-globals": "off" },
}];
