//! Numbers of any storage type to f32, saying what it cost.

use half::{bf16, f16};

/// Storage type of a file's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    Bool,
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F16,
    Bf16,
    F32,
    F64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    Little,
    Big,
}

/// `$bytes` as elements of type `$type`, each mapped by `$map`.
macro_rules! decode {
    ($type:ty, $bytes:expr, $endian:expr, $map:expr) => {{
        let map = $map;
        $bytes
            .as_chunks()
            .0
            .iter()
            .map(|&chunk| {
                map(match $endian {
                    Endian::Little => <$type>::from_le_bytes(chunk),
                    Endian::Big => <$type>::from_be_bytes(chunk),
                })
            })
            .collect()
    }};
}

impl Element {
    pub fn width(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// The elements as f64: exact but for 64-bit integers beyond 2^53.
    pub fn to_f64(self, bytes: &[u8], endian: Endian) -> Vec<f64> {
        match self {
            Self::Bool => decode!(u8, bytes, endian, |v| f64::from(u8::from(v != 0))),
            Self::U8 => decode!(u8, bytes, endian, f64::from),
            Self::U16 => decode!(u16, bytes, endian, f64::from),
            Self::U32 => decode!(u32, bytes, endian, f64::from),
            Self::U64 => decode!(u64, bytes, endian, |v| v as f64),
            Self::I8 => decode!(i8, bytes, endian, f64::from),
            Self::I16 => decode!(i16, bytes, endian, f64::from),
            Self::I32 => decode!(i32, bytes, endian, f64::from),
            Self::I64 => decode!(i64, bytes, endian, |v| v as f64),
            Self::F16 => decode!(f16, bytes, endian, f16::to_f64),
            Self::Bf16 => decode!(bf16, bytes, endian, bf16::to_f64),
            Self::F32 => decode!(f32, bytes, endian, f64::from),
            Self::F64 => decode!(f64, bytes, endian, |v| v),
        }
    }

    /// The elements as f32, and a note where the type was another one.
    pub fn to_f32(self, bytes: &[u8], endian: Endian) -> (Vec<f32>, Option<String>) {
        // f64 on the way would round large 64-bit integers twice.
        let values: Vec<f32> = match self {
            Self::F32 => return (decode!(f32, bytes, endian, |v| v), None),
            Self::U64 => decode!(u64, bytes, endian, |v| v as f32),
            Self::I64 => decode!(i64, bytes, endian, |v| v as f32),
            _ => self.to_f64(bytes, endian).into_iter().map(|v| v as f32).collect(),
        };
        let rounded = match self {
            Self::U64 => {
                let exact: Vec<u64> = decode!(u64, bytes, endian, |v| v);
                count(&exact, &values, |&e, v| i128::from(e) != v as i128)
            }
            Self::I64 => {
                let exact: Vec<i64> = decode!(i64, bytes, endian, |v| v);
                count(&exact, &values, |&e, v| i128::from(e) != v as i128)
            }
            _ => count(&self.to_f64(bytes, endian), &values, |&e, v| {
                !e.is_nan() && e != f64::from(v)
            }),
        };
        let mut note = format!("{} converted to float32", self.name());
        if rounded > 0 {
            note += &format!(", {rounded} of {} values rounded", values.len());
        }
        if self == Self::F64 {
            let exact = self.to_f64(bytes, endian);
            let overflowed = count(&exact, &values, |e, v| e.is_finite() && v.is_infinite());
            if overflowed > 0 {
                note += &format!(", {overflowed} of them to infinity");
            }
        }
        (values, Some(note))
    }
}

fn count<T>(exact: &[T], values: &[f32], differ: impl Fn(&T, f32) -> bool) -> usize {
    exact.iter().zip(values).filter(|&(e, &v)| differ(e, v)).count()
}

/// A note on NaN and infinities: the segments that hold them come out non-finite.
pub fn nonfinite_note(values: &[f32]) -> Option<String> {
    let first = values.iter().position(|value| !value.is_finite())?;
    let count = values.iter().filter(|value| !value.is_finite()).count();
    Some(format!(
        "{count} of {} values are NaN or infinite, the first at index {first}; their segments will not be finite",
        values.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_counted() {
        let bytes: Vec<u8> = [1i64, (1 << 53) + 1].iter().flat_map(|v| v.to_le_bytes()).collect();
        let (values, note) = Element::I64.to_f32(&bytes, Endian::Little);
        assert_eq!(values, [1.0, 9_007_199_254_740_992.0]);
        assert!(note.unwrap().contains("1 of 2 values rounded"));
        let bytes: Vec<u8> = [0.5f64, 1e300].iter().flat_map(|v| v.to_be_bytes()).collect();
        let (values, note) = Element::F64.to_f32(&bytes, Endian::Big);
        assert_eq!(values, [0.5, f32::INFINITY]);
        assert!(note.unwrap().ends_with("1 of them to infinity"));
    }

    #[test]
    fn halves() {
        let (values, _) = Element::F16.to_f32(&0x3c00u16.to_le_bytes(), Endian::Little);
        assert_eq!(values, [1.0]);
        let (values, _) = Element::Bf16.to_f32(&0x3f80u16.to_le_bytes(), Endian::Little);
        assert_eq!(values, [1.0]);
    }
}
