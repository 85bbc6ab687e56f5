//! A QR symbol in a terminal: two modules a character, dark on light whatever the colours of the terminal.

use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode};

/// Modules of light around the symbol that readers need.
const QUIET: usize = 4;
const BLACK_ON_WHITE: &str = "\u{1b}[30;107m";
const RESET: &str = "\u{1b}[0m";

/// The symbol as lines of half blocks.
pub(super) fn draw(text: &str) -> Result<String, QrError> {
    let symbol = QrCode::with_error_correction_level(text, EcLevel::M)?;
    let (side, modules) = (symbol.width(), symbol.to_colors());
    let dark = |x: usize, y: usize| {
        let inside = (QUIET..QUIET + side).contains(&x) && (QUIET..QUIET + side).contains(&y);
        inside && modules.get((y - QUIET) * side + (x - QUIET)) == Some(&Color::Dark)
    };
    let total = side + 2 * QUIET;
    let lines = (0..total).step_by(2).map(|y| {
        let line: String = (0..total)
            .map(|x| match (dark(x, y), dark(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            })
            .collect();
        format!("  {BLACK_ON_WHITE}{line}{RESET}\n")
    });
    Ok(lines.collect())
}
