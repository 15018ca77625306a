//! The font of figures: one that comes with the program, so that they are the same on every machine, and on those that
//! have none.

use std::sync::Once;

use epaint_default_fonts::UBUNTU_LIGHT;
use plotters::style::{FontStyle, register_font};

/// The family of all text, which a viewer of SVG has.
pub const TEXT: &str = "sans-serif";

/// Makes the font known to plotters, which asks it how wide text is, and draws it in bitmaps. Once is enough.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for style in [FontStyle::Normal, FontStyle::Bold] {
            // (An error would be that of a font that is none; text that cannot be drawn is told when it is.)
            let _ = register_font(TEXT, style, UBUNTU_LIGHT);
        }
    });
}
