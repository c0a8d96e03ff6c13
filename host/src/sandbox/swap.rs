//! Whether what a guest wrote may leave memory and come back.

/// Whether the system may write this process's memory to a swap device. Where it cannot tell, it says so too.
///
/// Resetting memory by the kernel's list of dirty pages (`PAGEMAP_SCAN`) passes over dirty pages that are swapped out,
/// so that the next guest could read them (wasmtime issue 14357): it is used only where this is false. Swap that is
/// added later is not noticed: add it before the runner starts.
pub fn is_swap_possible() -> bool {
    std::fs::read_to_string("/proc/swaps").map_or(true, |table| has_device(&table))
}

/// The table has a line of titles, and one a device.
fn has_device(table: &str) -> bool {
    table.lines().skip(1).any(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_seen() {
        let titles = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(!has_device(titles));
        assert!(has_device(&format!("{titles}/dev/zram0  partition\t8388604\t\t0\t\t100\n")));
    }
}
