import assert from "node:assert/strict";
import { test } from "node:test";
import { outputOf, PlayClock } from "../src/lib/asciicast.js";

test("prints output and marks gaps, and nothing else", () => {
  const file = ['{"version":2,"width":80,"height":24}   ', '[0.5, "o", "a\\u001b[0m"]',
    '[1.0, "m", "offset 7"]', '[2.0, "m", "gap 7-9"]', '[3.0, "o", "b"]', ""].join("\n");
  assert.deepEqual(outputOf(file), [
    { at: 0.5, text: "a\x1b[0m", isGap: false },
    { at: 2, text: "\r\n[bytes 7-9 are missing]\r\n", isGap: true },
    { at: 3, text: "b", isGap: false }]);
});

test("has a clock that runs at its speed", () => {
  let now = 100;
  const clock = new PlayClock(() => now);
  now = 110;
  assert.equal(clock.at, 0);
  clock.set({ isRunning: true });
  now = 112;
  assert.equal(clock.at, 2);
  clock.set({ speed: 4 });
  now = 113;
  assert.equal(clock.at, 6);
  clock.set({ isRunning: false, at: 1 });
  now = 200;
  assert.equal(clock.at, 1);
});
