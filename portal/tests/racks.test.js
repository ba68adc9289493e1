import assert from "node:assert/strict";
import test from "node:test";
import { byRack } from "../src/lib/racks.js";

const host = (host_id, rack) => ({ host_id, rack });
const shown = hosts => byRack(hosts).map(one =>
  [one.title, one.hosts.map(each => each.host_id).join(" ")]);

test("racks and hosts are in the order of their numbers, unknown racks last", () => {
  assert.deepEqual(shown([host("x", ""), host("h10", "r10"), host("h9", "r2"), host("h1", "r10"),
    host("h8", "r2")]),
  [["Rack r2", "h8 h9"], ["Rack r10", "h1 h10"], ["Rack not known", "x"]]);
});

test("a rack may have any name", () => {
  assert.deepEqual(shown([host("a", "not known"), host("b", "")]),
                   [["Rack not known", "a"], ["Rack not known", "b"]]);
});

test("no hosts are in no rack", () => assert.deepEqual(byRack([]), []));
