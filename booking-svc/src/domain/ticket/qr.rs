//! Draws a ticket code as a QR image.

use std::iter;

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

/// How an image is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Vector: sharp at every size.
    Svg,
    /// Pixels, black and white: for wallets, mails and printers that draw no vectors.
    Png,
}

/// An image of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its media type.
    pub content_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Why a code cannot be drawn.
#[derive(Debug, Error)]
pub enum NotDrawn {
    /// It does not fit into the symbol.
    #[error("the code does not fit into a QR symbol of version 7")]
    Symbol(#[from] QrError),
    /// The file cannot be written.
    #[error("the pixels cannot be written as PNG")]
    Png(#[from] png::EncodingError),
}

/// The symbol with its quiet zone.
pub fn draw(code: &str, format: Format, module: ModulePixels) -> Result<Image, NotDrawn> {
    let symbol = QrCode::with_version(code, VERSION, LEVEL)?;
    let (content_type, bytes) = match format {
        Format::Svg => ("image/svg+xml", svg(&symbol, module).into_bytes()),
        Format::Png => ("image/png", png(&symbol, module)?),
    };
    Ok(Image {
        content_type,
        bytes,
    })
}

fn svg(symbol: &QrCode, ModulePixels(side): ModulePixels) -> String {
    let mut renderer = symbol.render::<svg::Color<'_>>();
    renderer.module_dimensions(side, side).build()
}

/// One bit a pixel, 1 is white: a symbol of 1,060 pixels takes a few kilobytes.
fn png(symbol: &QrCode, ModulePixels(side): ModulePixels) -> Result<Vec<u8>, png::EncodingError> {
    // A character a module, with the quiet zone, a line feed behind each row.
    let text = symbol
        .render::<char>()
        .light_color('1')
        .dark_color('0')
        .build();
    let scale = usize::try_from(side).unwrap_or(usize::MAX);
    let mut pixels = Vec::new();
    let mut rows = 0_u32;
    for row in text.lines() {
        let bits = row
            .chars()
            .flat_map(|module| iter::repeat_n(module == '1', scale));
        let bits: Vec<bool> = bits.collect();
        let bytes = bits.chunks(8).map(|bits| {
            let set = bits.iter().zip([128_u8, 64, 32, 16, 8, 4, 2, 1]);
            set.filter(|(bit, _)| **bit).map(|(_, value)| value).sum()
        });
        let line: Vec<u8> = bytes.collect();
        pixels.extend(iter::repeat_n(line, scale).flatten());
        rows += side;
    }
    let mut file = Vec::new();
    // The symbol is a square.
    let mut encoder = png::Encoder::new(&mut file, rows, rows);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
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
            let image = text(&code, ModulePixels::default());
            assert!(image.contains(r#"width="212" height="212""#), "{image}");
        }
    }

    fn text(code: &str, module: ModulePixels) -> String {
        let image = draw(code, Format::Svg, module).unwrap();
        assert_eq!(image.content_type, "image/svg+xml");
        String::from_utf8(image.bytes).unwrap()
    }

    #[test]
    fn an_image_has_the_asked_size() {
        let code = encode(&[1; SIGNED_BYTES], &[2; SIGNATURE_BYTES]);
        let image = text(&code, ModulePixels::default());
        assert!(image.starts_with("<?xml"), "{image}");
        let large = text(&code, ModulePixels::try_from(20).unwrap());
        assert!(large.contains(r#"width="1060""#), "{large}");
        for wrong in [0, 21] {
            assert_eq!(ModulePixels::try_from(wrong), Err(ModulePixelsOutOfRange));
        }
    }

    /// Width, and what a reader of QR codes sees in the file.
    fn read(file: &[u8]) -> (usize, String) {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        let (width, height) = (
            frame.width.try_into().unwrap(),
            frame.height.try_into().unwrap(),
        );
        let grey = |x, y| pixels[y * width + x];
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
        let grids = image.detect_grids();
        let (_, code) = grids[0].decode().unwrap();
        (width, code)
    }

    #[test]
    fn a_reader_reads_the_pixels() {
        let code = encode(&[0xa5; SIGNED_BYTES], &[0x3c; SIGNATURE_BYTES]);
        for (module, width) in [(1, 53), (3, 159), (4, 212), (20, 1060)] {
            let module = ModulePixels::try_from(module).unwrap();
            let image = draw(&code, Format::Png, module).unwrap();
            assert_eq!(image.content_type, "image/png");
            assert_eq!(read(&image.bytes), (width, code.clone()));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = "A".repeat(CODE_CHARS + 5);
        let refused = draw(&long, Format::Svg, ModulePixels::default());
        assert!(matches!(
            refused,
            Err(NotDrawn::Symbol(QrError::DataTooLong))
        ));
    }
}
