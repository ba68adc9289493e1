// Builds the portal: `node build.js NODE_MODULES OUTPUT`. Modules are copied as they are, with bare
// specifiers replaced by paths, into a folder that is named by the hash of them all; pages refer to
// that folder. Every file is also written compressed with gzip. There is no bundler: browsers load
// the modules.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const [packages, output] = process.argv.slice(2);

/** The files that are taken from packages, by the specifier that imports them. */
const vendored = {
  "preact": "preact/dist/preact.mjs",
  "preact/hooks": "preact/hooks/dist/hooks.mjs",
  "htm": "htm/dist/htm.module.js",
  "@preact/signals-core": "@preact/signals-core/dist/signals-core.mjs",
  "@xterm/xterm": "@xterm/xterm/lib/xterm.mjs",
  "@xterm/addon-fit": "@xterm/addon-fit/lib/addon-fit.mjs",
  "uplot": "uplot/dist/uPlot.esm.js",
};
/**
 * Packages whose modules import each other by path: their folders, and the module to import. They
 * are put into one folder, where a name has the module's path in it.
 */
const vendoredFolders = {
  "@novnc/novnc": { folders: ["core", "vendor"], main: "core/rfb.js" },
};
const styles = ["@xterm/xterm/css/xterm.css", "uplot/dist/uPlot.min.css"];
/** Modules that a page needs only later are not loaded ahead. */
const later = ["lib/terminal.js", "lib/picture.js", "lib/asciicast.js", "lib/chart.js",
  "lib/upload.js", "lib/racks.js", "lib/tus.js", "lib/speed.js"];
const firstPages = ["sign_in", "shell", "clusters"].map(name => `pages/${name}.js`);
const firstVendored = ["preact", "preact-hooks", "htm", "preact-signals-core"]
  .map(name => `vendor/${name}.js`);
const isEager = (/** @type {string} */ path) => ["main.js", ...firstPages, ...firstVendored]
  .includes(path) || (path.startsWith("lib/") && !later.includes(path));

const vendorFolder = (/** @type {string} */ specifier) =>
  "vendor/" + specifier.replace("@", "").replace("/", "-");

const vendorModule = (/** @type {string} */ specifier, /** @type {string} */ path) =>
  `${vendorFolder(specifier)}-${path.replaceAll("/", "-")}`;

/** The path of the module that a bare specifier imports; undefined if it is unknown. */
function vendorName(/** @type {string} */ specifier) {
  if (specifier in vendoredFolders)
    return vendorModule(specifier, vendoredFolders[specifier].main);
  return specifier in vendored ? vendorFolder(specifier) + ".js" : undefined;
}

/** The module with bare specifiers as paths relative to it, and without its source map. */
function resolve(/** @type {string} */ text, /** @type {string} */ path) {
  const to = (/** @type {string} */ specifier) => {
    const name = vendorName(specifier);
    if (!name) throw new Error(`${path} imports the unknown ${specifier}`);
    const found = relative(dirname(path), name);
    return found.startsWith(".") ? found : "./" + found;
  };
  return text
    .replace(/(\bfrom\s*|\bimport\s*\(?\s*)(["'])([@\w][@\w/-]*)\2/g,
             (_, before, quote, specifier) => before + quote + to(specifier) + quote)
    .replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
}

/** A module of `vendoredFolders`, with the paths that its imports have here. */
function flatten(/** @type {string} */ text, /** @type {string} */ specifier,
                 /** @type {string} */ path) {
  return text.replace(/(\bfrom\s*|\bimport\s*)(["'])(\.[\w./-]+\.js)\2/g,
    (_, before, quote, imported) => before + quote + "./" +
      basename(vendorModule(specifier, join(dirname(path), imported))) + quote);
}

/** The files below a folder, by their path in it. */
function filesBelow(/** @type {string} */ folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath ?? entry.path, entry.name)));
}

/** @returns {Map<string, string>} the texts of all modules and styles by their path */
function readModules() {
  const files = new Map();
  const add = (/** @type {string} */ path, /** @type {string} */ file) => {
    const text = readFileSync(file, "utf8");
    files.set(path, path.endsWith(".js") ? resolve(text, path) : text);
  };
  for (const path of filesBelow(join(here, "src"))) add(path, join(here, "src", path));
  for (const [specifier, file] of Object.entries(vendored))
    add(vendorFolder(specifier) + ".js", join(packages, file));
  for (const [specifier, { folders }] of Object.entries(vendoredFolders))
    for (const path of folders.flatMap(folder => filesBelow(join(packages, specifier, folder))
      .map(file => join(folder, file))).filter(file => file.endsWith(".js")))
      files.set(vendorModule(specifier, path),
                flatten(readFileSync(join(packages, specifier, path), "utf8"), specifier, path));
  for (const file of styles) add("vendor/" + file.split("/").at(-1), join(packages, file));
  return files;
}

function write(/** @type {string} */ path, /** @type {string} */ text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  writeFileSync(path + ".gz", gzipSync(text, { level: constants.Z_BEST_COMPRESSION }));
}

const modules = readModules();
const hash = createHash("sha256");
for (const path of [...modules.keys()].sort()) hash.update(path + "\0" + modules.get(path) + "\0");
const build = hash.digest("hex").slice(0, 16);

mkdirSync(output, { recursive: true });
for (const entry of readdirSync(output, { withFileTypes: true }))
  if (entry.isDirectory()) rmSync(join(output, entry.name), { recursive: true });
for (const [path, text] of modules) write(join(output, build, path), text);

const ahead = [...modules.keys()].filter(isEager)
  .map(path => `<link rel="modulepreload" href="/portal/${build}/${path}">`).join("\n");
for (const page of readdirSync(join(here, "html")))
  write(join(output, page), readFileSync(join(here, "html", page), "utf8")
    .replace("<!-- modules -->", ahead).replaceAll("@build/", `/portal/${build}/`));
