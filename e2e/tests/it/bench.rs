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

#[tokio::test]
async fn joining_and_polling_are_measured_at_three_sizes() {
    let folder = std::env::temp_dir().join(format!("usher-bench-out-{}", mesh::id::new()));
    let mut command = Command::new(binary("usher-bench"));
    command.args(["--short", "B5", "--out"]).arg(&folder);
    let told = mesh::tasks::blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let (table, problem) = (
        String::from_utf8_lossy(&told.stdout),
        String::from_utf8_lossy(&told.stderr),
    );
    assert!(told.status.success(), "{problem}");
    for size in [300, 400, 500] {
        for row in ROWS {
            let begins = format!("| {size} | {row} |");
            let row = table.lines().find(|line| line.starts_with(&begins));
            let cells = row
                .unwrap_or_else(|| panic!("{begins}\n{table}"))
                .split('|');
            assert_eq!(cells.count(), 17, "{row:?}");
        }
        let memory = format!("Redis holds {size} waiting in ");
        assert!(table.contains(&memory), "{table}");
    }
    let kept = std::fs::read_to_string(folder.join("B5.md")).unwrap();
    assert_eq!(kept.trim_end(), table.trim_end(), "what is printed is kept");
    std::fs::remove_dir_all(folder).unwrap();
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
        problem.contains("there is no bench B0; there are: B5"),
        "{problem}"
    );
}
