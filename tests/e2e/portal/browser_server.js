// Runs one Chromium for all flows of a test run; each connects to it and has a context of its own.
// Prints its address, and ends with its standard input.
import { launchServer } from "./browser.js";

const server = await launchServer();
process.stdout.write(server.wsEndpoint() + "\n");
process.stdin.resume();
process.stdin.on("end", () => server.close());
