// A dashboard as a file has it: Grafana's own type, with the values of its enumerations as text and
// numbers.
import type { Dashboard } from "@grafana/schema";

type Plain<T> =
  T extends string ? `${T}`
  : T extends number ? T | (`${T}` extends `${infer N extends number}` ? N : never)
  : T extends object ? { [K in keyof T]: Plain<T[K]> }
  : T;

export type Board = Plain<Dashboard>;
