// The report itself. Nothing here knows that it is part of a job.

import { fields } from "../flowmonkey/index.js";

interface Total {
  count: number;
  sum: number;
}
type Totals = Map<string, Total>;

const saved = fields({ lines: "number", byRegion: "object", byProduct: "object" });
const record = fields({ region: "string", product: "string", amount: "number" });

/** The totals so far: what a checkpoint holds, and at the end the result. */
export class Report {
  /** How many lines are in the totals. */
  lines = 0;
  #byRegion: Totals = new Map();
  #byProduct: Totals = new Map();

  /** What does not fit, left by another version of the handler, counts as none. */
  static from(json: unknown): Report {
    const report = new Report();
    try {
      const { lines, byRegion, byProduct } = saved.parse(json);
      report.lines = lines;
      report.#byRegion = new Map(Object.entries(byRegion as Record<string, Total>));
      report.#byProduct = new Map(Object.entries(byProduct as Record<string, Total>));
    } catch {
      // A fresh one.
    }
    return report;
  }

  /** Adds the next line, one record in JSON. */
  add(line: string) {
    const { region, product, amount } = record.parse(JSON.parse(line));
    add(this.#byRegion, region, amount);
    add(this.#byProduct, product, amount);
    this.lines += 1;
  }

  toJSON() {
    const { lines } = this;
    return { lines, byRegion: Object.fromEntries(this.#byRegion), byProduct: Object.fromEntries(this.#byProduct) };
  }

  /** With the sums in whole cents. Once, at the end: rounded sums that are added to drift. */
  rounded() {
    return { lines: this.lines, byRegion: cents(this.#byRegion), byProduct: cents(this.#byProduct) };
  }
}

function add(totals: Totals, name: string, amount: number) {
  const { count, sum } = totals.get(name) ?? { count: 0, sum: 0 };
  totals.set(name, { count: count + 1, sum: sum + amount });
}

function cents(totals: Totals) {
  const rounded = ({ count, sum }: Total) => ({ count, sum: Math.round(sum * 100) / 100 });
  return Object.fromEntries(Array.from(totals, ([name, total]) => [name, rounded(total)]));
}
