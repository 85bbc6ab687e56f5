//! usher-docs: writes the generated pages anew.

use std::process::ExitCode;

use e2e::docs::{root, write};
use mesh::status::chain;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command for a terminal"
)]
fn main() -> ExitCode {
    match write(&root()) {
        Ok(changed) => {
            for path in changed {
                println!("{path}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("usher-docs: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}
