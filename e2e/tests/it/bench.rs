//! The benches work: each prints every row. How fast they are is nobody's promise here.

use std::process::Command;

use crate::real::binary;

const ROWS: [&str; 6] = [
    "gRPC echo of poll",
    "**poll**",
    "gRPC echo of join",
    "join script, one at a time",
    "join script, 256 at a time",
    "**join**",
];

/// Rows of B6 for each number of callers.
const CLAIMS: [&str; 6] = [
    "gRPC echo of a coupon",
    "INSERT of coupons alone",
    "claim under a lock in Redis",
    "**claim, before the end of the sale**",
    "gRPC echo of \"sold out\"",
    "**claim, after the end of the sale**",
];

/// What `usher-bench` prints of one bench, which it also keeps.
async fn told(name: &'static str) -> String {
    let folder = std::env::temp_dir().join(format!("usher-bench-out-{}", mesh::id::new()));
    let mut command = Command::new(binary("usher-bench"));
    command.args(["--short", name, "--out"]).arg(&folder);
    let told = mesh::tasks::blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let problem = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{problem}");
    let table = String::from_utf8_lossy(&told.stdout).into_owned();
    let kept = std::fs::read_to_string(folder.join(format!("{name}.md"))).unwrap();
    assert_eq!(kept.trim_end(), table.trim_end(), "what is printed is kept");
    std::fs::remove_dir_all(folder).unwrap();
    table
}

fn has_row(table: &str, begins: &str) {
    let row = table.lines().find(|line| line.starts_with(begins));
    let cells = row
        .unwrap_or_else(|| panic!("{begins}\n{table}"))
        .split('|');
    assert_eq!(cells.count(), 17, "{row:?}");
}

#[tokio::test]
async fn claims_are_measured_beside_a_lock_and_an_echo() {
    let table = told("B6").await;
    for callers in [4, 8] {
        for row in CLAIMS {
            has_row(&table, &format!("| {callers} | {row} |"));
        }
    }
    has_row(&table, "| 1 | **QuoteBest of 20 coupons** |");
    assert!(table.contains("exact 20 of 20"), "{table}");
}

#[tokio::test]
async fn joining_and_polling_are_measured_at_three_sizes() {
    let table = told("B5").await;
    for size in [300, 400, 500] {
        for row in ROWS {
            let begins = format!("| {size} | {row} |");
            has_row(&table, &begins);
        }
        let memory = format!("Redis holds {size} waiting in ");
        assert!(table.contains(&memory), "{table}");
    }
}

#[test]
fn a_bench_that_there_is_not_is_refused() {
    let told = Command::new(binary("usher-bench"))
        .arg("B0")
        .output()
        .unwrap();
    let problem = String::from_utf8_lossy(&told.stderr);
    assert!(!told.status.success());
    assert!(
        problem.contains("there is no bench B0; there are: B5, B6"),
        "{problem}"
    );
}
