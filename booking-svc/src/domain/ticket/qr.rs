//! Draws a ticket code as a QR image.

use qrcode::render::svg;
use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode, Version};
use thiserror::Error;

/// 45 modules a side: the smallest that holds a code of version 1 at [`LEVEL`]. Fixed, so that a printed ticket keeps its size.
const VERSION: Version = Version::Normal(7);

/// Mends 15 % of a symbol: folds and fingers, without the density of the higher levels.
const LEVEL: EcLevel = EcLevel::M;

/// Side of one module in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModulePixels(u32);

/// A size outside of 1..20.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be 1..{}", ModulePixels::MAX)]
pub struct ModulePixelsOutOfRange;

impl ModulePixels {
    /// Largest side: a symbol of 1,060 pixels fills a poster's corner.
    pub const MAX: u32 = 20;
}

impl Default for ModulePixels {
    /// 4 pixels: 212 in all, which a phone shows in full.
    fn default() -> Self {
        Self(4)
    }
}

impl TryFrom<u32> for ModulePixels {
    type Error = ModulePixelsOutOfRange;

    fn try_from(pixels: u32) -> Result<Self, ModulePixelsOutOfRange> {
        if (1..=Self::MAX).contains(&pixels) {
            Ok(Self(pixels))
        } else {
            Err(ModulePixelsOutOfRange)
        }
    }
}

/// The symbol as SVG, with its quiet zone.
pub fn svg(code: &str, module: ModulePixels) -> Result<String, QrError> {
    let symbol = QrCode::with_version(code, VERSION, LEVEL)?;
    let ModulePixels(side) = module;
    Ok(symbol
        .render::<svg::Color<'_>>()
        .module_dimensions(side, side)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ticket::code::{CODE_CHARS, SIGNATURE_BYTES, SIGNED_BYTES, encode};

    #[test]
    fn version_7_is_the_smallest_that_holds_every_code() {
        // No digits in a row, which would save a version.
        let worst = encode(&[0xff; SIGNED_BYTES], &[0xff; SIGNATURE_BYTES]);
        assert_eq!(worst.len(), CODE_CHARS);
        let symbol = QrCode::with_error_correction_level(&worst, LEVEL).unwrap();
        assert_eq!((symbol.version(), symbol.width()), (VERSION, 45));
        let digits = encode(&[0; SIGNED_BYTES], &[0; SIGNATURE_BYTES]);
        for code in [worst, digits] {
            let image = svg(&code, ModulePixels::default()).unwrap();
            assert!(image.contains(r#"width="212" height="212""#), "{image}");
        }
    }

    #[test]
    fn an_image_has_the_asked_size() {
        let code = encode(&[1; SIGNED_BYTES], &[2; SIGNATURE_BYTES]);
        let image = svg(&code, ModulePixels::default()).unwrap();
        assert!(image.starts_with("<?xml"), "{image}");
        let large = svg(&code, ModulePixels::try_from(20).unwrap()).unwrap();
        assert!(large.contains(r#"width="1060""#), "{large}");
        for wrong in [0, 21] {
            assert_eq!(ModulePixels::try_from(wrong), Err(ModulePixelsOutOfRange));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = "A".repeat(CODE_CHARS + 5);
        assert_eq!(
            svg(&long, ModulePixels::default()),
            Err(QrError::DataTooLong)
        );
    }
}
