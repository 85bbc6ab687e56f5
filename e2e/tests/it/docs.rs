//! The generated pages say what the program does, and the contracts promise only reasons that exist.

use std::collections::BTreeSet;

use e2e::docs::{errors, root, stale, variables};
use e2e::tidy::Tree;

#[test]
fn the_committed_pages_are_the_generated_ones() {
    let stale = stale(&root()).unwrap();
    assert!(
        stale.is_empty(),
        "{stale:?} differ from the program; run: cargo run -p e2e --bin usher-docs"
    );
}

#[test]
fn a_page_that_was_edited_by_hand_is_told() {
    let folder = std::env::temp_dir().join(format!("usher-docs-{}", mesh::id::new()));
    std::fs::create_dir_all(folder.join("docs")).unwrap();
    let readme = format!("# x\n{}\n{}\n", variables::BEGIN, variables::END);
    std::fs::write(folder.join("README.md"), readme).unwrap();
    assert_eq!(
        stale(&folder).unwrap(),
        ["docs/METHODS.md", "docs/ERRORS.md", "README.md"]
    );
    e2e::docs::write(&folder).unwrap();
    assert_eq!(stale(&folder).unwrap(), [""; 0]);
    let page = folder.join("docs/ERRORS.md");
    let text = std::fs::read_to_string(&page).unwrap();
    std::fs::write(&page, text.replacen("INVALID_ARGUMENT", "INTERNAL", 1)).unwrap();
    assert_eq!(stale(&folder).unwrap(), ["docs/ERRORS.md"]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn contracts_promise_only_reasons_that_exist() {
    let known = errors::entries(errors::TABLES).unwrap();
    let known: BTreeSet<&str> = known.into_keys().collect();
    let tree = Tree::read(&root()).unwrap();
    let mut promises = 0;
    for file in tree
        .files
        .iter()
        .filter(|file| file.path.ends_with(".proto"))
    {
        for reason in errors::promised(&file.text) {
            promises += 1;
            assert!(known.contains(reason.as_str()), "{}: {reason}", file.path);
        }
    }
    assert!(promises > 50, "only {promises} promises were found");
}
