import assert from "node:assert/strict";
import test from "node:test";
import { byDay, periodUntil } from "../src/lib/charges.js";

const day_s = 86_400;
const noon = 20_000 * day_s + day_s / 2;

test("a period has whole days, and today", () => {
  assert.deepEqual(periodUntil(noon, 2), { first_s: 19_999 * day_s, days: 2, now_s: noon });
});

test("an entry over midnight is charged on both days", () => {
  const entry = { start_unix_s: 20_000 * day_s - 3600, end_unix_s: 20_000 * day_s + 3 * 3600,
    used_core_s: 400 };
  assert.deepEqual(byDay([entry], periodUntil(noon, 3)).sums, [0, 100, 300]);
});

test("what runs is charged up to now, what began before the period from its first day", () => {
  const runs = { start_unix_s: 0, end_unix_s: 0, used_core_s: 300 };
  assert.deepEqual(byDay([runs], periodUntil(noon, 2)).sums, [200, 100]);
});

test("one of no duration is charged nothing", () => {
  const none = { start_unix_s: noon, end_unix_s: noon, used_core_s: 0 };
  assert.deepEqual(byDay([none], periodUntil(noon, 1)).sums, [0]);
});
