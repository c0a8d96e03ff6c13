//! The report itself. Nothing here knows that it is part of a job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The totals so far: what a checkpoint holds, and at the end the result.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// How many lines are in the totals.
    pub(crate) lines: usize,
    by_region: BTreeMap<String, Total>,
    by_product: BTreeMap<String, Total>,
}

#[derive(Default, Deserialize, Serialize)]
struct Total {
    count: u64,
    sum: f64,
}

#[derive(Deserialize)]
struct Record {
    region: String,
    product: String,
    amount: f64,
}

impl Report {
    /// Adds the next line, one record in JSON.
    pub(crate) fn add(&mut self, line: &str) -> Result<(), serde_json::Error> {
        let record: Record = serde_json::from_str(line)?;
        let region = self.by_region.entry(record.region).or_default();
        let product = self.by_product.entry(record.product).or_default();
        for total in [region, product] {
            total.count += 1;
            total.sum += record.amount;
        }
        self.lines += 1;
        Ok(())
    }

    /// Rounds the sums to cents. Once, at the end: rounded sums that are added to drift.
    pub(crate) fn round(&mut self) {
        let regions = self.by_region.values_mut();
        for total in regions.chain(self.by_product.values_mut()) {
            total.sum = (total.sum * 100.0).round() / 100.0;
        }
    }
}
