//! Reading .npy files (NumPy format versions 1.0, 2.0 and 3.0).
//!
//! The header is parsed strictly: three keys, each once, of the types that NumPy writes. General parsers of Python
//! literals keep the last of two equal keys, overflow on large extents and recurse without bound.

use super::Tensor;
use super::convert::{Element, Endian, nonfinite_note};

const MAGIC: &[u8] = b"\x93NUMPY";

pub struct Header {
    pub element: Element,
    pub endian: Endian,
    pub fortran: bool,
    pub shape: Vec<usize>,
}

impl Header {
    /// The bytes of the data, as the shape says; refuses a file that has others.
    pub fn check(&self, found: u64) -> Result<usize, String> {
        let needed = super::checked_bytes(&self.shape, self.element.width())?;
        if found == needed as u64 {
            return Ok(needed);
        }
        let verb = if found < needed as u64 { "truncated" } else { "too long" };
        Err(format!(
            "{verb}: {found} bytes of data, shape {:?} of {} needs {needed}",
            self.shape,
            self.element.name()
        ))
    }
}

/// The header, and the data behind it, of a file of which at least the header is given.
pub fn header(bytes: &[u8]) -> Result<(Header, &[u8]), String> {
    let (text, data) = split(bytes)?;
    let header = Cursor(text).header().map_err(|message| format!("header: {message}"))?;
    Ok((header, data))
}

pub fn parse(bytes: &[u8]) -> Result<Tensor, String> {
    let (header, data) = header(bytes)?;
    header.check(data.len() as u64)?;
    let (mut values, note) = header.element.to_f32(data, header.endian);
    let mut notes: Vec<String> = note.into_iter().collect();
    if header.fortran && header.shape.len() > 1 {
        values = row_major(&values, &header.shape);
        notes.push("Fortran order converted to row-major".into());
    }
    notes.extend(nonfinite_note(&values));
    Ok(Tensor {
        name: None,
        others: Vec::new(),
        shape: header.shape,
        values,
        notes,
    })
}

/// The header's text and the data behind it.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    if bytes.is_empty() {
        return Err("is empty".into());
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or("is not a .npy file")?;
    let truncated = || "truncated in the header".to_owned();
    let (version, rest) = rest.split_at_checked(2).ok_or_else(truncated)?;
    let (length, rest) = match version {
        [1, 0] => {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        [2 | 3, 0] => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(truncated)?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        _ => return Err(format!("has the unknown format version {}.{}", version[0], version[1])),
    };
    let (text, data) = rest.split_at_checked(length).ok_or_else(truncated)?;
    let text = std::str::from_utf8(text).map_err(|_| "the header is not text")?;
    Ok((text, data))
}

/// What is left of the header's text.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn header(mut self) -> Result<Header, String> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.take('}') {
            let key = self.string()?;
            self.expect(':')?;
            let repeated = match key {
                "descr" => descr.replace(self.element()?).is_some(),
                "fortran_order" => fortran.replace(self.boolean()?).is_some(),
                "shape" => shape.replace(self.shape()?).is_some(),
                other => return Err(format!("unknown key {other:?}")),
            };
            if repeated {
                return Err(format!("{key:?} is given twice"));
            }
            if !self.take(',') {
                self.expect('}')?;
                break;
            }
        }
        if !self.0.trim().is_empty() {
            return Err("text after the closing brace".into());
        }
        let (element, endian) = descr.ok_or("no \"descr\"")?;
        Ok(Header {
            element,
            endian,
            fortran: fortran.ok_or("no \"fortran_order\"")?,
            shape: shape.ok_or("no \"shape\"")?,
        })
    }

    /// Consumes `symbol` if it comes next.
    fn take(&mut self, symbol: char) -> bool {
        let rest = self.0.trim_start().strip_prefix(symbol);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, symbol: char) -> Result<(), String> {
        if self.take(symbol) {
            return Ok(());
        }
        let found: String = self.0.trim_start().chars().take(12).collect();
        Err(format!("{symbol:?} expected before {found:?}"))
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let quote = if self.take('\'') { '\'' } else { '"' };
        if quote == '"' {
            self.expect('"')?;
        }
        let (text, rest) = self.0.split_once(quote).ok_or("a string does not end")?;
        self.0 = rest;
        Ok(text)
    }

    /// A word of letters and digits.
    fn word(&mut self) -> &'a str {
        let text = self.0.trim_start();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
        self.0 = &text[end..];
        &text[..end]
    }

    fn boolean(&mut self) -> Result<bool, String> {
        match self.word() {
            "True" => Ok(true),
            "False" => Ok(false),
            other => Err(format!("\"fortran_order\" is {other:?}, True or False is needed")),
        }
    }

    fn shape(&mut self) -> Result<Vec<usize>, String> {
        let mut shape = Vec::new();
        self.expect('(')?;
        while !self.take(')') {
            let word = self.word();
            // Python 2 wrote long integers with an L.
            let extent = word.strip_suffix('L').unwrap_or(word).parse::<usize>();
            shape.push(extent.map_err(|error| format!("extent {word:?} of the shape: {error}"))?);
            if !self.take(',') {
                self.expect(')')?;
                // (3) is an integer in Python, not a shape.
                if shape.len() == 1 {
                    return Err("\"shape\" is not a tuple".into());
                }
                break;
            }
        }
        Ok(shape)
    }

    fn element(&mut self) -> Result<(Element, Endian), String> {
        if self.0.trim_start().starts_with('[') {
            return Err("structured elements are not supported".into());
        }
        let descr = self.string()?;
        let (order, kind) = match descr.split_at_checked(1) {
            Some((order @ ("<" | ">" | "|" | "="), kind)) => (order, kind),
            _ => return Err(format!("element type {descr:?} has no byte order")),
        };
        let element = match kind {
            "b1" => Element::Bool,
            "u1" => Element::U8,
            "u2" => Element::U16,
            "u4" => Element::U32,
            "u8" => Element::U64,
            "i1" => Element::I8,
            "i2" => Element::I16,
            "i4" => Element::I32,
            "i8" => Element::I64,
            "f2" => Element::F16,
            "f4" => Element::F32,
            "f8" => Element::F64,
            _ => return Err(format!("elements of type {descr:?} are not supported")),
        };
        let endian = match order {
            "<" => Endian::Little,
            ">" => Endian::Big,
            _ if element.width() == 1 => Endian::Little,
            _ => return Err(format!("element type {descr:?} has no byte order")),
        };
        Ok((element, endian))
    }
}

/// Values stored with the first axis fastest, put in row-major order.
fn row_major(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for extent in shape {
        strides.push(stride);
        stride *= extent;
    }
    let mut index = vec![0; shape.len()];
    let mut source = 0;
    let mut next = || {
        let value = values[source];
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            source += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            source -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
        value
    };
    values.iter().map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<Header, String> {
        Cursor(text).header()
    }

    #[test]
    fn headers_that_numpy_writes() {
        let h = header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n").unwrap();
        assert_eq!((h.shape, h.fortran, h.element), (vec![2, 3], false, Element::F32));
        let h = header("{'descr': '|u1', 'fortran_order': True, 'shape': (5,)}").unwrap();
        assert_eq!((h.shape, h.fortran, h.element), (vec![5], true, Element::U8));
        assert!(
            header("{'descr': '>f8', 'fortran_order': False, 'shape': ()}")
                .unwrap()
                .shape
                .is_empty()
        );
    }

    #[test]
    fn ambiguous_or_malformed_headers_are_refused() {
        for text in [
            "",
            "{",
            "nan",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': nan, 'shape': (2,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (nan,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}",
            "{'descr': '=f4', 'fortran_order': False, 'shape': (2,)}",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} more",
        ] {
            assert!(header(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fortran_order_is_transposed() {
        assert_eq!(
            row_major(&[0.0, 3.0, 1.0, 4.0, 2.0, 5.0], &[2, 3]),
            [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        );
    }
}
